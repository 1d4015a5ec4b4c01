"""Pictures turned by quarters, and faces found in them turned back."""

from __future__ import annotations

import numpy as np


def turned(image: np.ndarray, quarters: int) -> np.ndarray:
    """The picture ``(H, W, 3)`` turned anticlockwise by so many quarters."""
    return np.ascontiguousarray(np.rot90(image, quarters))


def turned_back(rows: np.ndarray, quarters: int, image: np.ndarray) -> np.ndarray:
    """Rows ``(N, 15)`` found in ``turned(image, quarters)`` -> in pixels of the image.

    The landmarks keep their order, which is that of the face seen upright: of one that stands on
    its head the first eye lies on the image's right.
    """
    rows = rows.copy()
    height, width = image.shape[:2]
    for quarter in range(quarters % 4):
        # Each quarter back: x' = length - y, y' = x. length is the width of the picture that comes
        # out, which for the last quarter is the image itself.
        length = width if (quarters % 4 - quarter) % 2 else height
        x, y, w, h = rows[:, :4].T.copy()
        rows[:, :4] = np.column_stack([length - y - h, x, h, w])
        points = rows[:, 4:14].reshape(-1, 5, 2)
        back = np.stack([length - 1 - points[..., 1], points[..., 0]], axis=2)
        rows[:, 4:14] = back.reshape(-1, 10)
    return rows
