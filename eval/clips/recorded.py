"""Recorded sequences of people (:mod:`fer_cbam.data.sequences`), read as made clips are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from eval.clips.readings import Readings, joined
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.data.sequences import FRAME_RATE, LabelledSequence
from fer_cbam.detect import FaceDetector
from fer_cbam.errors import DataError
from fer_cbam.images import decode_image
from fer_cbam.smoothing.cues import cues
from fer_cbam.video.clip import ClipReader

UNKNOWN = -1  # target of a frame of which nothing is known


def read_recorded(
    backend: Backend, detector: FaceDetector, sequences: Sequence[LabelledSequence]
) -> Readings:
    """The largest face of each frame of labelled sequences. Frames without one are left out; those
    between labels have the target ``UNKNOWN`` and a target_probs of zeros.

    Raises:
        DataError: a label that the weights do not know, or no face in any frame.
    """
    names = backend.label_names
    unknown = {s.label for one in sequences for s in one.segments} - set(names)
    if unknown:
        raise DataError(
            f"labels {', '.join(sorted(unknown))}; expected some of {', '.join(names)}, which the "
            "weights know"
        )
    shown = enumerate(tqdm(sequences, desc="sequences", disable=None))
    parts = [_read(backend, detector, number, one) for number, one in shown]
    found = [part for part in parts if part is not None]
    if not found:
        raise DataError(f"{len(sequences)} sequences: no face in any frame; expected some")
    return joined(found)


def _read(
    backend: Backend, detector: FaceDetector, number: int, sequence: LabelledSequence
) -> Readings | None:
    times, crops, seen = [], [], []
    delivered = 0
    for seconds, image in frames_of(sequence):
        delivered += 1
        faces = detector.detect(image)
        if faces:
            crops.append(backend.preprocess.align(image, faces[0])[0])
            seen.append(cues(faces[0], crops[-1]))
            times.append(seconds)
    if not crops:
        return None
    forward = forward_many(backend, crops)
    assert forward.embedding is not None  # asked of the weights before
    target = np.array([_position(backend, sequence.label_at(t)) for t in times])
    probs = np.eye(len(backend.label_names) + 1, dtype=np.float32)[target, :-1]
    return Readings(
        np.full(len(times), number), np.array(times), forward.embedding, forward.logits,
        np.stack(seen), target, probs, label_changes(np.array(times), target), delivered,
    )  # fmt: skip


def _position(backend: Backend, label: str | None) -> int:
    return UNKNOWN if label is None else backend.label_names.index(label)


def label_changes(seconds: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Seconds of the latest change of the label up to each frame, NaN where there was none: of the
    first frame of the new one, where the frames between are not labelled. ``(T,)`` each."""
    found = np.full(len(target), np.nan)
    last, change = UNKNOWN, np.nan
    for i, now in enumerate(target):
        if now != UNKNOWN:
            if last not in (UNKNOWN, now):
                change = seconds[i]
            last = now
        found[i] = change
    return found


def frames_of(sequence: LabelledSequence) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and RGB uint8 ``(H, W, 3)`` of each frame.

    Raises:
        ImageError, VideoError: what cannot be read, by its name.
    """
    if sequence.clip is None:
        for i, path in enumerate(sequence.frames):
            yield i / FRAME_RATE, decode_image(path)
        return
    with ClipReader(sequence.clip) as reader:
        for frame in reader.frames(1, all_images=True):
            if frame.image is not None:
                yield frame.time, frame.image


def by_subject(
    sequences: Sequence[LabelledSequence], share: float = 0.2
) -> tuple[list[LabelledSequence], list[LabelledSequence]]:
    """Sequences to learn from, and about a share of them to be held out; whole people, and where
    they are not known whole sequences, every n-th of the sorted names.

    Raises:
        DataError: fewer than two people or sequences.
    """
    names = sorted({s.subject_id or s.sequence_id for s in sequences})
    if len(names) < 2:
        raise DataError(f"{len(names)} people or sequences; expected two or more, to hold some out")
    held = set(names[:: max(2, round(1 / share))])
    kept = [s for s in sequences if (s.subject_id or s.sequence_id) not in held]
    return kept, [s for s in sequences if (s.subject_id or s.sequence_id) in held]
