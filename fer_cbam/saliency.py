"""From what a network gives to maps that can be laid over a face: rectify, upsample, scale.

The only place that does so, in NumPy, for every backend and every explainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def saliency_maps(class_maps: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Evidence for a class -> saliency.

    class_maps: ``(..., h, w)``, of any scale and sign. size: height and width of the result.
    Returns float32 ``(..., H, W)`` in [0, 1]: 0 is no evidence, 1 the most in that map (all 0 where
    nothing speaks for the class).
    """
    maps = upsample(np.maximum(class_maps, 0), size)
    maps /= np.maximum(maps.max((-2, -1), keepdims=True), 1e-12)
    return maps


def attention_maps(
    gates: np.ndarray, size: Sequence[int], neutral: float | None = None
) -> np.ndarray:
    """Spatial gates ``(..., h, w)`` -> float32 ``(..., H, W)`` in [0, 1].

    neutral: the positive value of a gate that changes nothing, where the network has one: 0 is what
    is weighted with it or less, 1 with the double, or with the most in the map if that is more. A
    gate that weights all alike is 0 everywhere. None: stretched in each map so that the least
    attended place is 0 and the most attended 1, as the gate itself spans a narrower range.
    """
    maps = upsample(gates, size)
    if neutral is not None:
        above = np.maximum(maps / neutral - 1, 0)
        relative: np.ndarray = above / np.maximum(above.max((-2, -1), keepdims=True), 1)
        return relative
    low, high = maps.min((-2, -1), keepdims=True), maps.max((-2, -1), keepdims=True)
    maps -= low
    maps /= np.maximum(high - low, 1e-12)
    return maps


def upsample(maps: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """``(..., h, w)`` -> float32 ``(..., H, W)``, bilinear; the same as torch's ``interpolate``
    with ``align_corners=False``."""
    rows, columns = (_weights(*lengths) for lengths in zip(maps.shape[-2:], size, strict=True))
    large: np.ndarray = rows @ np.asarray(maps, np.float32) @ columns.T
    return large


@lru_cache(maxsize=32)
def _weights(length: int, new_length: int) -> np.ndarray:
    """What each old position gives to each new one: float32 ``(new_length, length)``."""
    place = (np.arange(new_length) + 0.5) * length / new_length - 0.5
    place = place.clip(0, length - 1)  # what lies outside repeats the edge
    distance = np.abs(place[:, None] - np.arange(length))
    weights: np.ndarray = np.maximum(1 - distance, 0).astype(np.float32)
    weights.flags.writeable = False  # shared by all callers
    return weights
