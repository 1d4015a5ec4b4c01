"""Faces followed from frame to frame, and their probabilities smoothed over time.

For webcam and video alike::

    memory = Memory()
    for time, recognitions in frames:  # seconds
        tracked, memory = follow(memory, recognitions, time)
        for face in tracked:
            face.track, face.recognition  # a number that stays, a smoothed recognition

A face is found again by where it should be by now: each remembered one is moved on by its own
speed, pairs are compared by overlap (IoU) and distance of landmarks, and all are assigned at once
so that the total is least (the scheme of SORT, Bewley et al., ICIP 2016,
https://arxiv.org/abs/1602.00763, with landmarks beside boxes and a fading speed in place of the
Kalman filter). Two people who cross keep their numbers, as each goes on in its own direction.

What is said of a face over time is a smoother's part (:mod:`fer_cbam.smoothing`). What is
remembered travels with the frames: nobody's history is kept here, and two people who watch at once
cannot get each other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fer_cbam.decide import Decision
from fer_cbam.smoothing.average import Average
from fer_cbam.smoothing.base import Seen, Smoother, State
from fer_cbam.types import Face, Recognition
from fer_cbam.video.assignment import assign

FORGET_AFTER = 1.0  # seconds that a face may be missed for
MAX_FACES = 64
MAX_DISTANCE = 0.7  # see `distances`: two boxes of one size, 0.62 of their side apart
STOPPED_PENALTY = 0.15  # a face is more likely to go on as it did than to stop dead
SPEED_HALF_LIFE = 0.1  # seconds; evens out the detector's jitter
SPEED_LASTS = 0.5  # seconds after which a face out of sight has slowed down to 1 / e


@dataclass(frozen=True)
class RememberedFace:
    """A face of an earlier frame.

    track: its number. box: ``(x1, y1, x2, y2)`` in pixels. landmarks: x and y of the five, flat.
    speed: x and y in pixels a second. time: seconds. state: what its smoother remembers of it.
    smoother: whose state that is, name and labels.
    """

    track: int
    box: tuple[float, float, float, float]
    landmarks: tuple[float, ...]
    speed: tuple[float, float]
    time: float
    state: State = ()
    smoother: tuple[str, ...] = ()


@dataclass(frozen=True)
class Memory:
    """What one frame leaves to the next. next_track: the number of the next new face, from 1; none
    is given twice."""

    faces: tuple[RememberedFace, ...] = ()
    next_track: int = 1


@dataclass(frozen=True, eq=False)
class Tracked:
    """A recognition with its prediction smoothed, and the number of the face it belongs to."""

    track: int
    recognition: Recognition


def follow(
    memory: Memory,
    recognitions: Sequence[Recognition],
    time: float,
    decision: Decision | None = None,
    smoother: Smoother | None = None,
    forget_after: float = FORGET_AFTER,
) -> tuple[list[Tracked], Memory]:
    """Find out who is who, and what to say of each with what is remembered.

    time: of this frame, in seconds on any clock that runs evenly; if it runs backwards, everyone is
    new. decision: what is said of smoothed probabilities, by default the most probable label,
    always. smoother: by default an average. forget_after: seconds that a face may be missed for.
    Returns the faces in the order of the recognitions, and the new memory: the faces seen now and
    those missed. A face that another smoother, or one of other labels, remembered starts anew under
    its number.
    """
    fresh = [face for face in memory.faces if 0 <= time - face.time <= forget_after]
    pairs = _pairs(fresh, recognitions, time)
    tracked, seen, next_track = [], [], memory.next_track
    for number, recognition in enumerate(recognitions):
        old = fresh[pairs[number]] if number in pairs else None
        track = next_track if old is None else old.track
        next_track += old is None
        labels = tuple(recognition.prediction.probs)
        own = smoother if smoother and smoother.label_names == labels else Average(labels)
        probs, state = _smoothed(own, old, recognition, time)
        said = (decision or Decision(labels)).softened(own.softens)
        prediction = said.of_probs(probs, recognition.prediction.no_face)
        tracked.append(Tracked(track, replace(recognition, prediction=prediction)))
        seen.append(_remember(track, old, recognition.face, time, state, (own.name, *labels)))
    missed = [face for i, face in enumerate(fresh) if i not in pairs.values()]
    return tracked, Memory((*seen, *missed)[:MAX_FACES], next_track)


def distances(
    boxes: np.ndarray, landmarks: np.ndarray, other_boxes: np.ndarray, other_landmarks: np.ndarray
) -> np.ndarray:
    """How far faces are from other places: ``(N, M)`` from boxes ``(N, 4)``, ``(M, 4)`` and
    landmarks ``(N, 5, 2)``, ``(M, 5, 2)``.

    Each is the mean of 1 - IoU of the boxes and of the mean distance of the landmarks in sides of
    the smaller box. 0 is the very place.
    """
    a, b = boxes[:, None], other_boxes[None]
    shared = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0)
    area_a, area_b = ((c[..., 2:] - c[..., :2]).clip(0).prod(-1) for c in (a, b))
    intersection = shared.prod(-1)
    iou = intersection / np.maximum(area_a + area_b - intersection, 1e-9)
    apart = np.linalg.norm(landmarks[:, None] - other_landmarks[None], axis=-1).mean(-1)
    found: np.ndarray = (1 - iou + apart / np.sqrt(np.minimum(area_a, area_b).clip(1e-9))) / 2
    return found


def _pairs(
    memory: Sequence[RememberedFace], recognitions: Sequence[Recognition], time: float
) -> dict[int, int]:
    """Number of a recognition -> number of its remembered face."""
    if not memory or not recognitions:
        return {}
    # To leave a face unmatched costs as much as the worst match. Otherwise one that left and one
    # that came would be matched at the price of everyone between them.
    costs = np.minimum(_costs(memory, recognitions, time), MAX_DISTANCE)
    return {i: j for i, j in assign(costs) if costs[i, j] < MAX_DISTANCE}


def _costs(
    memory: Sequence[RememberedFace], recognitions: Sequence[Recognition], time: float
) -> np.ndarray:
    """Distance of each recognition from where each old face should be by now, or was last."""
    boxes = np.array([r.face.box for r in recognitions])
    landmarks = np.array([r.face.landmarks for r in recognitions])
    old_boxes = np.array([face.box for face in memory])
    old_landmarks = np.array([face.landmarks for face in memory]).reshape(-1, 5, 2)
    passed = np.array([time - face.time for face in memory])
    seconds = SPEED_LASTS * (1 - np.exp(-passed / SPEED_LASTS))
    shift = np.array([face.speed for face in memory]) * seconds[:, None]
    moved = distances(
        boxes, landmarks, old_boxes + np.tile(shift, 2), old_landmarks + shift[:, None]
    )
    stopped = distances(boxes, landmarks, old_boxes, old_landmarks)
    costs: np.ndarray = np.minimum(moved, stopped + STOPPED_PENALTY)
    return costs


def _smoothed(
    smoother: Smoother, old: RememberedFace | None, recognition: Recognition, time: float
) -> tuple[dict[str, float], State]:
    known = old is not None and old.smoother == (smoother.name, *smoother.label_names)
    state, passed = (old.state, time - old.time) if old is not None and known else (None, 0.0)
    probs, new = smoother.step(Seen.of(recognition, smoother.needs_cues), passed, state)
    return dict(zip(smoother.label_names, probs.tolist(), strict=True)), new


def _remember(
    track: int, old: RememberedFace | None, face: Face, time: float, state: State,
    smoother: tuple[str, ...],
) -> RememberedFace:  # fmt: skip
    speed = (0.0, 0.0)
    if old is not None:
        speed = old.speed
        passed = time - old.time
        if passed > 0:
            weight = 1 - 0.5 ** (passed / SPEED_HALF_LIFE)
            now = [
                (face.box[i] + face.box[i + 2] - old.box[i] - old.box[i + 2]) / 2 / passed
                for i in (0, 1)
            ]
            speed = (
                speed[0] + weight * (now[0] - speed[0]),
                speed[1] + weight * (now[1] - speed[1]),
            )
    landmarks = tuple(float(v) for v in face.landmarks.ravel())
    return RememberedFace(track, face.box, landmarks, speed, time, state, smoother)


def is_number(value: Any) -> bool:
    """A finite number of a size that box, probability or time may have."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and -1e15 < value < 1e15
