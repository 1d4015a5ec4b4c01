"""What the tests write their tiny data sets from."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

FER2013_HEADER = "emotion,pixels,Usage"


def png(pixels: np.ndarray) -> bytes:
    """An image file of these pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def noise(seed: int, shape: tuple[int, ...] = (48, 48)) -> np.ndarray:
    """Random pixels, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def csv_row(code: object, pixels: np.ndarray, usage: str) -> str:
    """A row of fer2013.csv."""
    return f"{code},{' '.join(map(str, pixels.ravel().tolist()))},{usage}"
