"""Who is who: the assignment of rows to columns with the least total cost.

The Hungarian method with shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987,
https://doi.org/10.1007/BF02278710), here because SciPy is 100 MB for forty lines.
"""

from __future__ import annotations

import numpy as np


def assign(cost: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column) of the least total cost, sorted by row; each row and column once.

    cost: finite numbers ``(N, M)``; all of the shorter side is assigned. O(N^2 M).

    Raises:
        ValueError: not two dimensions, or a number that is not finite.
    """
    cost = np.asarray(cost, np.float64)
    if cost.ndim != 2 or not np.isfinite(cost).all():
        raise ValueError(f"cost: got shape {cost.shape}; expected finite numbers (N, M)")
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T))
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)  # row that a column is given to
    for row in range(rows):
        _augment(row, cost, row_price, column_price, owner)
    return sorted((int(owner[column]), int(column)) for column in np.flatnonzero(owner >= 0))


def _augment(
    row: int, cost: np.ndarray, row_price: np.ndarray, column_price: np.ndarray, owner: np.ndarray
) -> None:
    """Give a column to one more row along the cheapest path; prices and owner change in place."""
    length = np.full(cost.shape[1], np.inf)  # of the cheapest path to each column
    came_from = np.full(cost.shape[1], -1)
    done = np.zeros(cost.shape[1], bool)
    current, column, reached = row, -1, 0.0
    while current >= 0:
        step = reached + cost[current] - row_price[current] - column_price
        shorter = ~done & (step < length)
        length[shorter], came_from[shorter] = step[shorter], column
        column = int(np.argmin(np.where(done, np.inf, length)))
        done[column], reached, current = True, float(length[column]), int(owner[column])
    row_price[row] += reached
    visited = done & (owner >= 0)
    row_price[owner[visited]] += reached - length[visited]
    column_price[done] -= reached - length[done]
    while column >= 0:
        previous = int(came_from[column])
        owner[column] = row if previous < 0 else owner[previous]
        column = previous
