"""What an MP4 or QuickTime file says of its picture: which way up it is, and how long it shows.

OpenCV reads neither mirrored pictures nor edit lists, by which a phone trims a clip without writing
it anew. Both stand in a few fixed places of the file: ISO/IEC 14496-12, sections 8.2.2 (``mvhd``),
8.3.2 (``tkhd``) and 8.4.3 (``hdlr``), https://www.iso.org/standard/83102.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

_MOST_BOXES = 10_000  # of one level; a file can be made of nothing else
_LONGEST_HEADER = 256  # bytes of a box that are read


@dataclass(frozen=True)
class VideoTrack:
    """The first video track.

    turn: ``(2, 2)``, each entry -1, 0 or 1: stored x and y -> shown x and y (both from left and
    top). seconds: how long it shows; 0 where the file does not say.
    """

    turn: tuple[tuple[int, int], tuple[int, int]]
    seconds: float

    @property
    def transposes(self) -> bool:
        """Whether width and height change places."""
        return self.turn[0][0] == 0

    def upright(self, image: np.ndarray) -> np.ndarray:
        """A stored picture ``(H, W, 3)`` as it is shown; ``(W, H, 3)`` where it transposes."""
        if self.transposes:
            image = image.swapaxes(0, 1)
        right, down = sum(self.turn[0]), sum(self.turn[1])
        return np.ascontiguousarray(image[::down, ::right])


def read_track(path: Path) -> VideoTrack | None:
    """The first video track of a file; None if it has none, is no MP4, or turns its picture by
    anything but quarters."""
    with path.open("rb") as file:
        try:
            return _first_video(file, path.stat().st_size)
        except (struct.error, IndexError):  # cut short
            return None


def _first_video(file: BinaryIO, size: int) -> VideoTrack | None:
    movie = _find(file, b"moov", 0, size)
    header = movie and _find(file, b"mvhd", *movie)
    if movie is None or header is None:
        return None
    movie_matrix, _, ticks = _header(_content(file, *header), matrix=36, duration=16)
    for kind, start, end in _boxes(file, *movie):
        media = _find(file, b"mdia", start, end) if kind == b"trak" else None
        handler = media and _find(file, b"hdlr", *media)
        track = _find(file, b"tkhd", start, end)
        if handler and track and _content(file, *handler)[8:12] == b"vide":
            matrix, duration, _ = _header(_content(file, *track), matrix=40, duration=20)
            turn = _quarters(matrix @ movie_matrix)
            return turn and VideoTrack(turn, duration / ticks if ticks else 0.0)
    return None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of the boxes between two places."""
    return islice(_all_boxes(file, start, end), _MOST_BOXES)


def _all_boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:  # a long one
            (length,) = struct.unpack(">Q", file.read(8))
            head = 16
        elif length == 0:  # to the end
            length = end - start
        if length < head:
            return
        yield kind, start + head, min(start + length, end)
        start += length


def _find(file: BinaryIO, kind: bytes, start: int, end: int) -> tuple[int, int] | None:
    return next((box[1:] for box in _boxes(file, start, end) if box[0] == kind), None)


def _content(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(min(end - start, _LONGEST_HEADER))


def _header(content: bytes, matrix: int, duration: int) -> tuple[np.ndarray, int, int]:
    """The upper left ``(2, 2)`` of the matrix, the duration, and the number before it (of ``mvhd``
    the ticks a second). matrix, duration: where they lie in version 0. Times take 8 bytes instead
    of 4 in version 1, and two of them lie before the duration."""
    long = content[0] == 1
    at = duration + 8 * long
    (length,) = struct.unpack_from(">Q" if long else ">I", content, at)
    if length == (2**64 - 1 if long else 2**32 - 1):  # unknown
        length = 0
    (before,) = struct.unpack_from(">I", content, at - 4)
    a, b, _, c, d = struct.unpack_from(">5i", content, matrix + 12 * long)
    return np.array([[a, b], [c, d]], np.float64) / 2**16, length, before


def _quarters(matrix: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """A matrix (stored x, y as a row) @ matrix = shown x, y -> the same for columns, in whole
    numbers; None if it is not a turn by quarters, mirrored or not."""
    turn = np.rint(matrix.T).astype(int)
    if not (np.abs(turn).sum(0) == 1).all() or not (np.abs(turn).sum(1) == 1).all():
        return None
    (a, c), (b, d) = turn.tolist()
    return (a, c), (b, d)
