"""Occlusion (Zeiler and Fergus, ECCV 2014, https://arxiv.org/abs/1311.2901): hide a patch, see what
the label loses. Soft patches over a blurred copy, so that hiding adds no edge.

The map is the loss of log-odds, which does not saturate where the network is sure.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.explain.base import Explainer, chosen
from fer_cbam.explain.hide import Fill, blurred, hidden, log_odds, logits_of

PATCH = 1.5  # width of a patch at half height, over the distance between patches
LEAST_PATCH = 1 / 6  # of the side


class Occlusion(Explainer):
    """A forward pass for each patch and one more, for all labels, on any backend.

    rows, columns: of patches, such as 6 and 6, or 11 and 11. fill: what is put in their place.
    """

    kind = "occlusion"

    def __init__(
        self, backend: Backend, rows: int = 6, columns: int = 6, fill: Fill = blurred
    ):  # fmt: skip
        super().__init__(backend)
        self.rows, self.columns = rows, columns
        self.fill = fill

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return chosen(self.class_maps(x), labels)

    def class_maps(self, x: np.ndarray, logits: np.ndarray | None = None) -> np.ndarray:
        """Of every label: float32 ``(B, K, rows, columns)``. logits: of the faces as they are,
        ``(B, K)``, where they are known."""
        masks = patches(self.rows, self.columns, x.shape[-1]).reshape(-1, *x.shape[2:])
        before = log_odds(self.backend.forward(x).logits if logits is None else logits)
        # A face at a time: the patches of one fill a batch.
        after = [log_odds(logits_of(self.backend, hidden(face[None], masks, self.fill(face[None]))))
                 for face in x]  # fmt: skip
        loss = before[:, None] - np.reshape(after, (len(x), len(masks), before.shape[1]))
        maps: np.ndarray = loss.transpose(0, 2, 1).astype(np.float32)
        return maps.reshape(len(x), -1, self.rows, self.columns)


@lru_cache(maxsize=8)
def patches(rows: int, columns: int, side: int) -> np.ndarray:
    """Masks of soft patches: float32 ``(rows, columns, side, side)`` in [0, 1].

    Their centres lie where :func:`fer_cbam.saliency.upsample` puts the cells of a map of that size.
    Along an axis a patch is 1 in its middle and falls to 0 over half of its width.
    """
    down, across = (_profiles(count, side) for count in (rows, columns))
    masks: np.ndarray = np.einsum("iy,jx->ijyx", down, across).astype(np.float32)
    masks.flags.writeable = False  # shared by all callers
    return masks


def _profiles(count: int, side: int) -> np.ndarray:
    step = side / count
    width = max(PATCH * step, LEAST_PATCH * side)
    centres = (np.arange(count) + 0.5) * step - 0.5
    away = np.abs(np.arange(side) - centres[:, None])
    profiles: np.ndarray = np.clip(1 - (away - width / 4) / (width / 2), 0, 1)
    return profiles
