"""MP4 boxes made by hand, and those that OpenCV writes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.video import mp4
from fer_cbam.video.mp4 import VideoTrack, read_track
from tests.video.clips import box, corners, edit, matrix, plain, put, write_clip

UPRIGHT = ((1, 0), (0, 1))
ONE = 1 << 16
SQUARE = struct.pack(">9i", ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)


def mvhd(ticks: int, version: int = 0, turn: bytes = SQUARE) -> bytes:
    times = struct.pack(">IIII" if version == 0 else ">QQIQ", 7, 7, ticks, 99 * ticks)
    return box(b"mvhd", bytes([version, 0, 0, 0]) + times + bytes(16) + turn + bytes(28))


def tkhd(duration: int, version: int = 0, turn: bytes = SQUARE) -> bytes:
    times = struct.pack(">IIIII" if version == 0 else ">QQIIQ", 7, 7, 1, 0, duration)
    return box(b"tkhd", bytes([version, 0, 0, 1]) + times + bytes(16) + turn + bytes(8))


def trak(header: bytes, handler: bytes = b"vide") -> bytes:
    return box(b"trak", header + box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(13))))


def saved(tmp_path: Path, *boxes: bytes) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"".join(boxes))
    return path


def test_what_opencv_writes(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [plain(9)] * 10, fps=25)
    assert read_track(path) == VideoTrack(UPRIGHT, 0.4)


@pytest.mark.parametrize("version", [0, 1])
def test_seconds_are_ticks_of_the_movie(tmp_path, version):
    movie = box(b"moov", mvhd(600, version) + trak(tkhd(900, version)))
    assert read_track(saved(tmp_path, box(b"ftyp", b"isom"), movie)) == VideoTrack(UPRIGHT, 1.5)


@pytest.mark.parametrize(
    "ticks, duration, version",
    [(0, 900, 0), (600, 0, 0), (600, 2**32 - 1, 0), (600, 2**64 - 1, 1)],
)
def test_no_seconds_are_said(tmp_path, ticks, duration, version):
    movie = box(b"moov", mvhd(ticks) + trak(tkhd(duration, version)))
    assert read_track(saved(tmp_path, movie)) == VideoTrack(UPRIGHT, 0.0)


def test_long_durations_are_no_unknown_ones(tmp_path):
    movie = box(b"moov", mvhd(1000) + trak(tkhd(2**32 - 1, version=1)))
    track = read_track(saved(tmp_path, movie))
    assert track is not None and track.seconds == (2**32 - 1) / 1000


def test_the_first_video_track_counts(tmp_path):
    movie = box(
        b"moov",
        mvhd(100) + box(b"free", bytes(5))
        + trak(tkhd(100), b"soun") + trak(tkhd(200)) + trak(tkhd(300)),
    )  # fmt: skip
    track = read_track(saved(tmp_path, movie))
    assert track is not None and track.seconds == 2
    assert read_track(saved(tmp_path, box(b"moov", mvhd(1) + trak(tkhd(1), b"soun")))) is None


def test_long_boxes_and_one_to_the_end(tmp_path):
    """A length of 1 has the real one behind the kind, in 8 bytes; 0 is all that is left."""
    content = mvhd(100) + trak(tkhd(150))
    long = struct.pack(">I4sQ", 1, b"mdat", 16 + 40) + bytes(40)
    long_movie = struct.pack(">I4sQ", 1, b"moov", 16 + len(content)) + content
    rest = struct.pack(">I4s", 0, b"moov") + content
    for movie in (long_movie, rest):
        track = read_track(saved(tmp_path, long, movie))
        assert track is not None and track.seconds == 1.5


@pytest.mark.parametrize("length", [2, 7])
def test_a_box_shorter_than_its_head_ends_the_search(tmp_path, length):
    broken = struct.pack(">I4s", length, b"free")
    movie = box(b"moov", mvhd(100) + trak(tkhd(150)))
    assert read_track(saved(tmp_path, broken, movie)) is None
    short = struct.pack(">I4sQ", 1, b"free", 15) + bytes(24)
    assert read_track(saved(tmp_path, short, movie)) is None


def test_cut_short_anywhere_is_none_or_the_same(tmp_path):
    movie = box(b"moov", mvhd(100) + trak(tkhd(150)))
    for length in range(len(movie)):
        assert read_track(saved(tmp_path, movie[:length])) in (None, VideoTrack(UPRIGHT, 1.5))
    assert read_track(saved(tmp_path, movie[: len(movie) // 2])) is None
    assert read_track(saved(tmp_path, box(b"moov", mvhd(100)[:40]))) is None
    assert read_track(saved(tmp_path, box(b"moov", trak(tkhd(1))))) is None
    assert read_track(saved(tmp_path, box(b"moov", box(b"mvhd", b"") + trak(tkhd(1))))) is None


def test_not_endless_in_a_file_of_nothing_but_boxes(tmp_path, monkeypatch):
    movie = box(b"moov", mvhd(100) + trak(tkhd(150)))
    path = saved(tmp_path, *[box(b"free", b"")] * 5, movie)
    assert read_track(path) is not None
    monkeypatch.setattr(mp4, "_MOST_BOXES", 5)
    assert read_track(path) is None


def test_no_mp4(tmp_path):
    assert read_track(saved(tmp_path, b"\x1a\x45\xdf\xa3" + bytes(200))) is None
    assert read_track(saved(tmp_path, b"")) is None


WAYS = {  # a, b, c, d of the matrix -> how the picture is shown
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): lambda p: p[:, ::-1],
    (-1, 0, 0, -1): lambda p: p[::-1, ::-1],
    (1, 0, 0, -1): lambda p: p[::-1],
    (0, 1, 1, 0): lambda p: p.transpose(1, 0, 2),
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),  # clockwise, as phones that are held upright
    (0, -1, -1, 0): lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    (0, -1, 1, 0): lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("numbers", WAYS)
def test_all_eight_ways(tmp_path, numbers):
    path = write_clip(tmp_path / "a.mp4", [plain(9)] * 2)
    track = read_track(edit(path, {b"tkhd": matrix(*numbers)}))
    assert track is not None and track.transposes == (numbers[0] == 0)
    shown = track.upright(corners())
    np.testing.assert_array_equal(shown, WAYS[numbers](corners()))
    assert shown.flags.c_contiguous


def test_the_matrix_of_the_movie_comes_after_that_of_the_track(tmp_path):
    """Mirrored left and right, then turned by a quarter: (x, y) -> (-x, y) -> (-y, -x)."""
    path = write_clip(tmp_path / "a.mp4", [plain(9)] * 2)
    changes = {b"tkhd": matrix(-1, 0, 0, 1), b"mvhd": matrix(0, 1, -1, 0, at=36)}
    track = read_track(edit(path, changes))
    assert track is not None
    np.testing.assert_array_equal(
        track.upright(corners()), np.rot90(corners()[:, ::-1], -1)
    )  # fmt: skip


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0, 0), (1, 1, 0, 1), (1, 0, 1, 0), (2, 0, 0, 2), (1, 1, -1, 1)]
)
def test_a_matrix_that_is_no_turn_by_quarters(tmp_path, numbers):
    path = write_clip(tmp_path / "a.mp4", [plain(9)] * 2)
    assert read_track(edit(path, {b"tkhd": matrix(*numbers)})) is None


def test_nearly_a_quarter_is_one(tmp_path):
    """A matrix of cosines and sines is rarely 0 or 1 to the last bit."""
    path = write_clip(tmp_path / "a.mp4", [plain(9)] * 2)
    track = read_track(edit(path, {b"tkhd": put(40, ">2i", ONE - 1, 3)}))
    assert track is not None and track.turn == UPRIGHT
