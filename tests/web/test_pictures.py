"""Pictures are resized, turned, evened out and cut from as OpenCV and Pillow do it for Python."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_cbam.detect import yunet
from fer_cbam.preprocess import cut
from tests.web.conftest import Ask


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Grains and edges of all sizes, RGB (90, 133, 3)."""
    rng = np.random.default_rng(5)
    grains = [cv2.resize(rng.integers(0, 256, (9 * n, 13 * n, 3)).astype(np.uint8), (133, 90))
              for n in (1, 4, 10)]  # fmt: skip
    mean: np.ndarray = np.mean(grains, axis=0).astype(np.uint8)
    return mean


def of(answer: dict) -> np.ndarray:
    return answer["data"].reshape(answer["height"], answer["width"], 4)[..., :3].astype(int)


def test_every_size(ask: Ask, image: np.ndarray):
    """Shrunk by an area to the last bit but for ties, enlarged to the last bit of cv2's own way."""
    sides = [1, 2, 7, 20, 33, 44, 66, 67, 100, 132, 134, 160, 200, 266, 399]
    shapes = [image, image[:66, :100], image[:, :1], image[:1], image[:1, :1], image[:80, :120]]
    asked = [(picture, side) for picture in shapes for side in sides]
    found = ask(*({"ask": "picture", "image": picture, "name": "resized", "values": [side]}
                  for picture, side in asked))  # fmt: skip
    for (picture, side), answer in zip(asked, found, strict=True):
        expected = yunet._resized(picture, side)
        assert (answer["height"], answer["width"]) == expected.shape[:2]
        assert np.abs(of(answer) - expected).max() <= 1, (picture.shape, side)
        if min(picture.shape[:2]) > 1:  # cv2 enlarges a line in a way of its own
            assert np.abs(of(answer) - expected).mean() < 0.02, (picture.shape, side)


def test_turned(ask: Ask, image: np.ndarray):
    found = ask(*({"ask": "picture", "image": image, "name": "turned", "values": [k]}
                  for k in range(4)))  # fmt: skip
    for quarters, answer in enumerate(found):
        assert np.array_equal(of(answer), np.rot90(image, quarters))


def test_evened(ask: Ask, image: np.ndarray):
    """Also sides that the tiles of the equalisation do not divide, and the smallest pictures."""
    dark = (image * 0.08).astype(np.uint8)
    shapes = [dark, dark[:88, :132], dark[:88, :131], dark[:89, :132], dark[:3, :5], dark[:1, :1]]
    found = ask(*({"ask": "picture", "image": picture, "name": "evened", "values": []}
                  for picture in shapes))  # fmt: skip
    for picture, answer in zip(shapes, found, strict=True):
        expected = yunet.evened(picture)
        assert np.abs(of(answer) - expected).max() <= 1, picture.shape
        assert np.abs(of(answer) - expected).mean() < 0.2, picture.shape


def test_cut(ask: Ask, image: np.ndarray):
    """Scales from far enlarged to far shrunk, any rotation, within the picture and beyond it."""
    rng = np.random.default_rng(6)
    affines = []
    for scale in (0.2, 0.9, 1.0, 1.005, 1.3, 2.0, 3.7, 6.0):
        for _ in range(4):
            angle, (x, y) = rng.uniform(0, 2 * np.pi), rng.uniform(-20, 130, 2)
            c, s = scale * np.cos(angle), scale * np.sin(angle)
            affines.append(np.array([[c, -s, x], [s, c, y]]))
    found = ask(*({"ask": "picture", "image": image, "name": "cutSquare",
                   "values": [affine.ravel().tolist(), 48]} for affine in affines))  # fmt: skip
    for affine, answer in zip(affines, found, strict=True):
        ours = answer["data"].reshape(48, 48, 4)[..., :3].astype(int)
        away = np.abs(ours - cut(image, affine, 48))
        assert away.max() <= 2 and away.mean() < 0.05, affine
