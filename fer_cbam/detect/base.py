"""What every face detector promises."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.types import Face


class FaceDetector(Protocol):
    """Finds faces with five landmarks. One file of this folder for each backend."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of an image, the largest first.

        image: RGB uint8 ``(H, W, 3)``. No face is an empty list; a detector that fails raises and
        never says "no face". Safe to call from several threads.

        Raises:
            ImageError: the array is of another shape or dtype.
        """
        ...


def check_image(image: np.ndarray) -> None:
    """Raise :class:`ImageError` unless the array is RGB uint8 ``(H, W, 3)`` and not empty."""
    if not isinstance(image, np.ndarray):
        raise ImageError(f"image: got {type(image).__name__}; expected an RGB uint8 array")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(
            f"image: got {image.dtype} {image.shape}; expected RGB uint8 (H, W, 3), H and W >= 1"
        )
