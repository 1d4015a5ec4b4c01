"""The only path from pixels to the network's input, shared by training, evaluation, app and
export.

Everything that can vary is in :class:`Preprocess`, which is read from the config.json saved with
the weights. NumPy only, so that the runtime without torch takes the same path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from fer_cbam.errors import ImageError, WeightsError
from fer_cbam.types import Face

_PIL_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
LONGEST_SIDE = 32_767  # pixels; OpenCV 4 samples from no picture of that side or a longer one


@dataclass(frozen=True)
class Preprocess:
    """How a crop becomes an input tensor.

    input_size: ``(C, H, W)`` with C 1 (grey) or 3 (RGB). mean, std: per channel, of pixels in
    [0, 1]. interpolation: "bilinear" or "bicubic", antialiased (only used where a crop is not
    ``(H, W)`` already). landmarks: where the five landmarks of :class:`~fer_cbam.types.Face` lie
    in a crop of the training data, as fractions of its side, ``(5, 2)``. crop_from_box: the crop of
    the training data as seen from the detected box: its side, and how far its centre lies to the
    right and below, in multiples of the square root of the box's area; empty for a detector whose
    boxes were not measured. ``python -m eval.studies.alignment`` measures both.
    """

    input_size: tuple[int, int, int] = (1, 48, 48)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    interpolation: str = "bilinear"
    landmarks: tuple[tuple[float, float], ...] = ()
    crop_from_box: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        channels = self.input_size[0]
        if channels not in (1, 3) or len(self.mean) != channels or len(self.std) != channels:
            raise WeightsError(
                f"preprocessing: input_size {self.input_size}, mean {self.mean}, std {self.std}; "
                "expected 1 or 3 channels and one mean and std for each"
            )
        if self.interpolation not in _PIL_FILTERS:
            raise WeightsError(
                f"preprocessing: interpolation {self.interpolation!r}; "
                f"expected one of {sorted(_PIL_FILTERS)}"
            )
        if not all(value > 0 for value in self.std):
            raise WeightsError(f"preprocessing: std {self.std}; expected numbers above 0")
        if self.landmarks and np.shape(self.landmarks) != (5, 2):
            raise WeightsError(f"preprocessing: landmarks {self.landmarks}; expected 5 pairs")
        if self.crop_from_box and not (len(self.crop_from_box) == 3 and self.crop_from_box[0] > 0):
            raise WeightsError(
                f"preprocessing: crop_from_box {self.crop_from_box}; expected a side above 0 and "
                "the two offsets of its centre"
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        """Read a config.json: timm's keys from ``pretrained_cfg``, ours from the root.

        Raises:
            WeightsError: a value is missing or out of range.
        """
        try:
            cfg = config["pretrained_cfg"]
            return cls(
                input_size=tuple(cfg["input_size"]),
                mean=tuple(cfg["mean"]),
                std=tuple(cfg["std"]),
                interpolation=cfg["interpolation"],
                landmarks=tuple((float(x), float(y)) for x, y in config.get("landmarks", ())),
                crop_from_box=tuple(float(v) for v in config.get("crop_from_box", ())),
            )
        except KeyError as error:
            raise WeightsError(f"config.json: key {error} is missing") from error
        except (TypeError, ValueError) as error:
            raise WeightsError(f"config.json: preprocessing values: {error}") from error

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Crops, each uint8 ``(h, w)`` grey or ``(h, w, 3)`` RGB -> float32 ``(B, C, H, W)``.

        Raises:
            ImageError: a crop of another shape or dtype, or one crop in place of several.
        """
        if isinstance(crops, np.ndarray) and crops.ndim == 3 and crops.shape[2] == 3:
            raise ImageError(f"crops: got one of shape {crops.shape}; expected a list of crops")
        channels, height, width = self.input_size
        batch = np.empty((len(crops), height, width, channels), np.uint8)
        for row, crop in zip(batch, crops, strict=True):
            row[...] = self._resize(_to_channels(crop, channels)).reshape(row.shape)
        return self.normalize(batch)

    def normalize(self, batch: np.ndarray) -> np.ndarray:
        """uint8 ``(B, H, W, C)`` of the input size -> float32 ``(B, C, H, W)``."""
        scale = 1 / (255 * np.asarray(self.std, np.float32))
        shift = -np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray((batch * scale + shift).transpose(0, 3, 1, 2), np.float32)

    def _resize(self, crop: np.ndarray) -> np.ndarray:
        height, width = self.input_size[1:]
        if crop.shape[:2] == (height, width):
            return crop
        # PIL filters widen with the scale, so shrinking does not alias; cv2's do not.
        resized = Image.fromarray(crop).resize((width, height), _PIL_FILTERS[self.interpolation])
        return np.asarray(resized)

    def align(self, image: np.ndarray, face: Face) -> tuple[np.ndarray, np.ndarray]:
        """Cut a face out as the training crops were cut.

        image: RGB uint8 ``(H, W, 3)``. Returns the crop, uint8 ``(S, S, 3)`` with S the input
        height, and the float64 ``(2, 3)`` affine from crop pixels to image pixels (both counted by
        their centres). The transform is a similarity (shift, rotation, one scale) that takes the
        landmarks to where they lie in the training crops, in the least squares (Umeyama 1991,
        https://doi.org/10.1109/34.88573). With ``crop_from_box`` only its rotation is kept, and
        centre and side come from the box; ``python -m eval.studies.alignment`` says which of the
        two serves a data set better. What lies outside the image repeats its edge.

        Raises:
            ImageError: the face has no extent.
            WeightsError: there are no landmarks to align to.
        """
        if not self.landmarks:
            raise WeightsError("preprocessing: no landmarks in config.json to align faces to")
        side = self.input_size[1]
        target = np.asarray(self.landmarks, np.float64) * side - 0.5
        to_image = similarity(target, face.landmarks.astype(np.float64))
        if self.crop_from_box:
            to_image = self._place_by_box(to_image, face)
        return cut(image, to_image, side), to_image

    def _place_by_box(self, to_image: np.ndarray, face: Face) -> np.ndarray:
        """Keep the rotation of a similarity, take centre and side of the crop from the box."""
        x1, y1, x2, y2 = face.box
        if not (x2 > x1 and y2 > y1):
            raise ImageError(f"alignment: box {face.box}; expected x1 < x2 and y1 < y2")
        unit = np.sqrt((x2 - x1) * (y2 - y1))
        side, *offset = np.multiply(self.crop_from_box, unit)
        turn = to_image[:, :2] / np.hypot(*to_image[:, 0])
        # Box edges lie half a pixel before the centres of the pixels that they enclose.
        centre = np.array([x1 + x2, y1 + y2]) / 2 - 0.5 + turn @ offset
        linear = turn * (side / self.input_size[1])
        middle = (self.input_size[1] - 1) / 2
        return np.column_stack([linear, centre - linear @ (middle, middle)])


def cut(image: np.ndarray, to_image: np.ndarray, side: int) -> np.ndarray:
    """Sample a square crop, uint8 ``(side, side, 3)``, through an affine ``(2, 3)`` from its pixels
    to those of the image.

    Bicubic on a grid that is fine enough not to alias, then Lanczos down to the side: bilinear
    sampling and averaging blurred CK+48 faces so that 5 points of accuracy more were lost than by
    any misplacement of the crop.
    """
    # A hundredth of slack: a scale of 1 that rounding made 1.0000001 is not sampled twice as fine.
    factor = max(1, int(np.ceil(np.hypot(to_image[0, 0], to_image[1, 0]) - 0.01)))
    block_centre = (factor - 1) / 2  # of the fine pixels that make one pixel of the crop
    fine = to_image.copy()
    fine[:, :2] /= factor
    fine[:, 2] -= fine[:, :2] @ (block_centre, block_centre)
    if max(image.shape[:2]) >= LONGEST_SIDE:
        image, corner = _reached(image, fine, side * factor)
        fine[:, 2] -= corner
    crop = cv2.warpAffine(
        image, fine, (side * factor, side * factor),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    if factor == 1:
        return crop
    return np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.LANCZOS))


def _reached(image: np.ndarray, fine: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of an image that a crop is sampled from, and its upper left corner ``(x, y)``."""
    ends = np.array([[0, side - 1, 0, side - 1], [0, 0, side - 1, side - 1]])
    points = fine[:, :2] @ ends + fine[:, 2:]
    last = np.array(image.shape[1::-1]) - 1
    reach = 3  # bicubic: two pixels beyond, and one for rounding
    low = np.clip(np.floor(points.min(axis=1)) - reach, 0, last).astype(int)
    high = np.clip(np.ceil(points.max(axis=1)) + reach, 0, last).astype(int)
    return image[low[1] : high[1] + 1, low[0] : high[0] + 1], low


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares similarity ``(2, 3)`` that takes points ``(N, 2)`` source to target.

    Closed form for two dimensions: with points as complex numbers it is one complex factor and a
    shift, and never a reflection.
    """
    s = source[:, 0] + 1j * source[:, 1]
    t = target[:, 0] + 1j * target[:, 1]
    s0, t0 = s - s.mean(), t - t.mean()
    spread = np.vdot(s0, s0).real
    a = np.vdot(s0, t0) / spread if spread > 0 else 0
    if not (np.isfinite(a) and abs(a) > 0):
        raise ImageError("alignment: landmarks coincide or are not finite; "
                         "expected five different points")  # fmt: skip
    b = t.mean() - a * s.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _to_channels(crop: np.ndarray, channels: int) -> np.ndarray:
    """uint8 grey or RGB -> uint8 ``(h, w)`` or ``(h, w, 3)``, grey by ITU-R 601 weights."""
    shape_ok = crop.ndim in (2, 3) and crop.shape[2:] in ((), (3,)) and crop.size > 0
    if crop.dtype != np.uint8 or not shape_ok:
        raise ImageError(
            f"crop: got {crop.dtype} {crop.shape}; expected uint8 (H, W) or (H, W, 3) RGB, "
            "not empty"
        )
    if channels == 1:
        return crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return crop if crop.ndim == 3 else cv2.cvtColor(crop, cv2.COLOR_GRAY2RGB)
