"""Scores of clips that are worked out by hand, and intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from eval.clips.readings import Readings, joined, kept_clips
from eval.clips.recorded import label_changes
from eval.clips.scores import (
    Answers,
    clip_sums,
    detection_times,
    intervals,
    measure,
    weighted_median,
)  # fmt: skip


def clip(number: int, target: list[int], seconds: list[float] | None = None) -> Readings:
    n = len(target)
    times = np.arange(n) / 2 if seconds is None else np.array(seconds)
    return Readings(
        np.full(n, number), times, np.zeros((n, 1), np.float32), np.zeros((n, 3), np.float32),
        np.zeros((n, 8), np.float32), np.array(target), np.zeros((n, 3), np.float32),
        label_changes(times, np.array(target)), n,
    )  # fmt: skip


def said(*labels: int, confidence: float = 1.0) -> Answers:
    return Answers(np.array(labels), np.full(len(labels), confidence))


def test_metrics_by_hand():
    """Two clips at 2 frames a second: one changes from 0 to 1 at 1 s, one is held."""
    readings = joined([clip(4, [0, 0, 1, 1, 1]), clip(7, [2, 2, 2])])
    answers = said(0, 1, 0, 1, 1, 2, 1, 2, confidence=0.75)
    values = {k: float(v[0]) for k, v in measure(clip_sums(readings, answers, 3)).items()}
    assert values["accuracy"] == pytest.approx(5 / 8)
    assert values["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    assert values["detection_seconds"] == pytest.approx(0.5)  # right from 1.5 s on
    # 5 pairs of frames in which the truth is held, of half a second each; 4 of them change.
    assert values["flicker_per_minute"] == pytest.approx(4 / (5 * 0.5 / 60))
    assert values["ece"] == pytest.approx(abs(5 / 8 - 0.75))


def test_a_change_that_is_not_found_takes_forever():
    target, seconds = np.array([0, 0, 1, 1, 0, 0]), np.arange(6) / 2
    change = label_changes(seconds, target)
    np.testing.assert_array_equal(change, [np.nan, np.nan, 1, 1, 2, 2])
    found = detection_times(seconds, target, np.array([0, 0, 0, 0, 0, 0]), change)
    assert found == [np.inf, 0.0]
    # What is right only after the truth has changed again was not found.
    assert detection_times(seconds, target, np.array([0, 0, 0, 0, 1, 1]), change) == [np.inf] * 2


def test_frames_that_are_not_labelled_count_nowhere():
    readings = clip(0, [0, -1, -1, 1])
    np.testing.assert_array_equal(readings.label_change, [np.nan, np.nan, np.nan, 1.5])
    values = measure(clip_sums(readings, said(0, 2, 2, 1), 3))
    assert values["accuracy"][0] == 1 and values["detection_seconds"][0] == 0
    assert np.isnan(values["flicker_per_minute"][0])  # no moment in which it is known to be held


def test_a_clip_drawn_twice_counts_twice():
    readings = joined([clip(0, [0, 0, 0, 0]), clip(1, [1, 1])])
    sums = clip_sums(readings, said(0, 0, 0, 0, 0, 0), 2)
    weights = np.array([[1, 2, 0], [1, 1, 2]], float)
    np.testing.assert_allclose(measure(sums, weights)["accuracy"], [4 / 6, 8 / 10, 0])


def test_weighted_median():
    values = np.array([3.0, 1.0, 2.0])
    weights = np.array([[1, 0, 5, 0], [1, 3, 1, 0], [1, 1, 1, 0.0]])
    np.testing.assert_array_equal(weighted_median(values, weights), [2, 1, 3, np.nan])


def test_intervals_are_over_clips_and_gains_over_pairs():
    rng = np.random.default_rng(0)
    parts = [clip(n, [0] * 10) for n in range(80)]
    readings = joined(parts)
    worse = (rng.random(80) < 0.3).repeat(10).astype(int)  # whole clips are wrong
    better = worse * (rng.random(80) < 0.8).repeat(10)
    sums = {name: clip_sums(readings, said(*labels), 2)
            for name, labels in (("base", worse), ("mine", better))}  # fmt: skip
    report = intervals(sums, "base")
    apart = intervals(sums, "base", np.arange(len(sums["base"].frames)) * 10)
    assert apart["mine"]["accuracy"] == report["mine"]["accuracy"]  # numbers are names
    together = intervals(sums, "base", np.zeros(len(sums["base"].frames), int))
    assert len({round(number, 9) for number in together["base"]["accuracy"].values()}) == 1
    entry = report["base"]["accuracy"]
    p = entry["value"]
    # As many independent clips: about 1.96 standard errors to either side.
    half = 1.96 * np.sqrt(p * (1 - p) / 80)
    assert entry["high"] - entry["low"] == pytest.approx(2 * half, rel=0.15)
    gain = report["mine"]["accuracy_gain"]
    assert gain["value"] == pytest.approx((worse.sum() - better.sum()) / 800)
    # Pairs hang together: never a loss, where in no clip there is one.
    assert gain["low"] >= 0
    assert "accuracy_gain" not in report["base"]


def test_clips_are_kept_by_their_number():
    readings = joined([clip(3, [0, 1]), clip(5, [1]), clip(9, [2, 2])])
    assert [(s.start, s.stop) for s in readings.clips()] == [(0, 2), (2, 3), (3, 5)]
    assert kept_clips(readings, np.array([3, 9])).target.tolist() == [0, 1, 2, 2]
