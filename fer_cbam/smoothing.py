"""Probabilities smoothed over time, for each face of a live picture.

An exponential moving average in seconds, not in frames, so that a slow machine smooths as much as a
fast one. What is remembered is plain numbers that travel with the frames: nobody's history is kept
here, and two people who watch at once cannot get each other's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fer_cbam.decide import decide
from fer_cbam.errors import FerError
from fer_cbam.types import Recognition

HALF_LIFE = 0.25  # seconds after which a new expression weighs as much as the old one
FORGET_AFTER = 0.7  # seconds that a face may be missed for
MAX_SHIFT = 0.6  # distance of two boxes' centres, in sides of the larger, that is still one face
MAX_FACES = 64


@dataclass(frozen=True)
class RememberedFace:
    """A face of an earlier frame: its box in pixels, smoothed probabilities, time in seconds."""

    box: tuple[float, float, float, float]
    probs: dict[str, float]
    time: float


def smooth(
    memory: Sequence[RememberedFace],
    recognitions: Sequence[Recognition],
    time: float,
    uncertain_below: float = 0.0,
) -> tuple[list[Recognition], list[RememberedFace]]:
    """Mix new probabilities with those remembered for the same face.

    memory: faces of earlier frames. time: of this frame, in seconds on any clock that runs evenly.
    Returns the recognitions with smoothed predictions, and the new memory: the faces seen now, and
    those missed for less than ``FORGET_AFTER``. Each face takes the nearest remembered box that no
    nearer face takes, if its centre has moved by less than ``MAX_SHIFT`` of its side.
    """
    fresh = [face for face in memory if 0 <= time - face.time <= FORGET_AFTER]
    pairs = _nearest(fresh, recognitions)
    smoothed = []
    for number, recognition in enumerate(recognitions):
        probs = dict(recognition.prediction.probs)
        old = fresh[pairs[number]] if number in pairs else None
        if old is not None and old.probs.keys() == probs.keys():
            weight = 1 - 0.5 ** ((time - old.time) / HALF_LIFE)
            probs = {k: old.probs[k] + weight * (p - old.probs[k]) for k, p in probs.items()}
        smoothed.append(replace(recognition, prediction=decide(probs, uncertain_below)))
    seen = [RememberedFace(r.face.box, dict(r.prediction.probs), time) for r in smoothed]
    missed = [face for i, face in enumerate(fresh) if i not in pairs.values()]
    return smoothed, [*seen, *missed][:MAX_FACES]


def _nearest(
    memory: Sequence[RememberedFace], recognitions: Sequence[Recognition]
) -> dict[int, int]:
    """Number of a recognition -> number of its remembered face; closest pairs first."""
    distances = sorted(
        (_shift(recognition.face.box, face.box), i, j)
        for i, recognition in enumerate(recognitions)
        for j, face in enumerate(memory)
    )
    pairs: dict[int, int] = {}
    for distance, i, j in distances:
        if distance < MAX_SHIFT and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _shift(a: Sequence[float], b: Sequence[float]) -> float:
    """Distance of two boxes' centres, in sides of the larger box."""
    side = max(a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1], 1e-6)
    return math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2 / side


def to_json(memory: Sequence[RememberedFace]) -> list[dict[str, Any]]:
    """Memory as plain values."""
    return [{"box": list(f.box), "probs": f.probs, "time": f.time} for f in memory]


def from_json(values: Any) -> list[RememberedFace]:
    """Memory from :func:`to_json`; it came back from a browser, so nothing is taken on trust.

    Raises:
        FerError: it is anything else.
    """
    if not isinstance(values, list) or len(values) > MAX_FACES:
        raise FerError(f"memory: expected a list of at most {MAX_FACES} faces")
    return [_remembered(value) for value in values]


def _remembered(value: Any) -> RememberedFace:
    match value:
        case {"box": [_, _, _, _] as box, "probs": dict() as probs, "time": time}:
            if all(is_number(v) for v in (*box, *probs.values(), time)):
                x1, y1, x2, y2 = map(float, box)
                return RememberedFace((x1, y1, x2, y2), probs, float(time))
    raise FerError("memory: expected faces with a box of 4 numbers, probs and a time")


def is_number(value: Any) -> bool:
    """A finite number of a size that box, probability or time may have."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and -1e15 < value < 1e15
