"""Frames that are skipped say what was said last, and their answers count like all others."""

from __future__ import annotations

import numpy as np
import pytest

from eval.clips.methods import single, smoothed
from eval.clips.readings import joined
from eval.clips.skips import EVERY, compare, every_nth, held, of_rate
from fer_cbam.decide import Decision
from fer_cbam.smoothing.average import Average
from tests.eval.clips.test_scores import clip

DECISION = Decision(("a", "b", "c"))


def two_clips():
    return joined([clip(4, [0, 0, 1, 1, 1]), clip(7, [2, 2, 2, 2])])


def test_every_third_of_each_clip():
    read, source = every_nth(two_clips(), 3)
    assert np.flatnonzero(read).tolist() == [0, 3, 5, 8]
    assert source.tolist() == [0, 0, 0, 3, 3, 5, 5, 5, 8]


def test_between_two_looks_the_last_answer_stands():
    readings = two_clips()
    probs = np.random.default_rng(0).dirichlet(np.ones(3), len(readings))
    found = held(readings, probs, single(DECISION), 2)
    np.testing.assert_allclose(found, probs[[0, 0, 2, 2, 4, 5, 5, 7, 7]])
    average = Average(DECISION.label_names, 0.5)
    np.testing.assert_allclose(held(readings, probs, average, 1),
                               smoothed(readings, probs, average))  # fmt: skip
    # A look one second after the last weighs as much as two that lie half a second apart.
    found = held(readings, probs, average, 2)
    np.testing.assert_allclose(found[2], probs[0] + 0.75 * (probs[2] - probs[0]))


def test_clips_of_a_rate():
    slow = clip(1, [0, 0, 0], [0, 0.5, 1.0])
    fast = clip(2, [0, 0, 0, 0], [0, 0.04, 0.08, 0.5])  # with a gap
    assert of_rate(joined([slow, fast, clip(3, [0])])).clip.tolist() == [2] * 4


def test_records_of_all():
    readings = two_clips()
    readings.logits[:] = 6 * np.eye(3)[readings.target]
    records = compare(readings, DECISION, {"single_frames": single(DECISION)})
    found = {(r["condition"], r["metric"]): r["value"] for r in records}
    assert {condition for condition, _ in found} == {f"every {n}" for n in EVERY}
    assert found["every 1", "accuracy"] == 1
    assert found["every 3", "accuracy"] == pytest.approx(8 / 9)  # one frame behind the change
    assert found["every 3", "accuracy_gain"] == pytest.approx(-1 / 9)
    assert found["every 3", "detection_seconds"] == pytest.approx(0.5)
