"""Clips in and out: their times, their way up, what breaks off and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.errors import VideoError
from fer_cbam.video import clip
from fer_cbam.video.clip import ClipReader, ClipWriter, Frame, check_written
from tests.video.clips import corners, durations, edit, matrix, plain, put, write_clip
from tests.video.test_mp4 import WAYS


def read(path: Path, **options) -> list[Frame]:
    with ClipReader(path) as reader:
        return list(reader.frames(**options))


def levels(frames: list[Frame]) -> list[float]:
    return [float(f.image.mean()) for f in frames if f.image is not None]


def times(frames: list[Frame]) -> list[float]:
    return [f.time for f in frames]


@pytest.fixture
def ramp(tmp_path) -> Path:
    """Ten frames at 25 a second, each 20 grey levels lighter than the last."""
    return write_clip(tmp_path / "ramp.mp4", [plain(20 * i) for i in range(10)])


class FakeCapture:
    """A decoder that says what it is told: stamps in seconds, None for a frame that is damaged."""

    def __init__(self, stamps, **properties) -> None:
        self.stamps, self.properties = list(stamps), properties
        self.at, self.options, self.released = -1, [], False

    def open(self, *arguments) -> bool:
        self.options = list(arguments[2])
        return True

    def set(self, *_) -> bool:
        return True

    def get(self, what: int) -> float:
        if what == cv2.CAP_PROP_POS_MSEC:
            return 1000 * (self.stamps[self.at] or 0)
        names = {
            cv2.CAP_PROP_FRAME_WIDTH: ("width", 64), cv2.CAP_PROP_FRAME_HEIGHT: ("height", 48),
            cv2.CAP_PROP_FPS: ("fps", 25.0), cv2.CAP_PROP_FRAME_COUNT: ("count", 0.0),
            cv2.CAP_PROP_FOURCC: ("code", 0.0),
        }  # fmt: skip
        name, default = names[what]
        return self.properties.get(name, default)

    def grab(self) -> bool:
        self.at += 1
        return self.at < len(self.stamps)

    def retrieve(self):
        whole = self.stamps[self.at] is not None
        return whole, plain(7) if whole else None

    def release(self) -> None:
        self.released = True


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A reader whose decoder is made up; the file only looks like a clip."""

    def make(stamps=(0.0,), max_pixels=clip.MAX_PIXELS, **properties) -> ClipReader:
        path = tmp_path / "fake.webm"
        path.write_bytes(b"\x1a\x45\xdf\xa3")
        monkeypatch.setattr(cv2, "VideoCapture", lambda: FakeCapture(stamps, **properties))
        return ClipReader(path, max_pixels)

    return make


def test_frames_in_order_with_their_times(ramp):
    with ClipReader(ramp) as reader:
        assert (reader.width, reader.height, reader.fps) == (64, 48, 25)
        assert (reader.declared_frames, reader.declared_seconds) == (10, 0.4)
        frames = list(reader.frames())
    assert [f.number for f in frames] == list(range(10))
    assert times(frames) == pytest.approx([i / 25 for i in range(10)])
    assert levels(frames) == pytest.approx([20 * i for i in range(10)], abs=4)


def test_colours_are_rgb(tmp_path):
    image = plain(0)
    image[..., 0] = 255
    (frame,) = read(write_clip(tmp_path / "red.mp4", [image]))
    assert frame.image.dtype == np.uint8
    assert frame.image.mean((0, 1)) == pytest.approx((255, 0, 0), abs=8)


@pytest.mark.parametrize("every, kept", [(1, range(10)), (3, (0, 3, 6, 9)), (20, (0,))])
def test_only_each_nth_image_is_asked_for(ramp, every, kept):
    frames = read(ramp, every=every, all_images=False)
    assert [f.number for f in frames if f.image is not None] == list(kept)
    assert times(frames) == pytest.approx([i / 25 for i in range(10)])
    assert all(f.image is not None for f in read(ramp, every=every))


def test_a_variable_rate(ramp):
    """Steps of 0.04 s and of 0.2 s in one file; its clock has 12800 ticks a second."""
    ticks = [512, 512, 2560, 2560, 512, 512, 512, 512, 512, 512]
    shown = put(8, ">I", 1000 * sum(ticks) // 12800)
    edit(ramp, {b"stts": durations(ticks), b"elst": shown})
    expected = np.cumsum([0, *ticks[:-1]]) / 12800
    assert times(read(ramp)) == pytest.approx(expected.tolist(), abs=1e-3)


def test_times_that_repeat_run_backwards_or_are_none(fake):
    """The declared rate must do where a time does not move on."""
    with fake([0, 0.04, 0.04, 0.02, math.nan, 0.5, math.inf]) as reader:
        expected = [0, 0.04, 0.08, 0.12, 0.16, 0.5, 0.54]
        assert times(list(reader.frames())) == pytest.approx(expected)
    with fake([math.nan, 0.04]) as reader:
        assert times(list(reader.frames())) == [0, 0.04]


@pytest.mark.parametrize("fps, step", [(50.0, 0.02), (0.0, 0.04)])
def test_no_times_at_all(fake, fps, step):
    with fake([0, 0, 0], fps=fps) as reader:
        assert times(list(reader.frames())) == pytest.approx([0, step, 2 * step])


def test_times_are_counted_from_the_first_frame(fake):
    """A Matroska file that was cut out of a recording: its duration is counted from 0."""
    with fake([3600, 3600.5, 3601], fps=2.0, count=7203) as reader:
        assert reader.declared_seconds == 3601.5
        assert times(list(reader.frames())) == [0, 0.5, 1]
        assert (reader.declared_frames, reader.declared_seconds) == (3, 1.5)
    with fake([90, 90.5], fps=2.0, count=10) as reader:  # a clock that has nothing to do with it
        assert times(list(reader.frames())) == [0, 0.5]
        assert (reader.declared_frames, reader.declared_seconds) == (10, 5)


@pytest.mark.parametrize(
    "declared, fps",
    [(24.0, 24.0), (1.0, 1.0), (240.0, 240.0), (0.99, 0), (240.1, 0), (math.nan, 0), (math.inf, 0)],
)
def test_rates_that_are_nonsense(fake, declared, fps):
    with fake(fps=declared, count=48) as reader:
        assert reader.fps == fps
        assert reader.declared_frames == (48 if fps else 0)
        assert reader.declared_seconds == (48 / fps if fps else 0)


@pytest.mark.parametrize("count", [0, -5, 1e9, math.nan])
def test_counts_that_are_nonsense(fake, count):
    with fake(count=count) as reader:
        assert (reader.declared_frames, reader.declared_seconds) == (0, 0)


def test_one_thread_decodes(fake):
    with fake() as reader:
        assert reader._capture.options == [cv2.CAP_PROP_N_THREADS, 1]
    assert reader._capture.released


def test_a_damaged_frame_ends_the_clip(fake):
    with fake([0, 0.04, None, 0.12]) as reader:
        assert [f.number for f in reader.frames()] == [0, 1]


def test_not_one_frame(fake):
    with fake([]) as reader, pytest.raises(VideoError, match=r"no frame can be.*no known coding"):
        list(reader.frames())
    code = int.from_bytes(b"hvc1", "little")
    with fake([], code=code) as reader, pytest.raises(VideoError, match="pictures are 'hvc1'"):
        list(reader.frames())


@pytest.mark.parametrize("width, height, most", [(64, 48, 3071), (0, 48, 3072), (64, 0, 3072)])
def test_frames_too_large_or_empty(fake, width, height, most):
    with pytest.raises(VideoError, match=rf"{width} x {height} pixels; expected .* most {most}"):
        fake(width=width, height=height, max_pixels=most)
    assert fake(max_pixels=3072).width == 64


def test_trimmed_without_being_written_anew(tmp_path):
    """An edit list shows the last 2 of 4 seconds; the samples before it stay in the file."""
    path = write_clip(tmp_path / "a.mp4", [plain(40 * (i // 10)) for i in range(40)], fps=10)
    ticks = 1000  # of the movie, in what OpenCV writes
    edit(path, {
        b"elst": put(8, ">Ii", 2 * ticks, 2 * 10240),
        b"tkhd": put(20, ">I", 2 * ticks), b"mvhd": put(16, ">I", 2 * ticks),
    })  # fmt: skip
    with ClipReader(path) as reader:
        assert (reader.declared_frames, reader.declared_seconds) == (20, 2)
        frames = list(reader.frames())
    assert len(frames) == 20 and levels(frames)[0] == pytest.approx(80, abs=4)
    assert times(frames) == pytest.approx([i / 10 for i in range(20)])


def test_a_track_that_says_more_than_its_frames(ramp):
    edit(ramp, {b"tkhd": put(20, ">I", 9000)})
    with ClipReader(ramp) as reader:
        assert (reader.declared_frames, reader.declared_seconds) == (10, 0.4)


@pytest.mark.parametrize("numbers", WAYS)
def test_all_eight_ways_up(tmp_path, numbers):
    path = edit(write_clip(tmp_path / "a.mp4", [corners()] * 2), {b"tkhd": matrix(*numbers)})
    expected = WAYS[numbers](corners())
    with ClipReader(path) as reader:
        assert (reader.height, reader.width) == expected.shape[:2]
        for frame in reader.frames():
            assert frame.image.shape == expected.shape
            wrong = np.abs(frame.image.astype(int) - expected) > 60
            assert wrong.mean() < 0.05  # along the edges of the four fields


def test_broken_off(tmp_path):
    """The index of an AVI promises all; its second half is not there."""
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(20)]
    path = write_clip(tmp_path / "a.avi", images, code="MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with ClipReader(path) as reader:
        assert reader.declared_frames == 20
        assert 5 <= len(list(reader.frames())) <= 12


def test_a_coding_that_is_not_read_is_named(tmp_path):
    """A whole clip whose pictures are said to be AV1, as screen recorders write them."""
    path = write_clip(tmp_path / "a.mp4", [plain(100)] * 3)
    path.write_bytes(path.read_bytes().replace(b"mp4v", b"av01").replace(b"esds", b"free"))
    with pytest.raises(VideoError, match=r"AV1, which is not read here.*such as H\.264"):
        read(path)


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("a.mp4", b"", "0 bytes; expected a clip"),
        ("a.mp4", b"no clip at all", "not a clip; expected MP4, MOV"),
        ("a.m3u8", b"#EXTM3U\n/etc/passwd\n", "not a clip"),
        ("a.mpd", b"<?xml version='1.0'?><MPD>", "not a clip"),
        ("a.txt", b"ffconcat version 1.0\nfile /etc/passwd\n", "not a clip"),
        ("a.wav", b"RIFF\0\0\0\0WAVEfmt ", "not a clip"),
        ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(600), "not a clip"),
        ("a.mp4", b"\0\0\0\x20ftypisom" + bytes(600), "damaged or cut short"),
        ("a%d.jpg", b"\0\0\0\x20ftypisom" + bytes(600), "name with % and the ending '.jpg'"),
    ],
)
def test_no_clip(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(VideoError, match=words):
        ClipReader(path)


def test_no_file(tmp_path):
    for path in (tmp_path / "a.mp4", tmp_path):
        with pytest.raises(VideoError, match="no such file; expected a clip"):
            ClipReader(path)


def test_a_percent_sign_in_the_name_of_a_clip(ramp):
    odd = ramp.rename(ramp.with_name("50%d done.MP4"))
    assert len(read(odd)) == 10


@pytest.mark.parametrize(
    "head",
    [
        *[bytes(4) + atom for atom in (b"ftyp", b"moov", b"mdat", b"wide")],
        *[bytes(4) + atom for atom in (b"free", b"skip", b"pnot")],
        b"\x1a\x45\xdf\xa3", b"OggS", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\x01", b"RIFF....AVI ",
        (b"\x47" + bytes(187)) * 3, bytes(4) + (b"\x47" + bytes(191)) * 3,
    ],
)  # fmt: skip
def test_containers_by_their_first_bytes(head):
    assert clip._is_container(head + bytes(400))


@pytest.mark.parametrize(
    "head",
    [
        b"ftyp" + bytes(4), b"RIFX....AVI ", b"RIFF....AVIX", b"FLV\x02",
        b"\x47" + bytes(600), (b"\x47" + bytes(187)) * 2 + bytes(400), (b"\x47" + bytes(191)) * 3,
        (b"\x47" + bytes(187)) * 2,
    ],
)  # fmt: skip
def test_what_only_looks_like_a_container(head):
    assert not clip._is_container(head)


# Written clips.


def written(path: Path, frames, fps: float) -> list[Frame]:
    with ClipWriter(path, fps) as writer:
        for image, time in frames:
            writer.write(image, time)
    return read(path)


def test_each_step_shows_the_frame_nearest_to_it(tmp_path):
    """At 10 a second: steps at 0, 0.1, 0.2, ...; frames at 0, 0.12, 0.38, 0.4."""
    frames = [(plain(40), 0.0), (plain(100), 0.12), (plain(160), 0.38), (plain(220), 0.4)]
    got = written(tmp_path / "a.webm", frames, 10)
    # 0.38 falls on the step of 0.4, where a nearer one follows.
    assert levels(got) == pytest.approx([40, 100, 100, 100, 220], abs=6)
    assert times(got) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=2e-3)


def test_one_frame_is_a_clip(tmp_path):
    assert levels(written(tmp_path / "a.webm", [(plain(90), 0.0)], 25)) == pytest.approx(
        [90], abs=4
    )


@pytest.mark.parametrize("asked, fps", [(25, 25), (60, 60), (240, 60), (0.1, 1)])
def test_rates_that_are_written(tmp_path, asked, fps):
    path = tmp_path / "a.webm"
    assert ClipWriter(path, asked).fps == fps
    written(path, [(plain(i), i / fps) for i in range(4)], asked)
    with ClipReader(path) as reader:
        assert reader.fps == pytest.approx(fps, rel=0.02)


def test_odd_sizes_lose_a_row_and_a_column(tmp_path):
    (frame,) = written(tmp_path / "a.webm", [(corners(97, 65), 0.0)], 25)
    assert frame.image.shape == (64, 96, 3)
    expected = corners(97, 65)[:64, :96]
    assert (np.abs(frame.image.astype(int) - expected) > 60).mean() < 0.1


def test_tiny_pictures_are_enlarged(tmp_path):
    (frame,) = written(tmp_path / "a.webm", [(plain(90, 1, 1), 0.0)], 25)
    assert frame.image.shape == (4, 4, 3)
    assert frame.image.mean() == pytest.approx(90, abs=4)


def test_all_frames_get_the_size_of_the_first(tmp_path):
    frames = [(corners(96, 64), 0.0), (corners(193, 129), 0.04)]
    first, second = written(tmp_path / "a.webm", frames, 25)
    assert second.image.shape == first.image.shape == (64, 96, 3)
    assert (np.abs(second.image.astype(int) - first.image) > 60).mean() < 0.1


def test_a_long_gap_is_not_drawn(tmp_path, monkeypatch):
    """One day between two frames: a second of it is drawn, the rest is counted."""
    monkeypatch.setattr(clip, "MAX_STILL", 0.5)
    path = tmp_path / "a.webm"
    with ClipWriter(path, 10) as writer:
        for image, time in ((plain(40), 0.0), (plain(100), 86400.0), (plain(160), 86400.2)):
            writer.write(image, time)
        assert writer.left_out == pytest.approx(86400 - 0.5)
    got = read(path)
    assert levels(got) == pytest.approx([40] * 5 + [100] * 2 + [160], abs=6)


def test_a_gap_that_is_just_short_enough(tmp_path):
    with ClipWriter(tmp_path / "a.webm", 10) as writer:
        writer.write(plain(40), 0.0)
        writer.write(plain(100), clip.MAX_STILL)
        assert writer.left_out == 0
    assert len(read(tmp_path / "a.webm")) == 10 * clip.MAX_STILL + 1


def test_the_name_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a.webm"
    with ClipWriter(path, 25) as writer:
        writer.write(plain(40), 0.0)
        assert [p.name for p in tmp_path.iterdir()] == ["a.part.webm"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.webm"]
    writer.close()  # once more does nothing
    assert len(read(path)) == 1


def test_without_a_frame_there_is_no_file(tmp_path):
    with ClipWriter(tmp_path / "a.webm", 25):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), ClipWriter(tmp_path / "a.webm", 25) as writer:
        writer.write(plain(40), 0.0)
        raise RuntimeError
    with pytest.raises(RuntimeError), ClipWriter(tmp_path / "b.webm", 25):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_nowhere_to_write(tmp_path):
    with pytest.raises(VideoError, match="cannot be written; expected a folder"):
        written(tmp_path / "missing" / "a.webm", [(plain(40), 0.0)], 25)


@pytest.mark.parametrize("name", ["a.mp4", "a", "webm", "a.webm.mp4"])
def test_other_endings(name):
    with pytest.raises(VideoError, match=r"expected a name that ends in \.webm"):
        check_written(name)
    assert check_written("A.WEBM") == Path("A.WEBM")
