"""Clips of visitors, with a short one of our own making."""

from __future__ import annotations

import asyncio
import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.errors import FerError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve import clips as clips_module
from fer_cbam.serve import page
from fer_cbam.serve.clips import Clips, Wanted
from fer_cbam.serve.turns import BusyError, Turns
from fer_cbam.video.clip import ClipReader, ClipWriter

PHOTO = Path(page.__file__).parent / "assets" / "astronaut.jpg"
FRAMES, FPS = 24, 12


@pytest.fixture(scope="module")
def recognizer(untrained_weights) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(untrained_weights["ckplus48"])


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory) -> Path:
    """Two seconds of the astronaut, moving to the right by two pixels a frame."""
    path = tmp_path_factory.mktemp("clip") / "<script>.webm"
    photo = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)[:240, 80:400]
    with ClipWriter(path, FPS) as writer:
        for number in range(FRAMES):
            writer.write(np.roll(photo, 2 * number, axis=1), number / FPS)
    return path


@pytest.fixture
def upload(clip_file, tmp_path) -> Path:
    """As gradio leaves it: in a folder of its own."""
    folder = tmp_path / "uploads" / "abc"
    folder.mkdir(parents=True)
    return Path(shutil.copy(clip_file, folder))


def scene(upload: Path, recognizer, act, **options):
    """Run ``act(clips, start)`` in a loop; ``start(visitor)`` begins a copy of the clip."""

    async def run():
        turns = Turns(slots=2)
        detector = YuNetDetector(max_side=320)
        clips = Clips(turns, upload.parents[1], detector, **options)

        def start(visitor: str = "a"):
            copy = upload.parent / f"{visitor}{upload.suffix}"
            shutil.copy(upload, copy)
            return clips.start(copy, recognizer, visitor)

        try:
            return await act(clips, start)
        finally:
            turns.close()

    return asyncio.run(run())


async def ended(clips: Clips, name: str) -> dict:
    for _ in range(1000):
        answer = clips.ask(name)
        if answer["done"]:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("it never ended")


def left(upload: Path) -> list[Path]:
    return list(upload.parents[1].glob("clip-*"))


async def gone(upload: Path) -> None:
    for _ in range(500):
        if not left(upload):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"left behind: {left(upload)}")


def test_a_clip_is_read_told_and_forgotten(upload, recognizer):
    async def act(clips, start):
        clip = start()
        assert not (upload.parent / "a.webm").exists()  # it was moved
        answer = await ended(clips, clip.name)
        assert not answer["failed"] and answer["message"] == "One face in 1.9 seconds."
        numbers = answer["numbers"]
        assert numbers["frames"] == FRAMES and len(numbers["tracks"]) == 1
        assert numbers["labels"] == list(recognizer.label_names)
        with ClipReader(answer["annotated"]) as reader:
            assert (reader.width, reader.height) == (320, 240)
            assert sum(1 for _ in reader.frames()) == FRAMES
        with Path(answer["table"]).open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == numbers["tracks"][0]["frames"] == numbers["analysed"]
        assert "script" not in str(answer)
        assert list(answer["colors"]) == numbers["labels"]
        # What was uploaded is gone already, the answers on demand.
        assert sorted(p.name for p in clip.folder.iterdir()) == ["annotated.webm", "faces.csv"]
        clips.forget(clip.name)
        await gone(upload)
        assert clips.ask(clip.name)["message"] == "This clip has been forgotten."

    scene(upload, recognizer, act)


def test_an_explained_clip_has_heat_over_the_face_and_nowhere_else(upload, recognizer):
    async def act(clips, start):
        pictures = []
        for explained in (False, True):
            copy = Path(shutil.copy(upload, upload.parent / f"{explained}.webm"))
            clip = clips.start(copy, recognizer, "a", Wanted(explained))
            answer = await ended(clips, clip.name)
            with ClipReader(answer["annotated"]) as reader:
                pictures.append(next(reader.frames()).image.astype(int))
            clips.forget(clip.name)
        changed = np.abs(pictures[1] - pictures[0]).max(axis=2) > 40
        rows, columns = np.nonzero(changed)
        # The face is at (144, 115) of the first frame, its box some 70 pixels wide.
        assert changed.sum() > 300
        assert abs(columns.mean() - 144) < 30 and abs(rows.mean() - 115) < 40
        assert np.ptp(columns) < 120 and np.ptp(rows) < 120

    scene(upload, recognizer, act)


def test_progress_goes_up(upload, recognizer):
    async def act(clips, start):
        clip, seen = start(), []
        while not (answer := clips.ask(clip.name))["done"]:
            seen.append(answer["fraction"] or 0.0)
            await asyncio.sleep(0.005)
        assert seen == sorted(seen) and len(set(seen)) > 2
        assert all(0 <= fraction <= 1 for fraction in seen)

    scene(upload, recognizer, act)


def test_whoever_leaves_is_not_worked_for(upload, recognizer):
    async def act(clips, start):
        clip = start()
        await gone(upload)  # nobody asks
        assert clips.ask(clip.name)["message"] == "This clip has been forgotten."
        assert clip.result is None

    scene(upload, recognizer, act, left_after=0.1)


def test_an_answer_that_nobody_fetches_is_deleted(upload, recognizer):
    async def act(clips, start):
        clip = start()
        await ended(clips, clip.name)
        await gone(upload)

    scene(upload, recognizer, act, left_after=1.0)


def test_cancelled_in_the_middle(upload, recognizer):
    async def act(clips, start):
        clip = start()
        while clips.ask(clip.name).get("fraction") is None:
            await asyncio.sleep(0.005)
        clips.forget(clip.name)
        await gone(upload)
        assert clip.result is None

    scene(upload, recognizer, act)


def test_a_visitor_has_one_clip_and_all_together_a_few(upload, recognizer, monkeypatch):
    monkeypatch.setattr(clips_module, "MAX_CLIPS", 2)

    async def act(clips, start):
        first, second, other = start("a"), start("a"), start("b")
        assert "forgotten" in clips.ask(first.name)["message"]
        with pytest.raises(BusyError):
            start("c")
        for clip in (second, other):
            assert (await ended(clips, clip.name))["numbers"]["frames"] == FRAMES
            clips.forget(clip.name)
        await gone(upload)

    scene(upload, recognizer, act)


@pytest.mark.parametrize("data", [b"", b"no clip at all", b"#EXTM3U\n/etc/passwd\n"])
def test_a_clip_that_is_no_clip(upload, recognizer, data):
    upload.write_bytes(data)

    async def act(clips, start):
        answer = await ended(clips, start().name)
        assert answer["failed"] and answer["message"].startswith("This clip cannot be read.")
        assert "passwd" not in answer["message"]
        await gone(upload)
        with pytest.raises(FerError):
            await clips.run(Path(shutil.copy(upload, upload.parent / "b.webm")), recognizer, "b")
        await gone(upload)

    scene(upload, recognizer, act)


def test_an_error_of_ours_is_logged_and_said(upload, recognizer, monkeypatch, caplog):
    def broken(*_args, **_options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(clips_module, "analyse", broken)

    async def act(clips, start):
        answer = await ended(clips, start().name)
        assert answer["failed"] and "The server failed over it." in answer["message"]
        assert "a bug" in caplog.text
        await gone(upload)

    scene(upload, recognizer, act)


def test_names_that_are_none(upload, recognizer):
    async def act(clips, start):
        for name in (None, 7, "", "../../etc", ["a"]):
            assert clips.ask(name)["failed"] is True
            clips.forget(name)

    scene(upload, recognizer, act)
