"""Clips of visitors with a voice, words and a pulse beside the face."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.physiology.pulse import LOWEST_RATE
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve import clips as clips_module
from fer_cbam.serve import page
from fer_cbam.serve.clips import Clips, Wanted
from fer_cbam.serve.modalities import Modalities
from fer_cbam.serve.turns import Turns
from fer_cbam.transcripts import Line, Transcript
from tests.modality_networks import write_text, write_voice
from tests.sounds import tone, written

PHOTO = Path(page.__file__).parent / "assets" / "astronaut.jpg"
WORDS = Transcript((Line(0.2, 0.6, "Well, that is great."),))


@pytest.fixture(scope="module")
def recognizer(untrained_weights) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(untrained_weights["ckplus48"])


@pytest.fixture(scope="module")
def modalities(tmp_path_factory) -> Modalities:
    folder = tmp_path_factory.mktemp("modalities")
    return Modalities(write_voice(folder / "v", "sadness", 0.9),
                      write_text(folder / "t", "neutral", 0.8))  # fmt: skip


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)[:240, 80:400]


def read(tmp_path: Path, content: bytes, recognizer, modalities, wanted: Wanted):
    """The answer for a clip, and the rows of its table."""

    async def run():
        turns = Turns(slots=2)
        clips = Clips(turns, tmp_path, YuNetDetector(max_side=320), modalities=modalities)
        folder = tmp_path / "uploads"
        folder.mkdir(exist_ok=True)
        file = folder / "clip.mkv"
        file.write_bytes(content)
        name = clips.start(file, recognizer, "a", wanted).name
        try:
            deadline = time.monotonic() + 60
            while not (answer := clips.ask(name))["done"]:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
            if answer["failed"]:
                return answer, []
            with Path(answer["table"]).open(newline="") as table:
                return answer, list(csv.DictReader(table))
        finally:
            clips.forget(name)
            turns.close()

    return asyncio.run(run())


def test_a_clip_with_a_voice_and_words(tmp_path, recognizer, modalities, face):
    pictures = [np.roll(face, 2 * n, axis=1) for n in range(20)]
    content = written(tone(2), "matroska", late=0.0, pictures=pictures)
    wanted = Wanted(audio=True, pulse=True, transcript=WORDS)
    answer, rows = read(tmp_path, content, recognizer, modalities, wanted)
    numbers = answer["numbers"]
    assert json.loads(json.dumps(numbers)) == numbers
    assert [point["label"] for point in numbers["beside"]["voice"]] == ["sadness"] * 4
    (said,) = numbers["beside"]["text"]
    assert (said["begin"], said["time"], said["words"]) == (0.2, 0.6, "Well, that is great.")
    assert said["probs"]["neutral"] == pytest.approx(0.8, abs=1e-3)
    # The face's weights do not know neutral: it has a colour all the same, behind theirs.
    assert list(answer["colors"])[:7] == list(recognizer.label_names)
    assert "neutral" in answer["colors"]
    (track,) = numbers["tracks"]
    assert len(track["together"]) == len(track["timeline"])
    assert set(track["influence"]) == {"face", "voice", "text"}
    (pulse,) = track["pulse"]
    assert pulse["bpm"] is None and pulse["reason"] == "1.9 s of a face; expected at least 8 s"
    assert {"voice_label", "text_label", "together_label", "voice_moved", "pulse_bpm"} <= set(
        rows[0]
    )
    assert {row["voice_label"] for row in rows} == {"sadness"}


def test_what_is_not_asked_for_is_not_done(tmp_path, recognizer, face):
    content = written(tone(2), "matroska", late=0.0, pictures=[face] * 5)

    class Nothing:
        def voice(self):
            raise AssertionError("asked for")

        text = voice

    answer, rows = read(tmp_path, content, recognizer, Nothing(), Wanted())
    assert "beside" not in answer["numbers"] and "together" not in answer["numbers"]["tracks"][0]
    assert "pulse" not in answer["numbers"]["tracks"][0] and "disagree" not in rows[0]
    assert list(answer["colors"]) == list(recognizer.label_names)


@pytest.mark.parametrize(
    ("sound", "rate", "note"),
    [
        (None, 16_000, "No voice: the clip has no sound track."),
        (np.zeros(32_000, np.float32), 16_000, "No voice: the sound is silent, or nobody speaks"),
        (tone(2, rate=8000), 8000, "The sound was recorded at 8000 Hz"),
        (np.clip(4 * tone(2), -1, 1), 16_000, "The sound is clipped"),
    ],
)
def test_what_is_wrong_with_the_sound_is_a_note(
    tmp_path, recognizer, modalities, face, sound, rate, note
):
    content = written(sound, "matroska", rate, late=0.0, pictures=[face] * 5)
    answer, _ = read(tmp_path, content, recognizer, modalities, Wanted(audio=True))
    assert not answer["failed"] and len(answer["numbers"]["tracks"]) == 1
    assert any(told.startswith(note) for told in answer["numbers"]["notes"])


@pytest.mark.parametrize("fps", [12.5, 15, 23.976, 24, 25, 29.97, 30, 50, 60])
def test_a_pulse_has_frames_enough(fps):
    assert fps / clips_module._every(fps, pulse=True) >= LOWEST_RATE
    assert clips_module._every(fps, pulse=True) <= clips_module._every(fps, pulse=False)
