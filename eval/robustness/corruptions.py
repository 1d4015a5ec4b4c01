"""Crops spoilt as cameras, light, files, detectors and hands spoil them.

Every function takes a crop, uint8 ``(H, W)`` grey or ``(H, W, 3)`` RGB, a level of ``levels.json``
and a random generator, and gives a new crop of the same shape and dtype. Lengths are shares of the
crop's side, so that a level means the same at any size. Levels marked "after CIFAR-10-C" are those
of https://github.com/hendrycks/robustness (``make_cifar_c.py``), lengths divided by its 32 pixels.
What is moved into the crop from outside repeats its edge. Faces are hidden where they lie in crops
of FER2013; parts hidden as a whole have one level.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

LEVELS_FILE = Path(__file__).with_name("levels.json")
MASK_GREY = 204  # of a face mask of light cloth
Corruption = Callable[[np.ndarray, Any, np.random.Generator], np.ndarray]


def noise(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, the same in all channels as in a grey picture."""
    added = rng.normal(0, 255 * level, crop.shape[:2])
    return _to_uint8(crop + (added if crop.ndim == 2 else added[..., None]))


def blur(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, the kernel cut at four standard deviations."""
    sigma = level * crop.shape[0]
    side = 2 * int(4 * sigma + 0.5) + 1
    blurred = cv2.GaussianBlur(
        crop.astype(np.float32), (side, side), sigma, borderType=cv2.BORDER_REPLICATE
    )
    return _to_uint8(blurred)


def motion_blur(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Moved along a line of random direction at constant speed while the shutter was open."""
    kernel = line(level * crop.shape[0], rng.uniform(0, np.pi))
    return _to_uint8(
        cv2.filter2D(crop.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    )


def line(length: float, angle: float) -> np.ndarray:
    """A line through the centre as kernel, float32, odd side, sum 1; angle in radians."""
    reach = int(np.ceil(length / 2))
    along = np.linspace(-length / 2, length / 2, 64 * reach + 1)
    x, y = reach + 1 + along * np.cos(angle), reach + 1 + along * np.sin(angle)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    kernel = np.zeros((2 * reach + 3, 2 * reach + 3), np.float32)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a point lies between four pixels
        share = np.abs(1 - down - (y - row)) * np.abs(1 - right - (x - column))
        np.add.at(kernel, (row + down, column + right), share)
    return kernel / kernel.sum()


def brightness(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Lighter by the same amount everywhere."""
    return _to_uint8(crop + 255 * level)


def darkness(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Less light."""
    return _to_uint8(crop * (1 - level))


def side_light(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Light from the left or the right: a ramp from 1 - level to 1 + level across the crop."""
    ramp = np.linspace(1 - level, 1 + level, crop.shape[1])[:: _sign(rng)]
    return _to_uint8(crop * (ramp if crop.ndim == 2 else ramp[:, None]))


def contrast(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Drawn towards the mean of each channel."""
    mean = crop.mean(axis=(0, 1), keepdims=True)
    return _to_uint8((crop - mean) * level + mean)


def jpeg(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Written and read as JPEG of this quality."""
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=int(level))
    return np.asarray(Image.open(file))


def pixelate(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Larger pixels, with hard edges."""
    return _resampled(crop, level, Image.Resampling.BOX, Image.Resampling.BOX)


def low_resolution(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """A smaller picture, enlarged again as viewers do."""
    return _resampled(crop, level, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


def rotation(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Turned about the centre, to either side."""
    return _warped(crop, angle=level * _sign(rng))


def shift(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Moved in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = level * crop.shape[1] * np.array([np.cos(angle), np.sin(angle)])
    return _warped(crop, moved=(x, y))


def scale(crop: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Larger or smaller about the centre."""
    return _warped(crop, zoom=1 + level * _sign(rng))


def hidden(crop: np.ndarray, level: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """A rectangle of the crop's mean."""
    return _covered(crop, level, crop.mean(axis=(0, 1)))


def half_hidden(crop: np.ndarray, level: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """The same on a random side."""
    left, top, right, bottom = level
    mirrored = (1 - right, top, 1 - left, bottom)
    return hidden(crop, level if _sign(rng) > 0 else mirrored, rng)


def masked(crop: np.ndarray, level: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """A rectangle of light cloth."""
    return _covered(crop, level, MASK_GREY)


#: In the order of ``levels.json``.
CORRUPTIONS: dict[str, Corruption] = {
    "noise": noise,
    "blur": blur,
    "motion_blur": motion_blur,
    "brightness": brightness,
    "darkness": darkness,
    "side_light": side_light,
    "contrast": contrast,
    "jpeg": jpeg,
    "pixelate": pixelate,
    "low_resolution": low_resolution,
    "rotation": rotation,
    "shift": shift,
    "scale": scale,
    "eyes_hidden": hidden,
    "mouth_hidden": hidden,
    "half_hidden": half_hidden,
    "lower_half_masked": masked,
}


def levels() -> dict[str, list[Any]]:
    """Corruption -> its levels, from mild to strong, as ``levels.json`` has them."""
    content = json.loads(LEVELS_FILE.read_text(encoding="utf-8"))
    return {name: entry["levels"] for name, entry in content.items()}


def corrupt(
    crops: Sequence[np.ndarray], ids: Sequence[str], name: str, level: int, seed: int = 0
) -> list[np.ndarray]:
    """Every crop spoilt once.

    ids: of the samples; what happens to a crop depends on its id, not on its neighbours. name: of
    `CORRUPTIONS`. level: from 1.
    """
    value = levels()[name][level - 1]
    return [
        CORRUPTIONS[name](crop, value, _generator(seed, name, level, sample_id))
        for crop, sample_id in zip(crops, ids, strict=True)
    ]


def _generator(seed: int, name: str, level: int, sample_id: str) -> np.random.Generator:
    return np.random.default_rng([seed, level, zlib.crc32(f"{name} {sample_id}".encode())])


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _resampled(
    crop: np.ndarray, share: float, down: Image.Resampling, up: Image.Resampling
) -> np.ndarray:
    height, width = crop.shape[:2]
    small = max(1, int(width * share)), max(1, int(height * share))
    return np.asarray(Image.fromarray(crop).resize(small, down).resize((width, height), up))


def _warped(
    crop: np.ndarray, angle: float = 0, zoom: float = 1, moved: tuple[float, float] = (0, 0)
) -> np.ndarray:
    height, width = crop.shape[:2]
    affine = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    affine[:, 2] += np.asarray(moved)
    return cv2.warpAffine(
        crop, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _covered(crop: np.ndarray, box: Sequence[float], fill: Any) -> np.ndarray:
    height, width = crop.shape[:2]
    left, top, right, bottom = np.rint(np.multiply(box, (width, height, width, height))).astype(int)
    covered = crop.copy()
    covered[top:bottom, left:right] = _to_uint8(np.asarray(fill))
    return covered
