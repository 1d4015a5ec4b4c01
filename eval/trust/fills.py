"""What is put in place of hidden pixels when explanations are judged.

``blur`` and ``mean`` are those that the package explains with (:mod:`fer_cbam.explain.hide`).
``noise`` and ``road`` are never used to explain. No fill judges a method that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fer_cbam.explain.hide import blurred, mean_grey

#: Faces ``(B, C, H, W)``, hidden bool ``(B, H, W)``, noise -> faces with those pixels replaced.
Replace = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

ROAD_NOISE = 0.01  # as in the authors' code, of pixels in [0, 1]
_TOLERANCE = 5e-5  # of the residual: then pixels are right to a hundredth
_MOST_STEPS = 500
_AT_ONCE = 16  # images: as many as the processor's cache holds


def standard_noise(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Standard normal, in the shape of the faces; the same for every method that is judged."""
    return rng.standard_normal(x.shape).astype(np.float32)


def blur(x: np.ndarray, hidden: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The face, blurred until no feature is left."""
    return np.where(hidden[:, None], blurred(x), x)


def mean(x: np.ndarray, hidden: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The face's mean grey."""
    return np.where(hidden[:, None], mean_grey(x), x)


def noisy(x: np.ndarray, hidden: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Noise of the face's own mean and standard deviation, inside its own range."""
    low, high = x.min((2, 3), keepdims=True), x.max((2, 3), keepdims=True)
    spread = x.mean((2, 3), keepdims=True) + noise * x.std((2, 3), keepdims=True)
    return np.where(hidden[:, None], np.clip(spread, low, high), x)


def road(x: np.ndarray, hidden: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Noisy linear imputation: each hidden pixel is the weighted mean of its eight neighbours.

    Rong et al., ICML 2022, https://arxiv.org/abs/2202.00449: what was hidden, and where its edge
    ran, can hardly be told. Solved for all faces at once, by conjugate gradients.
    """
    channels = x.shape[1]
    masks = np.repeat(hidden, channels, 0)
    filled = imputed(x.reshape(-1, *x.shape[2:]), masks).reshape(x.shape)
    return np.where(hidden[:, None], filled + ROAD_NOISE * noise, x)


def imputed(images: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Images float32 ``(N, H, W)`` with hidden pixels (bool, the same shape) as the mean of their
    neighbours, a sixth of each beside and a twelfth of each diagonal one, inside the image.

    Where everything is hidden, the mean of the image, for nothing is known of it.
    """
    parts = [_imputed(images[i : i + _AT_ONCE], hidden[i : i + _AT_ONCE])
             for i in range(0, len(images), _AT_ONCE)]  # fmt: skip
    return np.concatenate(parts)


def _imputed(images: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    # (D - W) u = W known on the hidden pixels; D - W is symmetric and positive definite there.
    m = hidden.astype(np.float32)
    known = np.where(hidden, 0, images).astype(np.float32)
    diagonal = _neighbours(np.ones((1, *images.shape[1:]), np.float32))
    u = _start(known, ~hidden) * m
    residual = (_neighbours(known) + _neighbours(u) - diagonal * u) * m
    direction = residual.copy()
    square = _dot(residual, residual)
    for _ in range(_MOST_STEPS):
        if np.abs(residual).max() < _TOLERANCE:
            break
        applied = (diagonal * direction - _neighbours(direction)) * m
        step = _ratio(square, _dot(direction, applied))
        u += step * direction
        residual -= step * applied
        after = _dot(residual, residual)
        direction *= _ratio(after, square)
        direction += residual
        square = after
    nothing_known = np.all(hidden, axis=(1, 2), keepdims=True)
    u = np.where(nothing_known, images.mean((1, 2), keepdims=True), u)
    return np.where(hidden, u, images).astype(np.float32)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each image: ``(N, 1, 1)``."""
    products: np.ndarray = np.einsum("nij,nij->n", a, b)[:, None, None]
    return products


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _neighbours(images: np.ndarray) -> np.ndarray:
    """Weighted sum of the eight neighbours inside the image, of each pixel."""
    down = 2 * images
    down[:, 1:] += images[:, :-1]
    down[:, :-1] += images[:, 1:]
    summed = 2 * down
    summed[:, :, 1:] += down[:, :, :-1]
    summed[:, :, :-1] += down[:, :, 1:]
    summed -= 4 * images
    summed /= 12
    return summed


def _start(known: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A first guess: means of what is seen, over ever larger squares (pull and push)."""
    weight = seen.astype(np.float32)
    if known.shape[1] < 2 or known.shape[1] % 2 or known.shape[2] % 2:
        total = weight.sum((1, 2), keepdims=True)
        return np.broadcast_to(known.sum((1, 2), keepdims=True) / np.maximum(total, 1), known.shape)
    count, height, width = known.shape
    cells = (count, height // 2, 2, width // 2, 2)
    sums, counts = known.reshape(cells).sum((2, 4)), weight.reshape(cells).sum((2, 4))
    coarse = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    coarse = np.where(counts > 0, coarse, _start(coarse, counts > 0))
    return coarse.repeat(2, 1).repeat(2, 2)


FILLS: Mapping[str, Replace] = {"blur": blur, "mean": mean, "noise": noisy, "road": road}
