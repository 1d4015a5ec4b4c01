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

Smoothing is an exponential moving average in seconds, not in frames, so that a slow machine smooths
as much as a fast one. What is remembered is plain numbers that travel with the frames: nobody's
history is kept here, and two people who watch at once cannot get each other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fer_cbam.decide import Decision
from fer_cbam.errors import FerError
from fer_cbam.types import Face, Recognition
from fer_cbam.video.assignment import assign

HALF_LIFE = 0.25  # seconds after which a new expression weighs as much as the old one
FORGET_AFTER = 1.0  # seconds that a face may be missed for
MAX_FACES = 64
MAX_DISTANCE = 0.7  # see `distances`: two boxes of one size, 0.62 of their side apart
STOPPED_PENALTY = 0.15  # a face is more likely to go on as it did than to stop dead
SPEED_HALF_LIFE = 0.1  # seconds; evens out the detector's jitter
SPEED_LASTS = 0.5  # seconds after which a face out of sight has slowed down to 1 / e
_MAX_TRACK = 2**31


@dataclass(frozen=True)
class RememberedFace:
    """A face of an earlier frame.

    track: its number. box: ``(x1, y1, x2, y2)`` in pixels. landmarks: x and y of the five, flat.
    speed: x and y in pixels a second. probs: smoothed. time: seconds.
    """

    track: int
    box: tuple[float, float, float, float]
    landmarks: tuple[float, ...]
    speed: tuple[float, float]
    probs: dict[str, float]
    time: float


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
    half_life: float = HALF_LIFE,
    forget_after: float = FORGET_AFTER,
) -> tuple[list[Tracked], Memory]:
    """Find out who is who and mix new probabilities with those remembered.

    time: of this frame, in seconds on any clock that runs evenly; if it runs backwards, everyone is
    new. decision: what is said of mixed probabilities, by default the most probable label, always.
    half_life: seconds; 0 does not smooth. forget_after: seconds that a face may be missed for.
    Returns the faces in the order of the recognitions, and the new memory: the faces seen now and
    those missed. A face whose labels are others than before starts anew under its number.
    """
    fresh = [face for face in memory.faces if 0 <= time - face.time <= forget_after]
    pairs = _pairs(fresh, recognitions, time)
    tracked, seen, next_track = [], [], memory.next_track
    for number, recognition in enumerate(recognitions):
        old = fresh[pairs[number]] if number in pairs else None
        track = next_track if old is None else old.track
        next_track += old is None
        probs = _mix(old, recognition, time, half_life)
        said = decision or Decision(tuple(probs))
        prediction = said.of_probs(probs, recognition.prediction.no_face)
        tracked.append(Tracked(track, replace(recognition, prediction=prediction)))
        seen.append(_remember(track, old, recognition.face, probs, time))
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


def _mix(
    old: RememberedFace | None, recognition: Recognition, time: float, half_life: float
) -> dict[str, float]:
    probs = dict(recognition.prediction.probs)
    if old is None or old.probs.keys() != probs.keys():
        return probs
    weight = 1 - 0.5 ** ((time - old.time) / half_life) if half_life > 0 else 1.0
    return {label: old.probs[label] + weight * (p - old.probs[label]) for label, p in probs.items()}


def _remember(
    track: int, old: RememberedFace | None, face: Face, probs: dict[str, float], time: float
) -> RememberedFace:
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
    return RememberedFace(track, face.box, landmarks, speed, probs, time)


def to_json(memory: Memory) -> dict[str, Any]:
    """Memory as plain values."""
    faces = [
        {
            "track": face.track,
            "box": list(face.box),
            "landmarks": list(face.landmarks),
            "speed": list(face.speed),
            "probs": face.probs,
            "time": face.time,
        }
        for face in memory.faces
    ]
    return {"faces": faces, "next_track": memory.next_track}


def from_json(values: Any) -> Memory:
    """Memory from :func:`to_json`, None for none yet; it came back from a browser, so nothing is
    taken on trust.

    Raises:
        FerError: it is anything else.
    """
    match values:
        case None:
            return Memory()
        case {"faces": list() as faces, "next_track": int() as next_track}:
            if len(faces) <= MAX_FACES and _is_track(next_track):
                return Memory(tuple(_remembered(face, next_track) for face in faces), next_track)
    raise FerError(f"memory: expected at most {MAX_FACES} faces and the next track's number")


def _remembered(value: Any, next_track: int) -> RememberedFace:
    match value:
        case {
            "track": track,
            "box": [_, _, _, _] as box,
            "landmarks": list() as landmarks,
            "speed": [_, _] as speed,
            "probs": dict() as probs,
            "time": time,
        } if len(landmarks) == 10 and _is_track(track) and track < next_track:
            if all(is_number(v) for v in (*box, *landmarks, *speed, *probs.values(), time)):
                x1, y1, x2, y2 = map(float, box)
                points = tuple(map(float, landmarks))
                x, y = map(float, speed)
                return RememberedFace(track, (x1, y1, x2, y2), points, (x, y), probs, float(time))
    raise FerError(
        "memory: expected faces with an earlier track, a box of 4 numbers, 10 of landmarks, 2 of "
        "speed, probs and a time"
    )


def _is_track(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_TRACK


def is_number(value: Any) -> bool:
    """A finite number of a size that box, probability or time may have."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and -1e15 < value < 1e15
