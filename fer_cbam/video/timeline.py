"""The emotions of one face over time, in bounded space.

Probabilities are averaged in steps of time. A live picture keeps the last 30 seconds; a clip keeps
all of its time in steps that double whenever there are too many, so that an hour takes no more
space than a minute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LIVE_SECONDS = 30.0


@dataclass(frozen=True)
class TimelinePoint:
    """One step. time: its middle, in seconds. probs: label -> mean probability, or None where the
    face was not seen."""

    time: float
    probs: Mapping[str, float] | None


class Timeline:
    """Means of probabilities in steps of time.

    step: seconds. max_points: steps from the first to the last at most. rolling: when there are
    more, forget the oldest; otherwise double the step.
    """

    def __init__(self, step: float = 0.1, max_points: int = 600, rolling: bool = False) -> None:
        if step <= 0 or max_points < 2:
            raise ValueError(f"got step {step}, max_points {max_points}; expected > 0 and >= 2")
        self.step = step
        self.max_points = max_points
        self.rolling = rolling
        self._bins: dict[int, tuple[int, dict[str, float]]] = {}  # number -> count, sums

    @classmethod
    def live(cls, seconds: float = LIVE_SECONDS, step: float = 0.1) -> Timeline:
        """One that remembers the last seconds only."""
        return cls(step, max(2, round(seconds / step)), rolling=True)

    def add(self, time: float, probs: Mapping[str, float]) -> None:
        """Note the probabilities of a moment; time in seconds, not running backwards."""
        # In binary 0.3 // 0.1 is 2: a little slack, or every other frame falls a step too early.
        number = math.floor(time / self.step + 1e-6)
        self._bins[number] = _sum(self._bins.get(number), (1, dict(probs)))
        while number - min(self._bins) >= self.max_points:
            if self.rolling:
                kept = number - self.max_points
                self._bins = {n: value for n, value in self._bins.items() if n > kept}
            else:
                self._double()
                number //= 2

    def points(self) -> list[TimelinePoint]:
        """Every step from the first to the last with a face, in order; gaps have no probs."""
        if not self._bins:
            return []
        return [self._point(number) for number in range(min(self._bins), max(self._bins) + 1)]

    def _point(self, number: int) -> TimelinePoint:
        time = (number + 0.5) * self.step
        if number not in self._bins:
            return TimelinePoint(time, None)
        count, sums = self._bins[number]
        return TimelinePoint(time, {label: value / count for label, value in sums.items()})

    def _double(self) -> None:
        old, self._bins, self.step = self._bins, {}, self.step * 2
        for number, value in old.items():
            self._bins[number // 2] = _sum(self._bins.get(number // 2), value)


def _sum(
    a: tuple[int, dict[str, float]] | None, b: tuple[int, dict[str, float]]
) -> tuple[int, dict[str, float]]:
    if a is None:
        return b
    return a[0] + b[0], {label: value + a[1][label] for label, value in b[1].items()}
