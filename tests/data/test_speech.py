"""RAVDESS and EmoDB: tiny made-up trees in the published layouts, and the real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.data.emodb import read_emodb
from fer_cbam.data.ravdess import read_ravdess
from fer_cbam.errors import DataError
from tests.sounds import tone, written

SOUND = written(tone(0.6))
RAVDESS = {
    "Actor_01/03-01-05-02-01-02-01.wav": SOUND,
    "Actor_02/03-01-01-01-02-01-02.wav": SOUND,
    "Actor_02/03-01-02-01-02-01-02.wav": SOUND,
    "Actor_02/03-02-03-01-02-01-02.wav": b"a song",
    "Actor_02/01-01-03-01-02-01-02.mp4": b"a clip",
    "Actor_02/notes.txt": b"",
}
EMODB = {"wav/03a01Fa.wav": SOUND, "wav/16b10Wb.wav": SOUND, "wav/08a05Lc.wav": SOUND,
         "lablaut/03a01Fa.lablaut": b""}  # fmt: skip


def test_ravdess(write_tree: Callable[..., Path]) -> None:
    speech = read_ravdess(write_tree(RAVDESS))
    assert speech.name == "RAVDESS" and len(speech) == 3
    assert speech.labels().tolist() == ["anger", "neutral", "calm"]
    assert speech.speakers().tolist() == ["01", "02", "02"]
    assert [sound.seconds for sound in speech.sounds()] == pytest.approx([0.6] * 3)
    clips = read_ravdess(speech.path, "clip")
    assert [(u.name, u.label) for u in clips.utterances] == [
        ("Actor_02/01-01-03-01-02-01-02.mp4", "happiness")
    ]


def test_emodb(write_tree: Callable[..., Path]) -> None:
    speech = read_emodb(write_tree(EMODB))
    assert speech.labels().tolist() == ["happiness", "boredom", "anger"]
    assert speech.speakers().tolist() == ["03", "08", "16"]
    np.testing.assert_allclose(next(speech.sounds()).samples, tone(0.6), atol=1e-4)


def test_some_labels_under_other_names(write_tree: Callable[..., Path]) -> None:
    speech = read_ravdess(write_tree(RAVDESS)).with_labels({"calm": "neutral", "anger": "anger"})
    assert speech.labels().tolist() == ["anger", "neutral"]


@pytest.mark.parametrize(
    ("read", "files", "message"),
    [
        (read_ravdess, {"a/03-01-09-01-01-01-01.wav": SOUND}, "emotion 09; expected 01 to 08"),
        (read_ravdess, {"a/03-02-03-01-01-01-01.wav": SOUND}, "no sound of RAVDESS; expected fil"),
        (read_emodb, {"wav/03a01Xa.wav": SOUND}, "emotion X; expected one of W, L"),
        (read_emodb, {"wav/nothing.wav": SOUND}, r"no sound of EmoDB; expected .* 03a01Fa\.wav"),
    ],
)
def test_what_is_not_such_a_set(write_tree, read, files, message) -> None:
    with pytest.raises(DataError, match=message):
        read(write_tree(files))


def test_sound_that_cannot_be_read_is_named(write_tree: Callable[..., Path]) -> None:
    speech = read_emodb(write_tree({"wav/03a01Fa.wav": b"RIFF"}))
    with pytest.raises(DataError, match=r"wav/03a01Fa\.wav: sound: not sound"):
        list(speech.sounds())
    with pytest.raises(ValueError, match="modality 'face'; expected one of sound, clip"):
        read_ravdess(speech.path, "face")


@pytest.mark.data
def test_the_published_ravdess(data_dir: Path) -> None:
    speech = read_ravdess(data_dir / "speech/ravdess.zip")
    # Sixty of each actor: eight of each emotion (two levels), but four neutral ones.
    assert set(Counter(speech.speakers()).values()) == {60} and len(speech) == 1200
    counts = Counter(speech.labels())
    assert counts.pop("neutral") * 2 == counts["calm"] and len(set(counts.values())) == 1
    assert 2.5 < next(speech.sounds()).seconds < 5.5


@pytest.mark.data
def test_the_published_emodb(data_dir: Path) -> None:
    speech = read_emodb(data_dir / "speech/emodb.zip")
    assert len(speech) == 408 and len(set(speech.speakers())) == 8
    assert len(set(speech.labels())) == 7
