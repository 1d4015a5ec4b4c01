"""Clips of visitors: read a little at a time, in fair turns, and forgotten with their files.

A clip belongs to whoever holds its name, which cannot be guessed. Nobody who has left is worked
for: a clip that is not asked after is dropped, whatever became of it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve.clip_numbers import clip_numbers
from fer_cbam.serve.memory import give_back
from fer_cbam.serve.page import label_colors
from fer_cbam.serve.turns import BusyError, Turns
from fer_cbam.video.analysis import ClipResult, Progress, analyse
from fer_cbam.video.clip import ClipReader

MAX_CLIPS = 8  # at once, of all visitors
MAX_SECONDS = 600.0  # of a clip; a note says that the rest was left out
MAX_PIXELS = 9_000_000  # of a frame: 4K
READ_RATE = 12.0  # frames a second that are searched; boxes are held in between
STEP = 0.05  # seconds of one turn
LEFT_AFTER = 20.0  # seconds without a question after which a visitor has left

Steps = Generator[Progress, None, ClipResult]


@dataclass(eq=False)
class Clip:
    """A clip on its way. asked: when its visitor last asked after it. explained: with a heatmap in
    its annotated copy. smoothing: name of a smoother, None for the weights' own."""

    name: str
    folder: Path
    visitor: str
    recognizer: EmotionRecognizer
    asked: float
    explained: bool = False
    smoothing: str | None = None
    progress: Progress | None = None
    result: ClipResult | None = None
    error: FerError | None = None
    unwanted: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Clips:
    """All clips of a server. folder: for their files. detector: None for the default one."""

    def __init__(
        self,
        turns: Turns,
        folder: Path,
        detector: FaceDetector | None = None,
        left_after: float = LEFT_AFTER,
    ):
        self.turns = turns
        self.detector = detector
        self.left_after = left_after
        self._folder = folder
        self._clips: dict[str, Clip] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self, file: Path, recognizer: EmotionRecognizer, visitor: str, explained: bool = False,
        smoothing: str | None = None,
    ) -> Clip:  # fmt: skip
        """Begin to read a file, which is moved and deleted later.

        A visitor has one clip at a time: an earlier one is forgotten.

        Raises:
            BusyError: too many clips are on their way.
        """
        for other in [c for c in self._clips.values() if c.visitor == visitor]:
            self.forget(other.name)
        if len(self._clips) >= MAX_CLIPS:
            raise BusyError("Many clips are being read. Try again in a moment.")
        name = secrets.token_urlsafe(16)
        folder = self._folder / f"clip-{name}"
        folder.mkdir(mode=0o700)
        # Our own name: what a visitor calls a file appears nowhere.
        shutil.move(file, folder / f"clip{file.suffix[:8]}")
        with suppress(OSError):
            file.parent.rmdir()  # gradio made it for this file
        clip = Clip(name, folder, visitor, recognizer, time.monotonic(), explained, smoothing)
        self._clips[name] = clip
        task = asyncio.get_running_loop().create_task(self._read(clip))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return clip

    async def run(self, file: Path, recognizer: EmotionRecognizer, visitor: str) -> ClipResult:
        """Read a file to its end, for a program that waits for it. Its files are soon forgotten.

        Raises:
            FerError: what is wrong with it.
        """
        clip = self.start(file, recognizer, visitor)
        while not clip.ended.is_set():
            clip.asked = time.monotonic()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(clip.ended.wait(), timeout=1)
        if clip.error is not None:
            self.forget(clip.name)
            raise clip.error
        assert clip.result is not None  # or there had been an error
        return clip.result

    def ask(self, name: object) -> dict[str, Any]:
        """How far a clip is: ``fraction`` (None if unknown) and ``seconds``; once it is ``done``,
        ``numbers``, the ``colors`` of the labels, and the paths of ``annotated`` and ``table``."""
        clip = self._clips.get(name) if isinstance(name, str) else None
        if clip is None:
            return {"failed": True, "done": True, "message": "This clip has been forgotten."}
        clip.asked = time.monotonic()
        if clip.error is not None:
            self.forget(clip.name)
            return {
                "failed": True,
                "done": True,
                "message": f"This clip cannot be read. {clip.error}",
            }
        if clip.result is None:
            progress = clip.progress
            return {
                "failed": False, "done": False, "message": "",
                "fraction": progress and progress.fraction,
                "seconds": progress.time if progress else 0.0,
            }  # fmt: skip
        recognizer = clip.recognizer
        return {
            "failed": False, "done": True, "message": _message(clip.result),
            "numbers": clip_numbers(clip.result, recognizer.name, recognizer.decision),
            "colors": label_colors(recognizer.label_names),
            "annotated": str(clip.result.annotated), "table": str(clip.result.table),
        }  # fmt: skip

    def forget(self, name: object) -> None:
        """Drop a clip with all its files, at once or after the step that is being taken."""
        clip = self._clips.pop(name, None) if isinstance(name, str) else None
        if clip is None:
            return
        clip.unwanted = True
        if clip.ended.is_set():
            shutil.rmtree(clip.folder, ignore_errors=True)

    async def _read(self, clip: Clip) -> None:
        steps: Steps | None = None
        try:
            steps = await self._turn(clip, lambda: self._open(clip))
            while clip.result is None and not clip.unwanted:
                self._advanced(clip, await self._turn(clip, lambda: advance(steps)))
        except FerError as error:
            clip.error = error
        except Exception:
            logging.getLogger(__name__).exception("a clip could not be read")
            clip.error = FerError("The server failed over it.")
        finally:
            if steps is not None:
                steps.close()
            for file in clip.folder.glob("clip.*"):  # read: only the answers are kept
                file.unlink()
            clip.ended.set()
            await asyncio.to_thread(give_back)
        while clip.name in self._clips and time.monotonic() - clip.asked < self.left_after:
            await asyncio.sleep(self.left_after / 10)
        self.forget(clip.name)
        shutil.rmtree(clip.folder, ignore_errors=True)

    async def _turn(self, clip: Clip, work: Callable[[], Any]) -> Any:
        while True:
            if time.monotonic() - clip.asked > self.left_after:
                clip.unwanted = True
                raise FerError("The visitor has left.")
            try:
                return await self.turns.run(clip.visitor, work, background=True)
            except BusyError:
                await asyncio.sleep(0.2)

    def _open(self, clip: Clip) -> Steps:
        (file,) = clip.folder.glob("clip*")
        with ClipReader(file, MAX_PIXELS) as reader:
            every = max(1, round(reader.fps / READ_RATE))
        return analyse(
            file, clip.recognizer, self.detector, annotated=clip.folder / "annotated.webm",
            explained=clip.explained, table=clip.folder / "faces.csv", every=every,
            smoother=clip.smoothing, max_seconds=MAX_SECONDS, max_pixels=MAX_PIXELS,
        )  # fmt: skip

    @staticmethod
    def _advanced(clip: Clip, reached: Progress | ClipResult) -> None:
        if isinstance(reached, ClipResult):
            clip.result = reached
        else:
            clip.progress = reached


def advance(steps: Steps, seconds: float = STEP) -> Progress | ClipResult:
    """Take steps for some time; the last progress, or the result where the clip ends."""
    end = time.perf_counter() + seconds
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            result: ClipResult = stop.value
            return result
        if time.perf_counter() >= end:
            return progress


def _message(result: ClipResult) -> str:
    faces = len(result.tracks)
    found = "No face was found" if not faces else "One face" if faces == 1 else f"{faces} faces"
    return f"{found} in {result.seconds:.1f} seconds."
