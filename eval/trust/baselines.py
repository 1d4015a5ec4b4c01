"""Maps that know nothing of the network's reasons, which an explanation has to beat."""

from __future__ import annotations

import cv2
import numpy as np

from fer_cbam.saliency import upsample

GAUSSIAN = 1 / 4  # standard deviation of the centred blob over the side
CELLS = 6


def random_pixels(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A number for each pixel: float32 ``(B, H, W)`` in [0, 1], as all of these."""
    return rng.random((len(x), *x.shape[2:])).astype(np.float32)


def random_cells(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A number for each of 6x6 cells, enlarged: as coarse as Grad-CAM."""
    cells = rng.random((len(x), CELLS, CELLS)).astype(np.float32)
    return upsample(cells, x.shape[2:])


def gaussian(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A blob in the middle of each face."""
    height, width = x.shape[2:]
    down, across = (np.arange(n) - (n - 1) / 2 for n in (height, width))
    bells = [np.exp(-((a / (GAUSSIAN * n)) ** 2) / 2) for a, n in ((down, height), (across, width))]
    return np.repeat(np.outer(*bells)[None], len(x), 0).astype(np.float32)


def sobel(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The strength of edges, a little blurred."""
    grey = x.mean(1)
    found = []
    for image in grey:
        down, across = (cv2.Sobel(image, cv2.CV_32F, *order) for order in ((0, 1), (1, 0)))
        found.append(cv2.GaussianBlur(np.hypot(down, across), (0, 0), x.shape[-1] / 24))
    maps = np.stack(found)
    scaled: np.ndarray = maps / np.maximum(maps.max((1, 2), keepdims=True), 1e-12)
    return scaled


def class_means(maps: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each face the mean map of the other faces with its label; of all others where it is the
    only one. maps: ``(B, H, W)``. labels: int ``(B,)``."""
    out = np.empty_like(maps)
    for i, label in enumerate(labels):
        others = labels == label
        others[i] = False
        if not others.any():
            others = np.arange(len(labels)) != i
        out[i] = maps[others].mean(0)
    return out


BASELINES = {
    "random pixels": random_pixels,
    "random 6x6": random_cells,
    "Gaussian": gaussian,
    "Sobel": sobel,
}
