"""The assignment against SciPy's over random costs, and its errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from fer_cbam.video.assignment import assign


def check(cost: np.ndarray) -> None:
    pairs = assign(cost)
    rows, columns = linear_sum_assignment(cost)
    assert len(pairs) == len(rows) == min(cost.shape)
    assert pairs == sorted(pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(type(number) is int for pair in pairs for number in pair)
    total = sum(cost[pair] for pair in pairs)
    assert total == pytest.approx(cost[rows, columns].sum(), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2), (5, 5), (3, 8), (8, 3), (12, 9)])
def test_random_costs(shape):
    rng = np.random.default_rng(7)
    for _ in range(60):
        check(rng.random(shape))
        check(rng.normal(size=shape) * 1000)  # negative ones too
        check(rng.integers(-2, 3, shape).astype(float))  # many ties
        check(np.minimum(rng.random(shape), 0.4))  # as tracks cap them


def test_the_one_best_pairing_is_found():
    """A permutation with cost 0 among costs of 1: there is no other answer."""
    rng = np.random.default_rng(8)
    for size in range(1, 9):
        best = rng.permutation(size)
        cost = np.ones((size, size))
        cost[np.arange(size), best] = 0
        assert assign(cost) == list(enumerate(best))


def test_greed_does_not_pay():
    """The cheapest pair (0, 0) would force (1, 1) at 100: 101 against 2 + 3."""
    assert assign(np.array([[1.0, 2.0], [3.0, 100.0]])) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_nobody_to_assign(shape):
    assert assign(np.zeros(shape)) == []


def test_the_costs_are_left_as_they_were():
    cost = np.random.default_rng(9).random((4, 6))
    before = cost.copy()
    assign(cost)
    np.testing.assert_array_equal(cost, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_costs_that_are_no_numbers(bad):
    cost = np.zeros((2, 3))
    cost[1, 2] = bad
    with pytest.raises(ValueError, match=r"got shape \(2, 3\); expected finite numbers \(N, M\)"):
        assign(cost)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2)])
def test_costs_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"expected finite numbers \(N, M\)"):
        assign(np.zeros(shape))
