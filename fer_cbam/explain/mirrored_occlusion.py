"""Occlusion at half the price: a patch and its mirror image are hidden together.

A face has most of its features twice, and a network that is shown one eye hardly misses the other.
What this gives up: the map is the same on both sides, whichever of them it was.
"""

from __future__ import annotations

import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.explain.hide import Fill, blurred
from fer_cbam.explain.occlusion import Occlusion, patches


class MirroredOcclusion(Occlusion):
    """``rows * columns / 2`` forward passes and one more.

    Raises:
        ValueError: an odd number of columns.
    """

    def __init__(
        self, backend: Backend, rows: int = 5, columns: int = 6, fill: Fill = blurred
    ):  # fmt: skip
        super().__init__(backend, rows, columns, fill)
        if columns % 2:
            raise ValueError(f"columns: got {columns}; expected an even number")

    def masks(self, side: int) -> np.ndarray:
        single = patches(self.rows, self.columns, side)
        both = np.maximum(single, single[:, ::-1])[:, : self.columns // 2]
        pairs: np.ndarray = both.reshape(-1, side, side)
        return pairs

    def arranged(self, losses: np.ndarray) -> np.ndarray:
        left = losses.reshape(*losses.shape[:2], self.rows, self.columns // 2)
        return np.concatenate([left, left[..., ::-1]], axis=-1)
