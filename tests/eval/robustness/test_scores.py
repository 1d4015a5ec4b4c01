"""Scores of corruption, worked out by hand, and their bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from eval.robustness import scores

CLEAN = np.array([1, 1, 1, 0], bool)
HITS = {
    "noise": np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool),  # right 0.5, then 0.25
    "mask": np.array([[0, 0, 0, 1]], bool),  # 0.25
}
SVM = {"noise": np.zeros((2, 4), bool), "mask": np.array([[1, 1, 0, 0]], bool)}


def test_by_hand():
    assert scores.accuracy(CLEAN) == 0.75
    assert scores.corruption_error(HITS["noise"]) == 0.625
    assert scores.relative_accuracy(HITS["noise"], CLEAN) == 0.375 / 0.75
    assert scores.mean_over(scores.corruption_error, HITS) == (0.625 + 0.75) / 2
    assert scores.mean_over(scores.relative_accuracy, HITS, CLEAN) == pytest.approx(
        (1 / 2 + 1 / 3) / 2
    )
    assert scores.mce(HITS, SVM) == pytest.approx((0.625 / 1 + 0.75 / 0.5) / 2)
    assert scores.mce(SVM, SVM) == 1


def test_weights_are_copies_of_samples():
    counts = np.array([[2.0, 1], [0, 1], [1, 1], [1, 1]])
    drawn = [0, 0, 2, 3]
    for function, arguments in (
        (scores.corruption_error, ()),
        (scores.relative_accuracy, (CLEAN,)),
    ):
        whole = function(HITS["noise"], *arguments)
        copies = function(HITS["noise"][:, drawn], *(a[drawn] for a in arguments))
        got = function(HITS["noise"], *arguments, counts)
        np.testing.assert_allclose(got, [copies, whole])
