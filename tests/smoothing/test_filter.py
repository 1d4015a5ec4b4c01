"""The filter against Bayes' rule by hand, and against a plain sum over all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fer_cbam.smoothing.filter import Filter
from tests.smoothing.frames import seen

LABELS = ("a", "b", "c")
PRIOR = np.array([0.5, 0.3, 0.2])


def test_the_first_frame_is_believed_as_it_is():
    probs, _ = Filter(LABELS, PRIOR, rate=1, anew=0.3).step(seen([0.6, 0.3, 0.1]), 5.0, None)
    np.testing.assert_allclose(probs, [0.6, 0.3, 0.1])


def test_it_is_the_sum_over_all_paths():
    """Three frames 0.2 s apart, by brute force over 27 paths of labels."""
    frames = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4]]
    kept = np.exp(-1.5 * 0.2)
    step = kept * np.eye(3) + (1 - kept) * PRIOR
    expected = np.zeros(3)
    for path in itertools.product(range(3), repeat=3):
        weight = PRIOR[path[0]]
        for before, after in itertools.pairwise(path):
            weight *= step[before, after]
        for label, probs in zip(path, frames, strict=True):
            weight *= probs[label] / PRIOR[label]
        expected[path[-1]] += weight
    state, smoother = None, Filter(LABELS, PRIOR, rate=1.5, anew=0)
    for probs in frames:
        told, state = smoother.step(seen(probs), 0.2, state)
    np.testing.assert_allclose(told, expected / expected.sum())


def test_a_frame_that_says_nothing_lets_the_belief_fade():
    smoother = Filter(LABELS, PRIOR, rate=2.0, anew=0)
    _, state = smoother.step(seen([0.9, 0.05, 0.05]), 0, None)
    told, _ = smoother.step(seen(PRIOR), 0.5, state)
    kept = np.exp(-1)
    np.testing.assert_allclose(told, kept * np.array([0.9, 0.05, 0.05]) + (1 - kept) * PRIOR)
    told, _ = smoother.step(seen(PRIOR), 1e6, state)
    np.testing.assert_allclose(told, PRIOR)


def test_frames_close_together_count_less():
    smoother = Filter(LABELS, PRIOR, rate=0, anew=0.3)
    _, state = smoother.step(seen([0.6, 0.3, 0.1]), 0, None)
    again, _ = smoother.step(seen([0.6, 0.3, 0.1]), 0.0, state)
    np.testing.assert_allclose(again, [0.6, 0.3, 0.1])  # the very same moment adds nothing
    told, _ = smoother.step(seen([0.6, 0.3, 0.1]), 0.3 * np.log(2), state)  # counts half
    expected = np.array([0.6, 0.3, 0.1]) * np.sqrt(np.array([0.6, 0.3, 0.1]) / PRIOR)
    np.testing.assert_allclose(told, expected / expected.sum())


def test_softening_changes_what_is_told_and_not_what_is_remembered():
    plain, soft = (Filter(LABELS, PRIOR, 1.0, 0.0, t) for t in (1.0, 2.0))
    first, state = plain.step(seen([0.6, 0.3, 0.1]), 0, None)
    told, same = soft.step(seen([0.6, 0.3, 0.1]), 0, None)
    assert same == state
    np.testing.assert_allclose(told, np.sqrt(first) / np.sqrt(first).sum())


@pytest.mark.parametrize("probs", [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
def test_certainty_is_never_final(probs):
    smoother = Filter(LABELS, PRIOR, rate=0.5, anew=0)
    state = None
    for _ in range(200):
        told, state = smoother.step(seen(probs), 0.1, state)
    assert np.isfinite(told).all() and told.argmax() == np.argmax(probs)
    for _ in range(3):
        told, state = smoother.step(seen([0.0, 1.0, 0.0]), 0.1, state)
    assert told.argmax() == 1
