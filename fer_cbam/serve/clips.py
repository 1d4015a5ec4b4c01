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
from typing import Any, TypeVar

from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError
from fer_cbam.physiology.pulse import LOWEST_RATE
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve.clip_numbers import clip_numbers
from fer_cbam.serve.memory import give_back
from fer_cbam.serve.modalities import Modalities
from fer_cbam.serve.page import label_colors
from fer_cbam.serve.turns import BusyError, Turns
from fer_cbam.transcripts import Transcript
from fer_cbam.video.analysis import ClipResult, Progress, analyse
from fer_cbam.video.clip import ClipReader
from fer_cbam.video.together import Beside, hearing, read

MAX_CLIPS = 8  # at once, of all visitors
MAX_SECONDS = 600.0  # of a clip; a note says that the rest was left out
MAX_PIXELS = 9_000_000  # of a frame: 4K
READ_RATE = 12.0  # frames a second that are searched; boxes are held in between
STEP = 0.05  # seconds of one turn
LEFT_AFTER = 20.0  # seconds without a question after which a visitor has left

Steps = Generator[Progress, None, ClipResult]
Step = TypeVar("Step")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Wanted:
    """What is asked of a clip. explained: a heatmap in its annotated copy. smoothing: name of a
    smoother, None for the weights' own. audio: the voice. pulse: heart rates. transcript: what is
    said in it."""

    explained: bool = False
    smoothing: str | None = None
    audio: bool = False
    pulse: bool = False
    transcript: Transcript | None = None


@dataclass(eq=False)
class Clip:
    """A clip on its way. asked: when its visitor last asked after it."""

    name: str
    folder: Path
    visitor: str
    recognizer: EmotionRecognizer
    wanted: Wanted
    asked: float
    progress: Progress | None = None
    result: ClipResult | None = None
    error: FerError | None = None
    unwanted: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Clips:
    """All clips of a server. folder: for their files. detector: None for the default one.
    modalities: networks for voices and words."""

    def __init__(
        self,
        turns: Turns,
        folder: Path,
        detector: FaceDetector | None = None,
        left_after: float = LEFT_AFTER,
        modalities: Modalities | None = None,
    ):
        self.turns = turns
        self.detector = detector
        self.modalities = modalities or Modalities()
        self.left_after = left_after
        self._folder = folder
        self._clips: dict[str, Clip] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self, file: Path, recognizer: EmotionRecognizer, visitor: str, wanted: Wanted = Wanted()
    ) -> Clip:
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
        clip = Clip(name, folder, visitor, recognizer, wanted, time.monotonic())
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
            "colors": label_colors(_labels(recognizer, clip.result)),
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
            beside = await self._beside(clip)
            steps = await self._turn(clip, lambda: self._open(clip, beside))
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

    async def _beside(self, clip: Clip) -> Beside:
        """What is heard and read, a little at a time too."""
        beside, said = Beside(), clip.wanted.transcript
        if clip.wanted.audio:
            (file,) = clip.folder.glob("clip*")
            voice = await self._turn(clip, self.modalities.voice)
            steps = hearing(file, voice, MAX_SECONDS)
            while (heard := await self._turn(clip, lambda: advance(steps))) is None:
                pass
            beside = heard
        if said is not None:
            words = await self._turn(clip, lambda: read(said, self.modalities.text()))
            beside = beside.and_also(words)
        return beside

    def _open(self, clip: Clip, beside: Beside) -> Steps:
        (file,) = clip.folder.glob("clip*")
        wanted = clip.wanted
        with ClipReader(file, MAX_PIXELS) as reader:
            every = _every(reader.fps, wanted.pulse)
        return analyse(
            file, clip.recognizer, self.detector, annotated=clip.folder / "annotated.webm",
            explained=wanted.explained, table=clip.folder / "faces.csv", every=every,
            smoother=wanted.smoothing, max_seconds=MAX_SECONDS, max_pixels=MAX_PIXELS,
            pulse=wanted.pulse, beside=beside,
        )  # fmt: skip

    @staticmethod
    def _advanced(clip: Clip, reached: Progress | ClipResult) -> None:
        if isinstance(reached, ClipResult):
            clip.result = reached
        else:
            clip.progress = reached


def advance(steps: Generator[Step, None, Result], seconds: float = STEP) -> Step | Result:
    """Take steps for some time; what the last one yields, or the result where they end."""
    end = time.perf_counter() + seconds
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if time.perf_counter() >= end:
            return progress


def _every(fps: float, pulse: bool) -> int:
    """Each how manieth frame is searched. A pulse needs no fewer than ``LOWEST_RATE`` a second."""
    if pulse:
        return max(1, int(fps / (LOWEST_RATE + 0.5)))
    return max(1, round(fps / READ_RATE))


def _labels(recognizer: EmotionRecognizer, result: ClipResult) -> list[str]:
    """Those of the face's weights, then those that only others know."""
    points = [point for points in result.beside.values() for point in points[:1]]
    others = [label for point in points for label in point.probs or ()]
    return list(dict.fromkeys([*recognizer.label_names, *others]))


def _message(result: ClipResult) -> str:
    faces = len(result.tracks)
    found = "No face was found" if not faces else "One face" if faces == 1 else f"{faces} faces"
    return f"{found} in {result.seconds:.1f} seconds."
