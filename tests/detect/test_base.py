"""What every detector refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.detect.base import check_image
from fer_cbam.errors import ImageError


@pytest.mark.parametrize(
    "image",
    [
        None, "photo.jpg", [[1, 2, 3]], np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
)  # fmt: skip
def test_wrong_images(image):
    with pytest.raises(ImageError, match=r"image: got .*; expected .*RGB uint8"):
        check_image(image)


def test_right_images():
    for shape in ((1, 1, 3), (40, 30, 3)):
        check_image(np.zeros(shape, np.uint8))
