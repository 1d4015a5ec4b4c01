"""A clip of any length -> emotions of every face over time, an annotated clip, a CSV.

For scripts::

    result = analyse_video("clip.mp4", annotated="out.webm", table="out.csv")
    for face in result.tracks:
        print(face.track, face.first, face.last, face.dominant, face.share)

For servers, :func:`analyse` is stepped: each ``next()`` reads or writes one frame and yields
:class:`Progress`, and may be the last to be asked for (``.close()`` removes half-written files)::

    steps = analyse(path, recognizer, annotated=folder / "annotated.webm", max_seconds=120)
    while True:
        try:
            progress = next(steps)  # .done of .total frames (0: unknown), .fraction or None
        except StopIteration as end:
            result = end.value  # ClipResult
            break

Memory does not grow with the clip: at most ``BLOCK_FRAMES`` frames are held, so that their faces
are classified together, and what is kept of a face is a timeline of bounded size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_cbam.dataframe import dataframe
from fer_cbam.detect.base import FaceDetector
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.physiology.pulse import CAUTION, Pulse, PulseFinder, skin_colour
from fer_cbam.render import annotate, shrink
from fer_cbam.smoothing.base import Smoother
from fer_cbam.text import DEFAULT_TEXT, TextReader
from fer_cbam.transcripts import Transcript
from fer_cbam.types import Face, Recognition, Saliency
from fer_cbam.video import tracks
from fer_cbam.video.clip import MAX_PIXELS, ClipReader, ClipWriter, Frame
from fer_cbam.video.episodes import Episode, EpisodeFinder
from fer_cbam.video.face_table import FaceTable
from fer_cbam.video.joint import Disagreement, Joint, JointPoint
from fer_cbam.video.timeline import Timeline, TimelinePoint
from fer_cbam.video.together import Beside, Stretch, Together, hear, read
from fer_cbam.video.tracks import Memory, Tracked, follow
from fer_cbam.voice import DEFAULT_VOICE

if TYPE_CHECKING:
    import pandas

    from fer_cbam.recognizer import EmotionRecognizer

SEARCH_SIDE = 640  # of the detector: finds faces from about a 30th of the longest side up
BLOCK_FRAMES = 8  # held at once; their faces are classified together
BLOCK_FACES = 32  # of those frames; a crowd in one frame may be more
BLOCK_BYTES = 64_000_000  # of those frames; one frame may be larger
WRITTEN_SIDE = 640  # longest side of the annotated clip: VP8 takes 20 ms for such a frame
FPS_UNKNOWN = 30.0  # of the annotated clip, where the clip declares none
MAX_TRACKS = 50  # summed up in the result; the CSV has them all
TIMELINE_POINTS = 300


@dataclass(frozen=True)
class Progress:
    """done: frames read. total: frames that the clip promises, 0 if it does not say. time: seconds
    into the clip."""

    done: int
    total: int
    time: float

    @property
    def fraction(self) -> float | None:
        """Share that is done, in [0, 1]; None if unknown."""
        return min(1.0, self.done / self.total) if self.total else None


@dataclass(frozen=True)
class TrackSummary:
    """One face of a clip.

    track: its number. first, last: seconds. frames: analysed ones with it. shares: label -> share
    of those frames in which it was on top, the largest first, ``uncertain`` for those below the
    weights' threshold, ``no face`` for those that are none. points: its timeline, at most
    ``TIMELINE_POINTS``. episodes: its expressions with their onset, apex and offset. pulse: its
    heart rate over time, where it was asked for. together: the timeline of what the face and all
    other modalities say together; disagreements: who was sure of what, such as ``face: happiness,
    voice: sadness`` -> share of the frames; disagreement_times: when, see
    :class:`fer_cbam.video.joint.Disagreement`; influence: modality -> its share of what moved the
    joint answer, see :meth:`fer_cbam.video.joint.Joint.influence`. They are empty where there is no
    other modality.
    """

    track: int
    first: float
    last: float
    frames: int
    shares: Mapping[str, float]
    points: Sequence[TimelinePoint]
    episodes: Sequence[Episode] = ()
    pulse: Sequence[Pulse] = ()
    together: Sequence[JointPoint] = ()
    disagreements: Mapping[str, float] = field(default_factory=dict)
    disagreement_times: Sequence[Disagreement] = ()
    influence: Mapping[str, float] = field(default_factory=dict)

    @property
    def dominant(self) -> str:
        return next(iter(self.shares))

    @property
    def share(self) -> float:
        """Of the dominant emotion, in [0, 1]."""
        return self.shares[self.dominant]

    def to_dict(self, digits: int = 4) -> dict[str, Any]:
        """``track``, ``first``, ``last``, ``frames``, ``dominant``, ``shares``, ``expressions``
        (see :class:`Episode`) and ``timeline`` (of ``time`` and ``probs``) as plain values, seconds
        to a thousandth; ``pulse`` (of ``time``, ``bpm``, ``quality_db`` and ``reason``) where it
        was asked for; with other modalities ``together``, a timeline of ``time``, ``label``,
        ``probs`` and ``moved``, ``influence``, ``disagreements`` and ``disagreement_times`` (of
        ``said``, ``begin`` and ``end``).

        digits: decimals of a share or probability.
        """
        asked: dict[str, Any] = {}
        if self.pulse:
            asked["pulse"] = [_pulse(pulse) for pulse in self.pulse]
        if self.together:
            asked["together"] = [_joint(point, digits) for point in self.together]
            asked["influence"] = _rounded(self.influence, digits)
            asked["disagreements"] = _rounded(self.disagreements, digits)
            asked["disagreement_times"] = [
                {"said": told.said, "begin": round(told.begin, 3), "end": round(told.end, 3)}
                for told in self.disagreement_times
            ]
        return {
            "track": self.track,
            "first": round(self.first, 3),
            "last": round(self.last, 3),
            "frames": self.frames,
            "dominant": self.dominant,
            "shares": _rounded(self.shares, digits),
            "expressions": [episode.to_dict(digits) for episode in self.episodes],
            "timeline": [_point(point, digits) for point in self.points],
            **asked,
        }


@dataclass(frozen=True)
class ClipResult:
    """What became of a clip.

    seconds: of the last frame that was read. frames: read. analysed: of those. tracks: the faces by
    number. notes: in words, what is not as one may expect (the clip breaks off, is longer than
    asked for, shows no face). annotated, table: the files written, None for what was not asked for.
    beside: the timeline of each other modality, such as ``voice``. softens: of the smoother, for
    what is said of a timeline's points, see :class:`fer_cbam.smoothing.base.Smoother`.
    """

    seconds: float
    frames: int
    analysed: int
    tracks: Sequence[TrackSummary]
    notes: Sequence[str]
    annotated: Path | None = None
    table: Path | None = None
    beside: Mapping[str, Sequence[Stretch]] = field(default_factory=dict)
    softens: float = 1.0

    def to_dict(self, digits: int = 4) -> dict[str, Any]:
        """``seconds``, ``frames``, ``analysed``, ``notes`` and ``tracks``, see
        `TrackSummary.to_dict`, as plain values; with other modalities ``beside``, their timelines,
        of ``begin``, ``time`` (the end), ``label``, ``probs`` and, for text, ``words``.

        digits: decimals of a share or probability.
        """
        beside = {name: [_stretch(point, digits) for point in points]
                  for name, points in self.beside.items()}  # fmt: skip
        return {
            "seconds": round(self.seconds, 3),
            "frames": self.frames,
            "analysed": self.analysed,
            "notes": list(self.notes),
            "tracks": [track.to_dict(digits) for track in self.tracks],
            **({"beside": beside} if beside else {}),
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """The timelines: a row for each face and step of time in which it was seen, with ``track``,
        ``time_s`` and the mean probability of each expression. Every analysed frame has a row in
        the CSV that ``table`` names, which memory does not hold.

        Raises:
            ImportError: pandas is not installed.
        """
        rows = [
            {"track": track.track, "time_s": point.time, **point.probs}
            for track in self.tracks for point in track.points if point.probs is not None
        ]  # fmt: skip
        return dataframe(rows, ("track", "time_s"))


def analyse_video(
    path: str | Path,
    recognizer: EmotionRecognizer | None = None,
    *,
    report: Callable[[Progress], None] | None = None,
    audio: bool | str | Path = False,
    transcript: str | Path | Transcript | None = None,
    text: str | Path | TextReader = DEFAULT_TEXT,
    **options: Any,
) -> ClipResult:
    """Read a clip to its end: its faces, what each resembles over time, and the files asked for.

    recognizer: by default one of the default weights. report: called with each :class:`Progress`.
    audio: hear the voice too, see :func:`fer_cbam.video.together.hear`; weights for voices, or True
    for the default ones. transcript: what is said in the clip. text: weights for it, by default
    those of the package, see :func:`fer_cbam.video.together.read`. options: those of
    :func:`analyse`, such as ``annotated="out.webm"``, ``table="out.csv"``, ``explained=True``,
    ``every=3``, ``smoother="filter"``.

    Raises:
        VideoError, ValueError: see :func:`analyse`.
        TextError: a transcript that cannot be read.
        WeightsError: no such weights for voices or text.
        BackendError: an extra is not installed.
    """
    if recognizer is None:
        from fer_cbam.recognizer import EmotionRecognizer

        recognizer = EmotionRecognizer.from_pretrained()
    if audio is not False:
        voice = DEFAULT_VOICE if audio is True else audio
        options["beside"] = hear(path, options.get("max_seconds"), voice)
    if transcript is not None:
        options["beside"] = options.get("beside", Beside()).and_also(read(transcript, text))
    return run(analyse(path, recognizer, **options), report)


def analyse(
    path: str | Path,
    recognizer: EmotionRecognizer,
    detector: FaceDetector | None = None,
    *,
    annotated: str | Path | None = None,
    explained: bool = False,
    table: str | Path | None = None,
    every: int = 1,
    smoother: Smoother | str | None = None,
    max_seconds: float | None = None,
    max_pixels: int = MAX_PIXELS,
    pulse: bool = False,
    beside: Beside | None = None,
) -> Generator[Progress, None, ClipResult]:
    """Find, follow and read the faces of a clip, in steps of one frame.

    detector: by default the recogniser's, searching at ``SEARCH_SIDE`` at most. annotated: name of
    a ``.webm`` to be written. explained: with a heatmap over each face, of what spoke for the label
    that is written there. table: name of a CSV to be written, a row for each analysed frame and
    face. every: only each n-th frame is analysed; boxes and labels are held in between. smoother:
    what is said of a face over time, or its name; by default the recogniser's own, see
    :meth:`EmotionRecognizer.smoother`. max_seconds: what comes later is left out, and a note says
    so. max_pixels: clips with larger frames are refused. pulse: look for the heart rate of each
    face, see :mod:`fer_cbam.physiology.pulse`. beside: what is heard or read of the clip, to be put
    together with each face.

    Returns (as the value of ``StopIteration``; see :func:`run`) a :class:`ClipResult`.

    Raises:
        VideoError: no clip, a damaged one without one whole frame, frames too large, or a name
            that an annotated clip cannot have.
        ValueError: ``every`` is not positive, or no such smoother.
        WeightsError: a smoother that these weights do not have.
    """
    if every < 1:
        raise ValueError(f"every: got {every}; expected at least 1")
    smoother = _smoother(recognizer, smoother)
    with ExitStack() as stack:
        reader = stack.enter_context(ClipReader(path, max_pixels))
        analysis = _Analysis(recognizer, smoother, explained, pulse, beside)
        if table is not None:
            names = analysis.together.names if analysis.together else ()
            rates = analysis.pulses if pulse else None
            written = FaceTable(table, recognizer.label_names, names, rates)
            analysis.table = stack.enter_context(written)
        if annotated is not None:
            analysis.writer = stack.enter_context(ClipWriter(annotated, reader.fps or FPS_UNKNOWN))
        detector = detector or _quick(recognizer.detector)
        size = BLOCK_BYTES // (3 * reader.width * reader.height)
        block: list[_Waiting] = []
        notes: list[str] = []
        for frame in reader.frames(every, all_images=annotated is not None):
            if max_seconds is not None and frame.time > max_seconds:
                notes = [f"Only the first {max_seconds:g} seconds were read."]
                break
            faces = None
            if frame.image is not None and frame.number % every == 0:
                faces = detector.detect(frame.image)[: tracks.MAX_FACES]
            block.append(_Waiting(frame, faces))
            progress = Progress(frame.number + 1, reader.declared_frames, frame.time)
            crowd = sum(len(waiting.faces or ()) for waiting in block) >= BLOCK_FACES
            if len(block) < min(size, BLOCK_FRAMES) and not crowd:
                yield progress
                continue
            for _ in analysis.finish(block):
                yield progress
            block = []
        for _ in analysis.finish(block):
            yield progress
        notes = notes or _breaks_off(analysis, reader)
        analysis.find_pulses()
    return analysis.result(notes, annotated, table)


def run(
    steps: Generator[Progress, None, ClipResult],
    report: Callable[[Progress], None] | None = None,
) -> ClipResult:
    """Step :func:`analyse` to its end. report: called with each progress."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            result: ClipResult = end.value
            return result
        if report is not None:
            report(progress)


def _rounded(values: Mapping[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


def _point(point: TimelinePoint, digits: int) -> dict[str, Any]:
    probs = point.probs and _rounded(point.probs, digits)
    return {"time": round(point.time, 3), "probs": probs}


def _joint(point: JointPoint, digits: int) -> dict[str, Any]:
    if point.probs is None:
        return _point(point, digits)
    return {**_point(point, digits), "label": point.label, "moved": _rounded(point.moved, digits)}


def _stretch(point: Stretch, digits: int) -> dict[str, Any]:
    probs = point.probs or {}
    words = {"words": point.words} if point.words else {}
    return {"begin": round(point.begin, 3), **_point(point, digits),
            "label": max(probs, key=probs.__getitem__, default=None), **words}  # fmt: skip


def _smoother(recognizer: EmotionRecognizer, asked: Smoother | str | None) -> Smoother:
    if asked is None or isinstance(asked, str):
        return recognizer.smoother(asked)
    return asked


def _pulse(pulse: Pulse) -> dict[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 1)

    return {"time": round(pulse.time, 3), "bpm": rounded(pulse.bpm),
            "quality_db": rounded(pulse.quality), "reason": pulse.reason}  # fmt: skip


def _quick(detector: FaceDetector) -> FaceDetector:
    """A detector for one frame after another; one that is not ours stays as it is."""
    if isinstance(detector, YuNetDetector):
        return detector.limited_to(SEARCH_SIDE)
    return detector


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A frame with its faces; None where it was not searched."""

    frame: Frame
    faces: list[Face] | None


class _Analysis:
    """What is known of a clip so far."""

    def __init__(
        self, recognizer: EmotionRecognizer, smoother: Smoother, explained: bool = False,
        pulse: bool = False,
        beside: Beside | None = None,
    ) -> None:  # fmt: skip
        self.recognizer = recognizer
        self.smoother = smoother
        self.explained = explained
        self.pulse = pulse
        self.beside = beside or Beside()
        self.together: Together | None = None
        if self.beside.readings:
            self.together = Together(self.beside, recognizer.label_names, recognizer.class_mix())
        self.pulses: dict[int, list[Pulse]] = {}  # of each face, once the clip is read
        self.table: FaceTable | None = None
        self.writer: ClipWriter | None = None
        self.frames = self.analysed = 0
        self.time = 0.0
        self._memory = Memory()
        self._shown: list[Tracked] = []  # the faces of the last frame that was analysed
        self._last = 0.0  # its time
        self._faces: dict[int, _FaceSoFar] = {}

    def finish(self, block: Sequence[_Waiting]) -> Iterator[None]:
        """Classify the faces of some frames together, then follow, note and draw them in order, a
        frame for each step."""
        searched = [w for w in block if w.faces is not None]
        found = iter(_recognize(self.recognizer, searched))
        for waiting in block:
            frame = waiting.frame
            self.frames, self.time = frame.number + 1, frame.time
            if waiting.faces is not None:
                self._follow(frame, next(found))
            if self.writer is not None and frame.image is not None:
                recognitions = [t.recognition for t in self._shown]
                small, moved = shrink(frame.image, recognitions, WRITTEN_SIDE)
                maps = [_evidence(r) for r in moved] if self.explained else []
                numbers = [t.track for t in self._shown]
                annotate(small, moved, numbers, maps, in_place=True)
                for _ in self.writer.steps(small, frame.time):
                    yield
            yield

    def find_pulses(self) -> None:
        """What is known of them when the clip ends; the table's rows are completed with it."""
        if self.pulse:
            found = {track: face.pulse.pulses() for track, face in self._faces.items()}
            self.pulses.update(found)

    def _follow(self, frame: Frame, recognitions: Sequence[Recognition]) -> None:
        # One missed frame never ends a track, however few frames are analysed.
        forget_after = max(tracks.FORGET_AFTER, 2.5 * (frame.time - self._last))
        self._shown, self._memory = follow(
            self._memory, recognitions, frame.time, self.recognizer.decision,
            self.smoother, forget_after,
        )  # fmt: skip
        self._last = frame.time
        self.analysed += 1
        joined = []
        for tracked in self._shown:
            face = self._faces.setdefault(tracked.track, _FaceSoFar(frame.time))
            face.add(frame.time, tracked.recognition)
            if self.pulse and frame.image is not None:
                landmarks = tracked.recognition.face.landmarks
                face.pulse.add(frame.time, skin_colour(frame.image, landmarks))
            if self.together is not None:
                joined.append(self.together.at(frame.time, tracked.recognition.prediction))
                face.joint.add(frame.time, joined[-1])
        if len(self._faces) > 2 * MAX_TRACKS:
            self._keep_longest({face.track for face in self._memory.faces})
        if self.table is not None:
            self.table.write(frame.number, frame.time, self._shown, joined)

    def _keep_longest(self, present: Set[int] = frozenset()) -> None:
        """Keep ``MAX_TRACKS`` faces: those that are present, then those seen most often."""
        order = sorted(self._faces, key=lambda t: (t not in present, -self._faces[t].frames))
        self._faces = {track: self._faces[track] for track in sorted(order[:MAX_TRACKS])}

    def result(
        self, notes: Sequence[str], annotated: str | Path | None, table: str | Path | None
    ) -> ClipResult:
        self._keep_longest()
        summaries = [
            self._faces[track].summary(track, self.pulses.get(track, ()))
            for track in sorted(self._faces)
        ]
        left_out = self._memory.next_track - 1 - len(summaries)
        notes = [*notes, *self.beside.notes]
        if not summaries:
            notes.append("No face was found.")
        if any(pulse.bpm is not None for face in summaries for pulse in face.pulse):
            notes.append(CAUTION)
        if left_out:
            notes.append(f"{left_out} faces seen for a short time are not summed up here.")
        if self.writer is not None and self.writer.left_out:
            notes.append(
                f"The annotated clip leaves out {self.writer.left_out:.0f} seconds in which the "
                "picture stands still."
            )
        return ClipResult(
            self.time, self.frames, self.analysed, summaries, notes,
            None if annotated is None else Path(annotated), None if table is None else Path(table),
            self.beside.timelines(self.time), self.smoother.softens,
        )  # fmt: skip


@dataclass
class _FaceSoFar:
    first: float
    last: float = 0.0
    frames: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    timeline: Timeline = field(default_factory=lambda: Timeline(max_points=TIMELINE_POINTS))
    finder: EpisodeFinder = field(default_factory=EpisodeFinder)
    pulse: PulseFinder = field(default_factory=PulseFinder)
    joint: Joint = field(default_factory=lambda: Joint(TIMELINE_POINTS))

    def add(self, time: float, recognition: Recognition) -> None:
        prediction = recognition.prediction
        self.last = time
        self.frames += 1
        self.counts[prediction.said] += 1
        self.timeline.add(time, prediction.probs)
        self.finder.add(time, prediction.probs)

    def summary(self, track: int, pulses: Sequence[Pulse]) -> TrackSummary:
        shares = {label: count / self.frames for label, count in self.counts.most_common()}
        points = self.timeline.points()
        episodes = self.finder.episodes()
        return TrackSummary(
            track, self.first, self.last, self.frames, shares, points, episodes, pulses,
            self.joint.points(), self.joint.shares(self.frames), self.joint.disagreements(),
            self.joint.influence(),
        )  # fmt: skip


def _recognize(
    recognizer: EmotionRecognizer, searched: Sequence[_Waiting]
) -> list[list[Recognition]]:
    """The recognitions of each frame, all faces of all frames in one batch."""
    aligned = [
        [] if waiting.frame.image is None
        else recognizer.align(waiting.frame.image, waiting.faces or ())
        for waiting in searched
    ]  # fmt: skip
    found = iter(recognizer.recognize_aligned([face for faces in aligned for face in faces]))
    return [[next(found) for _ in faces] for faces in aligned]


def _evidence(recognition: Recognition) -> Saliency | None:
    """What is drawn over a face in the marked clip."""
    return None if recognition.prediction.no_face else recognition.saliency()


def _breaks_off(analysis: _Analysis, reader: ClipReader) -> list[str]:
    """A note if the clip ended before it should have. Headers are a few frames wrong, and the last
    frame may be shown for long: it breaks off where frames and seconds are both missing."""
    promised = reader.declared_seconds
    read = analysis.time + 1 / reader.fps if reader.fps else analysis.time
    few = analysis.frames < 0.95 * reader.declared_frames
    if not few or promised - read <= max(0.5, 0.05 * promised):
        return []
    return [f"The clip breaks off: {read:.1f} of its {promised:.1f} seconds could be read."]
