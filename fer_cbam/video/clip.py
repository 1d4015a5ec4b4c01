"""Clips as streams: frames with their times in, a WebM that browsers play out.

Read is what OpenCV's FFmpeg reads from the containers named below, told by their first bytes: a
playlist (HLS, DASH, concat) would make FFmpeg open whatever files and addresses it names. Frames
come upright and with the times that the file gives them, so that a variable frame rate is right.
Pictures that are mirrored as well as turned are known in MP4 and MOV only, which is where cameras
write them.

Written is VP8 in WebM: of what the wheels of opencv-python-headless can encode, Chromium plays VP8
and VP9, and VP9 takes ten times as long; H.264 and AV1 have no encoder there, and browsers do not
play MPEG-4 part 2 or Motion JPEG. There is no sound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_cbam.errors import VideoError
from fer_cbam.video.mp4 import read_track

FORMATS = ("MP4", "MOV", "WebM", "MKV", "AVI", "MPEG", "Ogg", "FLV")
MAX_PIXELS = 36_000_000  # of a frame: 8K, 108 MB as RGB
MAX_STILL = 1.0  # seconds for which one frame is drawn; a file may claim that it stands for days
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# FFmpeg takes a "%d" in the name of anything that may be a picture for a row of numbered files.
_SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts",
             ".mts", ".m2ts", ".ogv", ".ogg", ".flv")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Frame:
    """number: from 0. time: seconds from the first frame. image: RGB uint8 ``(H, W, 3)``, upright,
    or None if it was not asked for."""

    number: int
    time: float
    image: np.ndarray | None


class ClipReader:
    """One pass through a clip, a frame at a time; nothing is kept. Use it in a ``with`` block.

    max_pixels: a clip with larger frames is refused before one is decoded to RGB.

    width, height: in pixels, upright. fps: frames a second as the file declares them, 0 where it
    declares nonsense. declared_frames, declared_seconds: 0 where it does not say; files often
    overstate them by a few frames.

    Raises:
        VideoError: no file, no clip, or none of the containers of ``FORMATS``.
    """

    def __init__(self, path: str | Path, max_pixels: int = MAX_PIXELS) -> None:
        self.path = Path(path)
        _check_container(self.path)
        self._capture = cv2.VideoCapture()
        # One thread: a server has other visitors, and each thread holds frames.
        options = [cv2.CAP_PROP_N_THREADS, 1]
        try:
            opened = self._capture.open(str(self.path.resolve()), cv2.CAP_FFMPEG, options)
        except cv2.error:
            opened = False
        if not opened:
            raise VideoError(
                f"{self.path.name}: damaged or cut short, sound alone, or coded in a way that is "
                "not read here; expected a whole clip, such as H.264 in MP4"
            )
        self._track = read_track(self.path)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0 if self._track else 1)
        self.width, self.height = self._size()
        if not 0 < self.width * self.height <= max_pixels:
            self.close()
            raise VideoError(
                f"{self.path.name}: frames of {self.width} x {self.height} pixels; expected at "
                f"least one and at most {max_pixels} pixels"
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and 1 <= fps <= 240 else 0.0
        self.declared_frames, self.declared_seconds = self._declared()

    def _size(self) -> tuple[int, int]:
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        return (height, width) if self._track and self._track.transposes else (width, height)

    def _declared(self) -> tuple[int, float]:
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if not (self.fps and 0 < count < 1e9):
            return 0, 0.0
        seconds = count / self.fps
        if self._track and self._track.seconds:  # the frames of an MP4 that was trimmed are hidden
            seconds = min(seconds, self._track.seconds)
        return round(seconds * self.fps), seconds

    def _starts_at(self, start: float) -> None:
        """What is declared is counted from 0, and what is read from the time of the first frame."""
        if 0 < start < self.declared_seconds:
            self.declared_seconds -= start
            self.declared_frames = round(self.declared_seconds * self.fps)

    def frames(self, every: int = 1, all_images: bool = True) -> Iterator[Frame]:
        """Frames in order; ends where the clip ends or cannot be decoded any further.

        all_images: False gives only every n-th frame its image, the others None.

        Raises:
            VideoError: not even the first frame can be decoded.
        """
        number, start, time = 0, 0.0, 0.0
        usual = 1 / (self.fps or 25.0)
        while self._capture.grab():
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if number == 0:
                start = stamp if math.isfinite(stamp) else 0.0
                self._starts_at(start)
            else:
                # Some files have no times, or some twice: then the declared rate must do.
                passed = stamp - start
                time = passed if math.isfinite(passed) and passed > time else time + usual
            image = None
            if all_images or number % every == 0:
                decoded, bgr = self._capture.retrieve()
                if not decoded:
                    break
                image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                if self._track is not None:
                    image = self._track.upright(image)
            yield Frame(number, time, image)
            number += 1
        if number == 0:
            raise VideoError(
                f"{self.path.name}: no frame can be decoded (its pictures are {self._coding()}); "
                "expected a clip with at least one, such as H.264 in MP4"
            )

    def _coding(self) -> str:
        """The name of the clip's codec."""
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        name = code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
        if not name.isprintable() or not name:
            return "of no known coding"
        return {"av01": "AV1, which is not read here", "AV01": "AV1, which is not read here"}.get(
            name, repr(name)
        )

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_container(path: Path) -> None:
    if not path.is_file():
        raise VideoError(f"{path}: no such file; expected a clip")
    with path.open("rb") as file:
        head = file.read(64 * 1024)
    if not head:
        raise VideoError(f"{path.name}: 0 bytes; expected a clip ({', '.join(FORMATS)})")
    if not _is_container(head):
        raise VideoError(f"{path.name}: not a clip; expected {', '.join(FORMATS)}")
    if "%" in path.name and path.suffix.lower() not in _SUFFIXES:
        raise VideoError(
            f"{path.name}: a name with % and the ending {path.suffix!r}; expected one of a clip, "
            "such as .mp4"
        )


def _is_container(head: bytes) -> bool:
    mpeg_ts = any(len(head) > at + 2 * step and head[at] == head[at + step] == head[at + 2 * step]
                  == 0x47 for at, step in ((0, 188), (4, 192)))  # fmt: skip
    return (
        head[4:8] in _ATOMS
        or head[:4] in (b"\x1a\x45\xdf\xa3", b"OggS", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\x01")
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or mpeg_ts
    )


class ClipWriter:
    """Frames with their times -> VP8 in WebM, without sound. Use it in a ``with`` block.

    path: ends in ``.webm``. fps: of the written clip, at most 60. Frames may come at any times:
    each step of the clip shows the frame nearest to it, so that a variable rate stays in time. A
    frame is shown for ``MAX_STILL`` seconds at most, so that no gap in the times of a file makes
    endless work; left_out: seconds that were dropped for it.
    All are written at the size of the first (to an even number of pixels; VP8 halves its colours).
    The file appears under its name when it is complete; a block that is left by an exception leaves
    none.

    Raises:
        VideoError: another ending, or this OpenCV has no VP8.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        self.path = check_written(path)
        self.fps = min(max(fps, 1.0), 60.0)
        self._part = self.path.with_name(f"{self.path.stem}.part.webm")
        self._writer: cv2.VideoWriter | None = None
        self.left_out = 0.0
        self._size = (0, 0)
        self._waiting: np.ndarray | None = None  # the newest frame; shown until the next comes
        self._written = 0

    def write(self, image: np.ndarray, time: float) -> None:
        """image: RGB uint8 ``(H, W, 3)``. time: seconds from the start, not running backwards."""
        for _ in self.steps(image, time):
            pass

    def steps(self, image: np.ndarray, time: float) -> Iterator[None]:
        """`write`, a written frame for each step: others may have a turn in between."""
        if self._writer is None:
            self._open(image.shape[1], image.shape[0])
        yield from self._repeat(self._step(time))
        height, width = image.shape[:2]
        if (width - width % 2, height - height % 2) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        self._waiting = image[: self._size[1], : self._size[0]]

    def close(self) -> None:
        """Write what is left and give the file its name; without a frame there is none."""
        if self._writer is None:
            return
        for _ in self._repeat(self._written + 1):
            pass
        self._writer.release()
        self._writer = None
        self._part.replace(self.path)

    def discard(self) -> None:
        """Leave no file."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        with suppress(FileNotFoundError):
            self._part.unlink()

    def _open(self, width: int, height: int) -> None:
        # FFmpeg makes a file of 2 x 2 pixels that it cannot read.
        self._size = max(4, width - width % 2), max(4, height - height % 2)
        code = cv2.VideoWriter.fourcc(*"VP80")
        writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, code, self.fps, self._size)
        if not writer.isOpened():
            raise VideoError(
                f"{self.path}: cannot be written; expected a folder that may be written to and an "
                "OpenCV with VP8 (opencv-python-headless has it)"
            )
        self._writer = writer

    def _step(self, time: float) -> int:
        """The step of the clip that a time falls on, once what is left out has been dropped."""
        step = round((time - self.left_out) * self.fps)
        latest = self._written + round(MAX_STILL * self.fps)
        if self._waiting is not None and step > latest:
            self.left_out += (step - latest) / self.fps
            step = latest
        return step

    def _repeat(self, until: int) -> Iterator[None]:
        """Show the newest frame up to, not including, a step of the clip: one frame a step."""
        if self._waiting is None or self._writer is None or self._written >= until:
            return
        bgr = cv2.cvtColor(self._waiting, cv2.COLOR_RGB2BGR)
        while self._written < until:
            self._writer.write(bgr)
            self._written += 1
            yield

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def check_written(path: str | Path) -> Path:
    """The path of a clip that is to be written.

    Raises:
        VideoError: it does not end in ``.webm``.
    """
    path = Path(path)
    if path.suffix.lower() != ".webm":
        raise VideoError(f"{path}: annotated clips are WebM; expected a name that ends in .webm")
    return path
