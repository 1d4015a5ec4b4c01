"""Quarter turns by hand, and there and back."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.detect.quarter_turns import turned, turned_back

IMAGE = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)  # 5 wide, 3 high


def row_of(x: float, y: float, w: float, h: float) -> np.ndarray:
    """A box with its landmarks at the centres of the pixels in its upper left corner."""
    return np.array([[x, y, w, h, *[x, y] * 5, 0.9]])


@pytest.mark.parametrize(
    ("quarters", "found", "box", "point"),
    [
        (0, (1, 0, 2, 1), (1, 0, 2, 1), (1, 0)),
        # One quarter anticlockwise: the image's right edge is on top.
        (1, (0, 0, 1, 2), (3, 0, 2, 1), (4, 0)),
        (2, (0, 0, 2, 1), (3, 2, 2, 1), (4, 2)),
        (3, (0, 0, 1, 2), (0, 2, 2, 1), (0, 2)),
    ],
)
def test_by_hand(quarters, found, box, point):
    (row,) = turned_back(row_of(*found), quarters, IMAGE)
    assert row[:4].tolist() == list(box)
    assert row[4:14].reshape(5, 2).tolist() == [list(point)] * 5
    assert row[14] == 0.9
    # The same pixel of the picture that was turned.
    x, y = (int(v) for v in found[:2])
    np.testing.assert_array_equal(turned(IMAGE, quarters)[y, x], IMAGE[point[1], point[0]])


@pytest.mark.parametrize("quarters", range(4))
def test_four_quarters_are_none(quarters):
    rows = np.random.default_rng(0).uniform(0, 3, (4, 15))
    once = turned_back(rows, quarters, turned(IMAGE, 4 - quarters))
    np.testing.assert_allclose(turned_back(once, 4 - quarters, IMAGE), rows, atol=1e-12)
    assert turned_back(rows[:0], quarters, IMAGE).shape == (0, 15)
