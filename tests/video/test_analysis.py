"""A clip of our own making through all of `analyse`, with a detector and a network made up.

A frame's grey level is its number: the made-up detector tells it from the pixels, and the made-up
network says what was planned for that frame.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.decide import Decision
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.errors import VideoError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.smoothing.average import Average
from fer_cbam.types import AlignedFace, Face, Recognition
from fer_cbam.video import analyse, analyse_video, analysis, run
from fer_cbam.video.analysis import ClipResult, Progress
from fer_cbam.video.clip import ClipReader, ClipWriter
from tests.video.clips import plain, write_clip
from tests.video.faces import face

LABELS = ("anger", "happiness")
WIDTH, HEIGHT, LEVEL = 320, 240, 6  # grey levels from one frame to the next


class Detector:
    """Finds in frame ``n`` what ``plan(n)`` says."""

    def __init__(self, plan: Callable[[int], list[Face]]) -> None:
        self.plan, self.seen = plan, []

    def detect(self, image: np.ndarray) -> list[Face]:
        number = round(float(image.mean()) / LEVEL)
        self.seen.append(number)
        return self.plan(number)


class Recognizer:
    """Says for each face what its place in the picture, written into its crop, is planned to be."""

    label_names = LABELS
    decision = Decision(LABELS, uncertain_below=0.6)

    def __init__(self, happiness: Callable[[int, float], float] = lambda n, x: 0.75) -> None:
        self.happiness, self.batches = happiness, []
        self.detector: object = None

    def smoother(self, name: str | None = None) -> Average:
        return Average(LABELS, 0.0) if name == "none" else Average(LABELS)

    def align(self, image: np.ndarray, faces):
        number = round(float(image.mean()) / LEVEL)
        places = [(found.box[0] + found.box[2]) / 2 for found in faces]
        return [AlignedFace(found, np.array([number, x]), np.eye(2, 3))
                for found, x in zip(faces, places, strict=True)]  # fmt: skip

    def recognize_aligned(self, faces):
        self.batches += [len(faces)] if faces else []
        answers = [self.happiness(int(number), x) for number, x in (a.crop for a in faces)]
        probs = [{"anger": 1 - value, "happiness": value} for value in answers]
        return [Recognition(a.face, self.decision.of_probs(p), a.crop, a.affine)
                for a, p in zip(faces, probs, strict=True)]  # fmt: skip


def one_face(_number: int) -> list[Face]:
    return [face(160, 120)]


def make(path: Path, count: int, fps: float = 10, code: str = "MJPG") -> Path:
    return write_clip(path, (plain(LEVEL * i, WIDTH, HEIGHT) for i in range(count)), fps, code)


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Two seconds, ten frames each."""
    return make(tmp_path_factory.mktemp("clips") / "a.avi", 20)


def told(clip: Path, plan=one_face, recognizer=None, **options) -> ClipResult:
    options.setdefault("smoother", Average(LABELS, half_life=0))
    return run(analyse(clip, recognizer or Recognizer(), Detector(plan), **options))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_clip_is_summed_up(clip):
    """Happy for the first half, uncertain in 4 frames, angry in the last 6."""
    planned = [0.9] * 10 + [0.5] * 4 + [0.1] * 6
    result = told(clip, recognizer=Recognizer(lambda n, x: planned[n]))
    assert (result.frames, result.analysed, result.notes) == (20, 20, [])
    assert result.seconds == pytest.approx(1.9)
    assert result.annotated is None and result.table is None
    (track,) = result.tracks
    assert (track.track, track.frames, track.first) == (1, 20, 0)
    assert track.last == pytest.approx(1.9)
    assert track.shares == {"happiness": 0.5, "anger": 0.3, "uncertain": 0.2}
    assert list(track.shares) == ["happiness", "anger", "uncertain"]
    assert (track.dominant, track.share) == ("happiness", 0.5)
    assert len(track.points) == 20
    assert [p.probs["happiness"] for p in track.points] == pytest.approx(planned)
    assert [p.time for p in track.points] == pytest.approx([0.05 + i / 10 for i in range(20)])


def test_faces_have_their_own_sums_and_times(clip):
    """Left: all the time. Right: from frame 5 to 9. One comes late, for a single frame."""

    def plan(number: int) -> list[Face]:
        late = [face(300, 200, side=30)] if number == 19 else []
        return late + [face(80)] + ([face(240)] if 5 <= number < 10 else [])

    result = told(clip, plan, Recognizer(lambda n, x: 0.9 if x < 160 else 0.2))
    summed = [(t.track, t.frames, round(t.first, 3), round(t.last, 3)) for t in result.tracks]
    assert summed == [(1, 20, 0, 1.9), (2, 5, 0.5, 0.9), (3, 1, 1.9, 1.9)]
    assert [t.dominant for t in result.tracks] == ["happiness", "anger", "anger"]


def test_smoothing_reaches_what_is_told(clip):
    """A happy face turns angry at 0.2 s; with a half-life of 0.1 s half of it is left at 0.2."""
    sudden = Recognizer(lambda n, x: 1.0 if n < 2 else 0.0)
    (track,) = told(clip, recognizer=sudden, smoother=Average(LABELS, 0.1)).tracks
    got = [p.probs["happiness"] for p in track.points[:5]]
    assert got == pytest.approx([1, 1, 0.5, 0.25, 0.125], abs=1e-3)
    (track,) = run(analyse(clip, sudden, Detector(one_face))).tracks  # 0.25 s by default
    assert track.points[2].probs["happiness"] == pytest.approx(0.5 ** (0.1 / 0.25), abs=1e-3)


def test_every_nth_frame_is_searched(clip):
    detector, recognizer = Detector(one_face), Recognizer()
    result = run(analyse(clip, recognizer, detector, every=3))
    assert detector.seen == [0, 3, 6, 9, 12, 15, 18]
    assert (result.frames, result.analysed) == (20, 7)
    assert result.tracks[0].frames == sum(recognizer.batches) == 7
    with pytest.raises(ValueError, match="every: got 0; expected at least 1"):
        run(analyse(clip, recognizer, detector, every=0))


def test_few_searched_frames_do_not_end_a_track(tmp_path):
    """One in 8 frames at 2 a second is one in 4 s: longer than a face is remembered. A missed one
    makes it 8 and is forgiven, a second one is not."""
    slow = make(tmp_path / "slow.avi", 33, fps=2)
    result = told(slow, lambda n: [] if n == 16 else one_face(n), every=8)
    assert [(t.track, t.frames) for t in result.tracks] == [(1, 4)]
    gone = told(slow, lambda n: [] if n in (8, 16) else one_face(n), every=8)
    assert [t.track for t in gone.tracks] == [1, 2]


def test_rows_of_the_table_are_those_of_the_analysed_frames(clip, tmp_path):
    path = tmp_path / "faces.csv"
    planned = [0.9, 0.1, 0.5, 0.8]
    result = told(
        clip,
        lambda n: [face(160 + n)],
        Recognizer(lambda n, x: planned[n // 5]),
        table=path,
        every=5,
    )
    assert result.table == path
    rows = table(path)
    assert [row["frame"] for row in rows] == ["0", "5", "10", "15"]
    assert [row["time_s"] for row in rows] == ["0.000", "0.500", "1.000", "1.500"]
    assert [row["x1"] for row in rows] == ["120.0", "125.0", "130.0", "135.0"]
    assert [row["happiness"] for row in rows] == ["0.9000", "0.1000", "0.5000", "0.8000"]
    assert [row["uncertain"] for row in rows] == ["0", "0", "1", "0"]


def is_boxed(image: np.ndarray, level: float, x: float) -> bool:
    """Whether a box of 80 px around x, 120 is drawn on a plain picture: at its left edge."""
    edge = image[110:130, round(x) - 42 : round(x) - 37].astype(float)
    return bool(np.abs(edge - level).max() > 40)


def test_boxes_are_held_between_searched_frames(clip, tmp_path):
    """Searched at 0, 5, 10 and 15: at 100 px, then 200 px, then nobody."""
    places = {0: 100, 5: 200}
    result = told(
        clip, lambda n: [face(places[n], 120)] if n in places else [],
        annotated=tmp_path / "a.webm", every=5,
    )  # fmt: skip
    assert result.annotated == tmp_path / "a.webm"
    with ClipReader(result.annotated) as reader:
        assert (reader.width, reader.height) == (WIDTH, HEIGHT)
        assert reader.fps == pytest.approx(10)
        frames = list(reader.frames())
    assert len(frames) == 20
    for frame in frames:
        level = LEVEL * frame.number
        assert is_boxed(frame.image, level, 100) == (frame.number < 5)
        assert is_boxed(frame.image, level, 200) == (5 <= frame.number < 10)


def test_captions_start_with_the_number_of_the_face(clip, tmp_path, monkeypatch):
    drawn = []
    annotate = analysis.annotate
    monkeypatch.setattr(
        analysis, "annotate", lambda *a, **k: (drawn.append(a[2]), annotate(*a, **k))[1]
    )
    told(clip, lambda n: [face(200), face(80)], annotated=tmp_path / "a.webm", every=10)
    assert drawn == [[1, 2]] * 20


def test_annotated_clips_are_no_larger_than_they_are_looked_at(tmp_path, monkeypatch, clip):
    monkeypatch.setattr(analysis, "WRITTEN_SIDE", 160)
    result = told(clip, annotated=tmp_path / "a.webm")
    with ClipReader(result.annotated) as reader:
        assert (reader.width, reader.height) == (160, 120)
        first = next(iter(reader.frames()))
    assert np.abs(first.image[55:65, 58:63].astype(int)).max() > 40  # the box is where it was


def test_images_are_decoded_for_the_annotated_clip_only(clip, tmp_path, monkeypatch):
    asked = []
    frames = ClipReader.frames
    monkeypatch.setattr(
        ClipReader, "frames", lambda *a, **k: (asked.append(k["all_images"]), frames(*a, **k))[1]
    )
    told(clip)
    told(clip, annotated=tmp_path / "a.webm")
    assert asked == [False, True]


def test_a_clip_without_a_rate_is_written_at_a_usual_one(tmp_path):
    """One frame in 40 s declares no rate; a second of each is drawn, and a note says so."""
    sparse = make(tmp_path / "sparse.avi", 3, fps=1 / 40)
    result = told(sparse, annotated=tmp_path / "a.webm")
    assert result.seconds == pytest.approx(80, abs=4)
    (note,) = result.notes
    assert note == (
        f"The annotated clip leaves out {result.seconds - 2:.0f} seconds in which the picture "
        "stands still."
    )
    with ClipReader(tmp_path / "a.webm") as reader:
        assert reader.fps == 30
        assert len(list(reader.frames())) == 61
    assert told(sparse).notes == []


def test_a_step_is_one_frame_read_or_written(tmp_path, monkeypatch):
    """A server serves others between two steps: none draws more than one frame, whatever gaps the
    times of a file have."""
    drawn: list[int] = []

    class Writer(ClipWriter):
        def steps(self, image, time):
            before = self._written
            for _ in super().steps(image, time):
                drawn[-1] += self._written - before
                yield
                before = self._written
            drawn[-1] += self._written - before

    monkeypatch.setattr(analysis, "ClipWriter", Writer)
    sparse = make(tmp_path / "sparse.avi", 8, fps=1 / 40)
    steps = analyse(sparse, Recognizer(), Detector(one_face), annotated=tmp_path / "a.webm")
    drawn.append(0)
    for _ in steps:
        drawn.append(0)
    assert sum(drawn) == 210 and max(drawn) == 1  # and the last one when it is closed


def test_faces_of_many_frames_are_classified_together(clip):
    recognizer = Recognizer()
    told(clip, lambda n: [face(80), face(240)][: n % 3], recognizer)
    counts = [n % 3 for n in range(20)]
    assert recognizer.batches == [sum(counts[:8]), sum(counts[8:16]), sum(counts[16:])]
    assert analysis.BLOCK_FRAMES == 8


def test_a_crowd_makes_smaller_blocks(clip):
    """No step classifies many frames of a crowd: somebody waits for it."""
    recognizer = Recognizer()
    crowd = [
        face(20 + 25 * column, 20 + 60 * row, side=20) for row in range(2) for column in range(10)
    ]
    told(clip, lambda n: crowd, recognizer)
    assert recognizer.batches == [40] * 10  # two frames of twenty faces


def test_a_block_without_a_face_asks_nobody(clip):
    recognizer = Recognizer()
    told(clip, lambda n: one_face(n) if n == 9 else [], recognizer)
    assert recognizer.batches == [1]


@pytest.mark.parametrize(
    "frames_held, sizes", [(3, [3] * 6 + [2]), (1.5, [1] * 20), (0.5, [1] * 20)]
)
def test_large_frames_make_smaller_blocks(clip, monkeypatch, frames_held, sizes):
    monkeypatch.setattr(analysis, "BLOCK_BYTES", int(frames_held * 3 * WIDTH * HEIGHT))
    recognizer = Recognizer()
    told(clip, recognizer=recognizer)
    assert recognizer.batches == sizes


def test_only_a_crowd_is_too_much(clip, monkeypatch):
    monkeypatch.setattr(analysis.tracks, "MAX_FACES", 3)
    result = told(clip, lambda n: [face(60 * i) for i in range(5)])
    assert [t.track for t in result.tracks] == [1, 2, 3]


def test_progress(clip):
    steps = analyse(clip, Recognizer(), Detector(one_face))
    told_by_next = list(steps)
    done = [p.done for p in told_by_next]
    assert done == sorted(done) and set(done) == set(range(1, 21))
    assert {p.total for p in told_by_next} == {20}
    assert [p.time for p in told_by_next] == pytest.approx([(d - 1) / 10 for d in done])
    reported: list[Progress] = []
    result = run(analyse(clip, Recognizer(), Detector(one_face)), reported.append)
    assert reported == told_by_next and result.frames == 20
    assert Progress(5, 20, 0.4).fraction == 0.25
    assert Progress(21, 20, 2.0).fraction == 1
    assert Progress(5, 0, 0.4).fraction is None


def test_what_comes_late_is_left_out(clip):
    result = told(clip, max_seconds=1.0)
    assert result.notes == ["Only the first 1 seconds were read."]
    assert result.frames == 11 and result.seconds == pytest.approx(1)
    assert told(clip, max_seconds=0.25).frames == 3
    assert told(clip, max_seconds=2.0).notes == []


def test_nobody_is_there(clip, tmp_path):
    result = told(clip, lambda n: [], table=tmp_path / "a.csv")
    assert result.tracks == [] and result.notes == ["No face was found."]
    assert table(tmp_path / "a.csv") == [] and result.analysed == 20


def test_a_clip_that_breaks_off(clip, tmp_path):
    broken = tmp_path / "broken.avi"
    data = clip.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    result = told(broken)
    assert 5 < result.frames < 15
    read = result.frames / 10
    assert result.notes == [f"The clip breaks off: {read:.1f} of its 2.0 seconds could be read."]
    only = told(broken, max_seconds=0.2)
    assert only.notes == ["Only the first 0.2 seconds were read."]


@pytest.mark.parametrize(
    "frames, time, fps, breaks",
    [
        (100, 9.9, 10.0, False),  # all of it
        (96, 9.5, 10.0, False),  # headers are a few frames wrong
        (94, 9.5, 10.0, False),  # few frames, and all of the seconds: the rate varies
        (96, 2.0, 10.0, False),  # all of the frames, the last one shown for long
        (95, 9.3, 10.0, False),
        (94, 9.3, 10.0, True),
        (94, 9.39, 10.0, True),
        (94, 9.41, 10.0, False),  # 0.49 s are missing
        (94, 9.49, 0.0, True),  # without a rate the last frame has no length
        (94, 9.51, 0.0, False),
    ],
)
def test_when_a_clip_breaks_off(frames, time, fps, breaks):
    class Said:
        declared_frames, declared_seconds = 100, 10.0

    class Read:
        pass

    said, read = Said(), Read()
    said.fps, read.frames, read.time = fps, frames, time
    assert bool(analysis._breaks_off(read, said)) == breaks
    said.declared_frames, said.declared_seconds = 0, 0.0
    assert not analysis._breaks_off(read, said)


def test_of_a_long_clip_a_twentieth_may_be_missing():
    class Said:
        declared_frames, declared_seconds, fps = 1000, 100.0, 10.0

    class Read:
        frames, time = 940, 94.8

    assert analysis._breaks_off(Read(), Said()) == [
        "The clip breaks off: 94.9 of its 100.0 seconds could be read."
    ]
    Read.time = 94.95
    assert analysis._breaks_off(Read(), Said()) == []


def test_more_faces_than_are_summed_up(clip, monkeypatch):
    """One all the time, and ten for two frames each. When there are nine, those of the last second
    are kept: 1, and of those seen equally often the first."""
    monkeypatch.setattr(analysis, "MAX_TRACKS", 4)

    def plan(number: int) -> list[Face]:
        return [face(20, 30, 40), face(60 + 100 * (number // 2), 200, 20)]

    result = told(clip, plan)
    assert [t.track for t in result.tracks] == [1, 4, 5, 6]
    assert [t.frames for t in result.tracks] == [20, 2, 2, 2]
    assert result.notes == ["7 faces seen for a short time are not summed up here."]


def test_those_who_are_there_are_kept_over_those_who_left(clip, monkeypatch):
    """Two for 4 frames; three more from frame 14, when the first two are forgotten, to the end."""
    monkeypatch.setattr(analysis, "MAX_TRACKS", 2)

    def plan(number: int) -> list[Face]:
        first = [face(60), face(160)] if number < 4 else []
        return first + ([face(260 + 100 * i) for i in range(3)] if number >= 14 else [])

    result = told(clip, plan)
    assert [(t.track, t.frames) for t in result.tracks] == [(3, 6), (4, 6)]
    assert result.notes == ["3 faces seen for a short time are not summed up here."]


def test_those_seen_most_often_are_kept(clip, monkeypatch):
    """Five at once, for 2, 20, 4, 20 and 6 frames, with room for three."""
    monkeypatch.setattr(analysis, "MAX_TRACKS", 3)
    lasts = (2, 20, 4, 20, 6)
    result = told(clip, lambda n: [face(60 * i) for i, last in enumerate(lasts) if n < last])
    assert [(t.track, t.frames) for t in result.tracks] == [(2, 20), (4, 20), (5, 6)]
    assert result.notes == ["2 faces seen for a short time are not summed up here."]


def test_as_many_faces_as_are_summed_up(clip, monkeypatch):
    monkeypatch.setattr(analysis, "MAX_TRACKS", 3)
    result = told(clip, lambda n: [face(60 * i) for i in range(3)])
    assert len(result.tracks) == 3 and result.notes == []


def test_a_whole_minute_is_a_bounded_timeline(clip, monkeypatch):
    monkeypatch.setattr(analysis, "TIMELINE_POINTS", 5)
    (track,) = told(clip).tracks
    assert 3 <= len(track.points) <= 5


def test_closing_half_way_leaves_no_files(clip, tmp_path):
    steps = analyse(
        clip, Recognizer(), Detector(one_face),
        annotated=tmp_path / "a.webm", table=tmp_path / "a.csv",
    )  # fmt: skip
    for _ in range(18):
        next(steps)
    assert list(tmp_path.iterdir()) != []
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_a_detector_that_fails_leaves_no_files(clip, tmp_path):
    def plan(number: int) -> list[Face]:
        raise OSError("the detector broke")

    with pytest.raises(OSError, match="the detector broke"):
        told(clip, plan, annotated=tmp_path / "a.webm", table=tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_frames_too_large_and_names_that_cannot_be(clip, tmp_path):
    with pytest.raises(VideoError, match="expected at least one and at most 1000 pixels"):
        told(clip, max_pixels=1000)
    with pytest.raises(VideoError, match=r"ends in \.webm"):
        told(clip, annotated=tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


# The detector that goes with a recogniser.


class Searching(YuNetDetector):
    """YuNet that notes how it searches, and finds nobody."""

    sides: list[tuple[int, float]] = []  # noqa: RUF012

    def detect(self, image: np.ndarray) -> list[Face]:
        self.sides.append((self.max_side, self.score_threshold))
        return []


@pytest.mark.parametrize("side, searched", [(4096, 640), (320, 320)])
def test_the_recognisers_own_detector_at_the_search_side(clip, monkeypatch, side, searched):
    monkeypatch.setattr(Searching, "sides", [])
    recognizer = Recognizer()
    recognizer.detector = Searching(0.8, max_side=side)
    run(analyse(clip, recognizer, every=10))
    assert Searching.sides == [(searched, 0.8)] * 2
    assert recognizer.detector.max_side == side


def test_a_detector_of_ones_own_is_used_as_it_is(clip):
    recognizer = Recognizer()
    recognizer.detector = Detector(one_face)
    assert run(analyse(clip, recognizer, every=10)).tracks[0].frames == 2
    assert recognizer.detector.seen == [0, 10]


@pytest.mark.data
def test_one_person_in_a_real_clip(data_dir, tmp_path):
    """One face, followed from its first to its last frame under one number; with ONNX, which finds
    it without a second network of OpenCV's."""
    pytest.importorskip("onnxruntime")
    recognizer = EmotionRecognizer.from_pretrained(backend="onnx")
    path = data_dir / "faces" / "videos" / "single_face.mp4"
    result = run(analyse(path, recognizer, table=tmp_path / "a.csv", every=6))
    longest = max(result.tracks, key=lambda t: t.frames)
    assert longest.frames > 0.8 * result.analysed > 8
    assert sum(longest.shares.values()) == pytest.approx(1)
    rows = table(tmp_path / "a.csv")
    assert len(rows) == sum(t.frames for t in result.tracks)
    boxes = np.array([[float(row[k]) for k in ("x1", "y1", "x2", "y2")] for row in rows])
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.data
def test_expressions_of_a_real_clip_in_their_order(data_dir):
    """Frames 0 to 15 are neutral, from 23 to 66 she smiles, then she is neutral again: for the last
    0.13 s, which no answer that waits for a second look can tell. Nobody is in the other clip."""
    pytest.importorskip("onnxruntime")
    recognizer = EmotionRecognizer.from_pretrained(backend="onnx")
    folder = data_dir / "faces" / "videos"
    (track,) = analyse_video(folder / "single_face.mp4", recognizer, smoother="filter").tracks
    before, smile = track.episodes[:2]
    assert (before.label, smile.label) == ("neutral", "happiness")
    assert before.onset == 0 and before.offset == pytest.approx(smile.onset, abs=0.05)
    assert smile.onset == pytest.approx((16 + 23) / 2 / 30, abs=0.3) and smile.intensity > 0.9
    assert smile.offset == pytest.approx(67 / 30, abs=0.3)
    assert not analyse_video(folder / "no_face.mp4", recognizer).tracks


def test_views_of_a_result(clip):
    result = told(clip, one_face)
    (track,) = result.tracks
    plain_values = result.to_dict()
    assert json.loads(json.dumps(plain_values)) == plain_values
    assert plain_values["frames"] == result.frames and plain_values["notes"] == list(result.notes)
    (numbers,) = plain_values["tracks"]
    assert numbers["dominant"] == track.dominant and numbers["shares"] == dict(track.shares)
    assert [point["time"] for point in numbers["timeline"]] == [
        round(p.time, 3) for p in track.points
    ]
    pandas = pytest.importorskip("pandas")
    table = result.to_dataframe()
    seen = [point for point in track.points if point.probs is not None]
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == ["track", "time_s", *LABELS] and len(table) == len(seen)
    assert set(table["track"]) == {track.track}
    np.testing.assert_array_equal(table["time_s"], [point.time for point in seen])
    np.testing.assert_array_equal(table["anger"], [point.probs["anger"] for point in seen])


def test_analyse_video_is_all_steps_at_once(clip, tmp_path, monkeypatch):
    reported: list[Progress] = []
    found = analyse_video(
        clip, Recognizer(), detector=Detector(one_face), table=tmp_path / "t.csv", every=2,
        smoother=Average(LABELS, 0), report=reported.append,
    )  # fmt: skip
    assert found == told(clip, one_face, table=tmp_path / "t.csv", every=2)
    assert [p.done for p in reported] == sorted(p.done for p in reported)
    assert reported[-1].done == found.frames
    recognizer = Recognizer()
    recognizer.detector = Detector(one_face)
    monkeypatch.setattr(EmotionRecognizer, "from_pretrained", lambda: recognizer)
    assert analyse_video(clip, smoother=Average(LABELS, 0)) == told(clip, one_face)
    assert analyse_video(clip, smoother="none") == told(clip, one_face)
    with pytest.raises(TypeError, match="evry"):
        analyse_video(clip, recognizer, evry=2)
