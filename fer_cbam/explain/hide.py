"""Hiding parts of preprocessed faces, and what that does to the answers. NumPy, any backend."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import BATCH_SIZE

#: Preprocessed faces ``(B, C, H, W)`` -> what is put in place of what is hidden, the same shape.
Fill = Callable[[np.ndarray], np.ndarray]
BLUR_SHARE = 1 / 8  # standard deviation of the blur over the side: no feature is left


def blurred(x: np.ndarray) -> np.ndarray:
    """Each channel through a Gaussian with a standard deviation of an eighth of the side."""
    sigma = BLUR_SHARE * x.shape[-1]
    out = np.empty_like(x)
    for place in np.ndindex(x.shape[:2]):
        out[place] = cv2.GaussianBlur(x[place], (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return out


def mean_grey(x: np.ndarray) -> np.ndarray:
    """Each channel's mean."""
    return np.broadcast_to(x.mean((2, 3), keepdims=True), x.shape)


def hidden(x: np.ndarray, masks: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Every mask of each face: float32 ``(B * M, C, H, W)``, face by face.

    x, fill: ``(B, C, H, W)``. masks: in [0, 1], 1 is hidden; ``(M, H, W)`` for all faces, or
    ``(B, M, H, W)``.
    """
    weights = np.asarray(masks, np.float32)[..., None, :, :]
    mixed = x[:, None] + weights * (fill - x)[:, None]
    out: np.ndarray = np.ascontiguousarray(mixed.reshape(-1, *x.shape[1:]), np.float32)
    return out


def logits_of(backend: Backend, x: np.ndarray, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """Logits ``(N, K)`` of any number of preprocessed faces, a batch at a time."""
    starts = range(0, len(x), batch_size)
    return np.concatenate([backend.forward(x[i : i + batch_size]).logits for i in starts])


def log_odds(logits: np.ndarray) -> np.ndarray:
    """Logits ``(..., K)`` -> float64 ``(..., K)``: log of p / (1 - p) of each label.

    From the logits, so that no probability near 0 or 1 is cut off.
    """
    z = np.asarray(logits, np.float64)
    others = np.where(np.eye(z.shape[-1], dtype=bool), -np.inf, z[..., None, :])
    top = others.max(-1)
    rest = top + np.log(np.exp(others - top[..., None]).sum(-1))
    odds: np.ndarray = z - rest
    return odds
