"""Labelled sequences of frames: the full CK+, clips in folders of their class, a CSV of segments.

Nothing is decoded here: a sequence names its frames or its clip, and says what is true when.

=====================  =====================================================================
the full CK+           ``cohn-kanade-images/S005/001/*.png`` and ``Emotion/S005/001/*_emotion.txt``
clips by class         ``<class>/<clip>``: a video file, or a folder of frames; beside the class
                       folders perhaps ``frames.csv`` (``clip,frame,label``), whose labels hold for
                       their frames instead of the class
segments               a CSV with the columns ``clip,start,end,label`` (seconds) and perhaps
                       ``subject``; clips are named from the CSV's folder
=====================  =====================================================================
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fer_cbam.data.image_files import SUFFIXES
from fer_cbam.errors import DataError
from fer_cbam.labels import EMOTIONS, canonical_label

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v")
FRAME_RATE = 30.0  # of CK+, and of folders of frames
CK_IMAGES, CK_LABELS = "cohn-kanade-images", "Emotion"
CK_CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
CK_PEAK = 3  # frames at the end of a sequence that show its expression
FRAMES_FILE = "frames.csv"
CLASS_COLUMNS = ("clip", "frame", "label")
SEGMENT_COLUMNS = ("clip", "start", "end", "label")


@dataclass(frozen=True)
class Segment:
    """What is true from ``start`` up to but not including ``end``, seconds."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class LabelledSequence:
    """One sequence.

    clip: a video file, None where ``frames`` are image files in order, ``FRAME_RATE`` a second.
    segments: what is known; between them nothing is. subject_id: the person, where it is known.
    """

    sequence_id: str
    segments: tuple[Segment, ...]
    clip: Path | None = None
    frames: tuple[Path, ...] = ()
    subject_id: str | None = None

    def label_at(self, seconds: float) -> str | None:
        """What is true at a moment, None where that is not known."""
        slack = 1e-6  # a frame's time is a sum of fractions
        for segment in self.segments:
            if segment.start - slack <= seconds < segment.end - slack:
                return segment.label
        return None


def recognises(path: Path) -> bool:
    """Whether a file or folder is one of these formats, by names and a CSV's header."""
    if path.is_file() and path.suffix.lower() == ".csv":
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            return set(SEGMENT_COLUMNS) <= set(next(csv.reader(file), ()))
    return path.is_dir() and ((path / CK_IMAGES).is_dir() or bool(_class_clips(path)))


def read_sequences(path: Path) -> tuple[LabelledSequence, ...]:
    """All labelled sequences below a path, in the order of their names.

    Raises:
        DataError: none, or what is wrong with a file, by its name.
    """
    path = Path(path)
    if path.is_file():
        found = tuple(_of_segments(path))
    elif (path / CK_IMAGES).is_dir():
        found = tuple(_of_ck(path))
    else:
        found = tuple(_of_classes(path))
    if not found:
        raise DataError(
            f"{path}: no labelled sequence; expected {CK_IMAGES} and {CK_LABELS}, class folders of "
            f"clips, or a CSV with {', '.join(SEGMENT_COLUMNS)}"
        )
    return found


def _of_ck(path: Path) -> Iterator[LabelledSequence]:
    """Of the sequences that have a label: neutral at first, the expression at the end."""
    for folder in sorted((path / CK_IMAGES).glob("*/*")):
        labels = sorted((path / CK_LABELS / folder.parent.name / folder.name).glob("*_emotion.txt"))
        frames = _images(folder)
        if not labels or not folder.is_dir():
            continue
        if len(labels) > 1 or len(frames) <= CK_PEAK:
            raise DataError(f"{folder}: {len(labels)} labels, {len(frames)} frames; expected one "
                            f"label and more than {CK_PEAK} frames")  # fmt: skip
        label, end = _ck_label(labels[0]), len(frames) / FRAME_RATE
        yield LabelledSequence(
            f"{folder.parent.name}_{folder.name}",
            (Segment(0.0, 1 / FRAME_RATE, "neutral"),
             Segment((len(frames) - CK_PEAK) / FRAME_RATE, end, label)),
            frames=frames, subject_id=folder.parent.name,
        )  # fmt: skip


def _ck_label(path: Path) -> str:
    text = path.read_text(encoding="utf-8").strip()
    try:
        code = float(text)
    except ValueError:
        code = math.nan
    if code not in range(len(CK_CODES)):
        raise DataError(f"{path}: {text[:40]!r}; expected a number from 0 to {len(CK_CODES) - 1}")
    return CK_CODES[int(code)]


def _class_clips(path: Path) -> list[tuple[str, Path]]:
    """Label and place of each clip of class folders, in the order of their names."""
    found = []
    for folder in sorted(p for p in path.iterdir() if p.is_dir()):
        try:
            label = canonical_label(folder.name)
        except DataError:
            continue
        found += [(label, clip) for clip in sorted(folder.iterdir()) if _is_clip(clip)]
    return found


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES or bool(_images(path))


def _of_classes(path: Path) -> Iterator[LabelledSequence]:
    own = _frame_labels(path / FRAMES_FILE)
    clips = _class_clips(path)
    names = {clip.relative_to(path).as_posix() for _, clip in clips}
    if unknown := sorted(set(own) - names):
        raise DataError(f"{path / FRAMES_FILE}: clip {unknown[0]!r}; expected one of the class "
                        "folders, such as happiness/01.mp4")  # fmt: skip
    for label, clip in clips:
        name = clip.relative_to(path).as_posix()
        segments: tuple[Segment, ...] = (Segment(0.0, math.inf, label),)
        if name in own:
            segments = tuple(Segment(frame / FRAME_RATE, (frame + 1) / FRAME_RATE, said)
                             for frame, said in sorted(own[name].items()))  # fmt: skip
        if clip.is_dir():
            yield LabelledSequence(name, segments, frames=_images(clip))
        elif name in own:
            raise DataError(f"{path / FRAMES_FILE}: {name} is a video; expected labels of frames "
                            "for folders of frames, and a CSV of segments for videos")  # fmt: skip
        else:
            yield LabelledSequence(name, segments, clip=clip)


def _frame_labels(path: Path) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for where, row in _rows(path, CLASS_COLUMNS) if path.is_file() else ():
        frame = row["frame"]
        if not frame.isdecimal():
            raise DataError(f"{where}: frame {frame!r}; expected a number from 0")
        found.setdefault(row["clip"], {})[int(frame)] = _label(row["label"], where)
    return found


def _of_segments(path: Path) -> Iterator[LabelledSequence]:
    segments: dict[str, list[Segment]] = {}
    subjects: dict[str, str | None] = {}
    for where, row in _rows(path, SEGMENT_COLUMNS):
        try:
            start, end = float(row["start"]), float(row["end"])
        except ValueError:
            start = end = math.nan
        if not 0 <= start < end:
            raise DataError(f"{where}: start {row['start']!r}, end {row['end']!r}; expected "
                            "seconds, the start first")  # fmt: skip
        clip = row["clip"]
        segments.setdefault(clip, []).append(Segment(start, end, _label(row["label"], where)))
        if not (path.parent / clip).exists():
            raise DataError(f"{where}: clip {clip!r}: no such file beside the CSV")
        if subjects.setdefault(clip, row.get("subject") or None) != (row.get("subject") or None):
            raise DataError(f"{where}: clip {clip!r} with two subjects; expected one")
    for clip in sorted(segments):
        own = sorted(segments[clip], key=lambda segment: segment.start)
        for before, after in pairwise(own):
            if after.start < before.end:
                raise DataError(
                    f"{path}: clip {clip!r}: segments from {before.start:g} and {after.start:g} s "
                    "overlap; expected one label at a time"
                )
        place = path.parent / clip
        if place.is_dir():
            yield LabelledSequence(clip, tuple(own), frames=_images(place),
                                   subject_id=subjects[clip])  # fmt: skip
        else:
            yield LabelledSequence(clip, tuple(own), clip=place, subject_id=subjects[clip])


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row of a CSV stands, and the row."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not set(columns) <= set(rows.fieldnames or ()):
            raise DataError(f"{path}: columns {', '.join(rows.fieldnames or ())}; expected "
                            f"{', '.join(columns)}")  # fmt: skip
        for row in rows:
            if None in row or None in row.values():
                raise DataError(f"{path}, line {rows.line_num}: expected a value for each column")
            yield f"{path}, line {rows.line_num}", row


def _label(name: str, where: str) -> str:
    try:
        return canonical_label(name)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _images(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    shown = (p for p in folder.iterdir() if not p.name.startswith("."))
    return tuple(sorted(p for p in shown if p.suffix.lower() in SUFFIXES))


def labels_of(sequences: tuple[LabelledSequence, ...]) -> tuple[str, ...]:
    """Labels that occur, in the order of :data:`fer_cbam.labels.EMOTIONS`."""
    found = {segment.label for one in sequences for segment in one.segments}
    return tuple(emotion for emotion in EMOTIONS if emotion in found)
