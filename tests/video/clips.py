"""Small clips made by the tests: OpenCV writes them, then the boxes of an MP4 are edited."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

PARENTS = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl")


def plain(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def corners(width: int = 96, height: int = 64) -> np.ndarray:
    """Black, with red at the left top, green at the right top, blue at the left bottom."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2, 0] = 255
    image[: height // 2, width // 2 :, 1] = 255
    image[height // 2 :, : width // 2, 2] = 255
    return image


def write_clip(path: Path, images: Iterable[np.ndarray], fps: float = 25, code="mp4v") -> Path:
    writer = None
    for image in images:
        if writer is None:
            size = image.shape[1], image.shape[0]
            fourcc = cv2.VideoWriter.fourcc(*code)
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, size)
            assert writer.isOpened()
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    return path


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def edit(path: Path, changes: dict[bytes, Callable[[bytes], bytes]]) -> Path:
    """Change the content of boxes by their kind, in a file whose ``moov`` comes last."""
    path.write_bytes(_edited(path.read_bytes(), changes))
    return path


def _edited(data: bytes, changes: dict[bytes, Callable[[bytes], bytes]]) -> bytes:
    out, at = b"", 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + length]
        if kind in PARENTS:
            content = _edited(content, changes)
        out += box(kind, changes.get(kind, lambda same: same)(content))
        at += length
    return out


def put(at: int, layout: str, *values: int) -> Callable[[bytes], bytes]:
    """Write big-endian numbers into the content of a box."""

    def change(content: bytes) -> bytes:
        size = struct.calcsize(layout)
        return content[:at] + struct.pack(layout, *values) + content[at + size :]

    return change


def matrix(a: int, b: int, c: int, d: int, at: int = 40) -> Callable[[bytes], bytes]:
    """A display matrix of whole numbers; 40 is where ``tkhd`` has it, 36 where ``mvhd``."""
    one = 1 << 16
    return put(at, ">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)


def durations(ticks: Sequence[int]) -> Callable[[bytes], bytes]:
    """``stts`` with a time for each frame."""
    entries = b"".join(struct.pack(">II", 1, value) for value in ticks)
    return lambda _old: struct.pack(">II", 0, len(ticks)) + entries
