"""Which label is said: the numbers of ``decision`` in config.json, chosen on one data set.

What is looked for is a mean, ``(1 - aim) * accuracy + aim * balanced accuracy``, under two rules.

A label is said only where it is right at least one time in three. Of those that are not, the worst
is said less readily, step by step, until it is, or is said no more (``silent``). What is known of a
label that is rarely said is little, so the lower end of its precision counts (Wilson 1927,
https://doi.org/10.1080/01621459.1927.10502953, one standard error), and fewer than `LEAST_SAID`
answers count for nothing.

Of all balances and shifts of neutral whose mean is within one standard error of the best (the rule
of Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), the one is taken that
says neutral least often, though not less often than one label of so many. Data cannot tell these
points apart, but a third of FER+ is neutral, which faces elsewhere are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval import metrics as m
from fer_cbam.prior import balance_offset

LEAST_PRECISION = 1 / 3
LEAST_SAID = 5  # answers from which a precision is known at all
AIM = 0.5  # accuracy and balanced accuracy count alike
BALANCES = tuple(round(0.1 * i, 1) for i in range(11))
NEUTRAL_SHIFTS = tuple(round(-0.1 * i, 1) for i in range(16))
STEP = 0.1  # nats
NEUTRAL = "neutral"
_DRAWS = 500


@dataclass(frozen=True, eq=False)
class Point:
    """One way to say labels. balance, shift, silent: see :mod:`fer_cbam.decide`. said: the
    positions it gives, int ``(N,)``. mean: what is looked for."""

    balance: float
    shift: dict[str, float]
    silent: tuple[str, ...]
    said: np.ndarray
    mean: float

    def values(self) -> dict[str, Any]:
        """As ``decision`` in config.json."""
        shift = {label: round(value, 2) for label, value in self.shift.items() if value}
        return {"balance": self.balance, "shift": shift, "silent": list(self.silent)}


def wilson_lower(right: np.ndarray, n: np.ndarray, z: float = 1.0) -> np.ndarray:
    """Lower end of the score interval of shares ``right / n``; 0 where n is 0."""
    n = np.maximum(np.asarray(n, np.float64), 1e-12)
    share = right / n
    spread = z * np.sqrt(share * (1 - share) / n + (z / n) ** 2 / 4)
    lower: np.ndarray = (share + z * z / n / 2 - spread) / (1 + z * z / n)
    return np.maximum(lower, 0.0)


def honest(log_probs: np.ndarray, targets: np.ndarray, lift: np.ndarray) -> np.ndarray:
    """A lift ``(L,)`` lowered until every label that is said is right often enough; -inf for those
    that are then not said at all.

    log_probs: ``(N, L)``. targets: int ``(N,)``, positions in them.
    """
    lift = np.array(lift, np.float64)
    while True:
        said = (log_probs + lift).argmax(1)
        n = np.bincount(said, minlength=len(lift))
        right = np.bincount(said[said == targets], minlength=len(lift))
        lower = np.where(n < LEAST_SAID, 0.0, wilson_lower(right, n))
        wrong = np.flatnonzero((n > 0) & (lower < LEAST_PRECISION))
        if not len(wrong):
            return np.where(n > 0, lift, -np.inf)
        lift[wrong[lower[wrong].argmin()]] -= STEP


def weighed(said: np.ndarray, targets: np.ndarray, count: int, aim: float) -> float:
    """The mean that is looked for. count: of labels."""
    matrix = m.confusion_matrix(targets, said, count)
    return float((1 - aim) * m.accuracy(matrix) + aim * m.balanced_accuracy(matrix))


def points(
    probs: np.ndarray, targets: np.ndarray, labels: Sequence[str], prior: np.ndarray,
    aim: float = AIM, balances: Sequence[float] = BALANCES,
    neutral_shifts: Sequence[float] = NEUTRAL_SHIFTS,
) -> Iterator[Point]:  # fmt: skip
    """Every balance with every shift of neutral, each kept honest.

    probs: calibrated, ``(N, L)``. targets: int ``(N,)``, positions in labels. prior: share of each
    label that probs are calibrated for, ``(L,)``.
    """
    names, neutral = list(labels), np.array([label == NEUTRAL for label in labels])
    logs = np.log(np.maximum(probs, np.finfo(np.float64).tiny))
    log_prior = dict(zip(names, np.log(prior), strict=True))
    for balance in balances:
        offset = balance_offset(log_prior, balance)
        offsets = np.array([offset[label] for label in names])
        for shift in neutral_shifts if neutral.any() else (0.0,):
            lift = honest(logs, targets, offsets + shift * neutral)
            said = (logs + lift).argmax(1)
            heard = np.isfinite(lift)
            yield Point(
                balance,
                {k: float(v) for k, v, h in zip(names, lift - offsets, heard, strict=True) if h},
                tuple(k for k, h in zip(names, heard, strict=True) if not h),
                said,
                weighed(said, targets, len(names), aim),
            )


def standard_error(said: np.ndarray, targets: np.ndarray, count: int, aim: float) -> float:
    """Of `weighed`, by the bootstrap."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(said), (_DRAWS, len(said)))
    return float(np.std([weighed(said[d], targets[d], count, aim) for d in draws], ddof=1))


def choose(
    probs: np.ndarray, targets: np.ndarray, labels: Sequence[str], prior: np.ndarray,
    aim: float = AIM,
) -> Point:  # fmt: skip
    """The point that the rules at the head of this file give; for the arguments see `points`."""
    found = list(points(probs, targets, labels, prior, aim))
    best = max(found, key=lambda point: point.mean)
    least = best.mean - standard_error(best.said, targets, len(labels), aim)
    if NEUTRAL not in labels:
        return best
    neutral = list(labels).index(NEUTRAL)
    heard = {id(point): float((point.said == neutral).mean()) for point in found}
    near = [p for p in found if p.mean >= least and heard[id(p)] >= 1 / len(labels)]
    return min(near, key=lambda p: (heard[id(p)], -p.mean), default=best)
