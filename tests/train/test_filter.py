"""The filter's numbers are those that answer best among the ones that are not late."""

from __future__ import annotations

import numpy as np
import pytest

from eval.clips.methods import answers, smoothed
from eval.clips.readings import Readings, joined
from eval.clips.recorded import label_changes
from eval.clips.scores import clip_sums, measure
from fer_cbam.decide import Decision
from fer_cbam.smoothing.average import Average
from fer_cbam.smoothing.filter import Filter
from train.filter import ANEW, RATES, best_temperature, choose, log_loss

DECISION = Decision(("a", "b", "c"))
PRIOR = np.array([0.5, 0.3, 0.2])


def clip(number: int, seed: int, sure: float = 1.2) -> Readings:
    """Three seconds at 10 frames a second in which the label changes once, with noisy logits."""
    rng = np.random.default_rng([seed, number])
    first, second = rng.permutation(3)[:2]
    target = np.where(np.arange(30) < rng.integers(8, 22), first, second)
    times = np.arange(30) / 10
    logits = (sure * np.eye(3)[target] + rng.normal(0, 0.8, (30, 3))).astype(np.float32)
    return Readings(
        np.full(30, number), times, np.zeros((30, 1), np.float32), logits,
        np.zeros((30, 8), np.float32), target, np.eye(3, dtype=np.float32)[target],
        label_changes(times, target), 30,
    )  # fmt: skip


def test_the_best_that_is_not_late():
    readings = joined([clip(n, 0) for n in range(40)])
    best, lines = choose(readings, DECISION, PRIOR)
    assert len(lines) == len(RATES) * len(ANEW)
    probs = DECISION.posterior(readings.logits)

    def measured(smoother):
        said = answers(DECISION, smoothed(readings, probs, smoother), smoother)
        values = measure(clip_sums(readings, said, 3))
        score = (values["accuracy"][0] + values["balanced_accuracy"][0]) / 2
        return float(score), float(values["detection_seconds"][0])

    assert best.softens == best_temperature(
        readings,
        smoothed(readings, probs, Filter(DECISION.label_names, PRIOR, best.rate, best.anew)),
    )
    score, seconds = measured(best)
    average = measured(Average(DECISION.label_names))
    assert seconds <= average[1] and score > average[0]
    for rate in RATES:
        for anew in ANEW:
            other = measured(Filter(DECISION.label_names, PRIOR, rate, anew))
            assert other[1] > average[1] or other[0] <= score + 1e-9


def test_a_temperature_that_mends_the_log_loss():
    readings = joined([clip(n, 1) for n in range(30)])
    logits = readings.logits.astype(float) * 2.5  # too sure
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = best_temperature(readings, probs)
    assert found > 1.2

    def at(temperature: float) -> float:
        told = probs ** (1 / temperature)
        return log_loss(readings, told / told.sum(1, keepdims=True))

    assert at(found) <= min(at(found - 0.1), at(found + 0.1), at(1.0))
    known = np.full((2, 3), [0.5, 0.25, 0.25])
    two = clip(0, 0).rows(np.arange(30) < 2)
    expected = -np.log(0.5 if two.target[0] == 0 else 0.25)
    assert log_loss(two, known) == pytest.approx(expected)
