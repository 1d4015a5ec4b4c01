"""Data URLs, read back with Pillow."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fer_cbam.data_urls import from_data_url, jpeg_url, png_url
from fer_cbam.errors import ImageError


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_a_jpeg_of_the_colours():
    image = np.zeros((24, 32, 3), np.uint8)
    image[:] = (200, 30, 60)
    url = jpeg_url(image)
    assert url.startswith("data:image/jpeg;base64,")
    np.testing.assert_allclose(pixels(url).astype(int), image, atol=4)
    assert from_data_url(url, 10_000) == base64.b64decode(url.partition(",")[2])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "expected a data URL"),
        (7, "expected a data URL"),
        ("", "expected a data URL"),
        ("http://example.org/a.jpg", "expected a data URL"),
        ("data:image/png,abc", "expected a data URL"),
        ("data:image/png;base64,a$b", "not base64"),
        ("data:image/png;base64,abc", "not base64"),
        ("data:image/png;base64," + "A" * 200, "at most"),
    ],
)
def test_data_urls_that_are_none(url, message):
    with pytest.raises(ImageError, match=message):
        from_data_url(url, 100)


def test_data_url_may_be_as_long_as_allowed():
    data = bytes(100)
    url = "data:;base64," + base64.b64encode(data).decode()
    assert from_data_url(url, 100) == data


def test_png_url_keeps_every_pixel():
    image = np.arange(4 * 5 * 4, dtype=np.uint8).reshape(4, 5, 4)
    np.testing.assert_array_equal(pixels(png_url(image)), image)
    np.testing.assert_array_equal(pixels(png_url(image[..., :3])), image[..., :3])
