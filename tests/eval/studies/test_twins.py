"""Twins made by hand: what is one photograph, and what only looks like it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from eval.studies import twins
from fer_cbam.data import Dataset
from fer_cbam.types import Sample


def photo(seed: int) -> np.ndarray:
    """60x60, float: light that all share, and details of its own."""
    rng = np.random.default_rng(seed)
    light = cv2.resize(np.random.default_rng(99).normal(0, 40, (4, 4)), (60, 60))
    details = cv2.resize(rng.normal(0, 25, (20, 20)), (60, 60), interpolation=cv2.INTER_CUBIC)
    return 120 + light + details


def cut(picture: np.ndarray, y: int = 6, x: int = 6) -> np.ndarray:
    return np.clip(picture[y : y + 48, x : x + 48], 0, 255).round().astype(np.uint8)


def jpeg(image: np.ndarray, quality: int = 40) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


ORIGINAL = cut(photo(0))
TWINS = {
    "shifted": cut(photo(0), 3, 8),
    "darker, less contrast": cut(photo(0) * 0.5 + 20),
    "JPEG": jpeg(ORIGINAL),
    "mirrored": ORIGINAL[:, ::-1].copy(),
    "mirrored, shifted, brighter": cut(photo(0) * 0.8 + 40, 7, 4)[:, ::-1].copy(),
}


@pytest.mark.parametrize("name", TWINS)
def test_copies_are_twins(name):
    pixels = np.stack([cut(photo(1)), ORIGINAL, cut(photo(2)), TWINS[name]])
    assert twins.twin_pairs(pixels) == [(1, 3)]


def test_faces_lit_alike_are_no_twins():
    pixels = np.stack([cut(photo(seed)) for seed in range(6)])
    blurred = [cv2.GaussianBlur(image, (0, 0), 8).ravel() for image in pixels]
    assert np.corrcoef(blurred).min() > 0.7  # a hash of light alone would take them for twins
    assert twins.twin_pairs(pixels) == []


def test_flat_images_are_twins_where_they_are_equal():
    pixels = np.stack([np.full((48, 48), value, np.uint8) for value in (0, 7, 0, 200, 0)])
    assert twins.twin_pairs(pixels) == [(0, 2), (0, 4)]


def test_best_correlation_is_that_of_numpy_at_the_shift():
    a = twins.details(np.stack([cut(photo(0)), cut(photo(0))]))
    b = twins.details(np.stack([cut(photo(0), 3, 8), cut(photo(5))]))
    m = twins.MARGIN
    inner = [image[m:-m, m:-m].ravel() for image in a]
    expected = [
        max(
            np.corrcoef(part, other[y : y + 36, x : x + 36].ravel())[0, 1]
            for y in range(2 * m + 1) for x in range(2 * m + 1)
        )
        for part, other in zip(inner, b, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(twins.best_correlation(a, b), expected, atol=1e-5)
    assert expected[0] > 0.9 > 0.6 > expected[1]


def test_the_hash_sees_neither_brightness_nor_contrast():
    a, b = twins.hash_bits(np.stack([ORIGINAL, TWINS["darker, less contrast"]]))
    assert a.shape == (63,)
    assert (a != b).sum() <= 2


def test_groups_join_over_others():
    assert twins.group([(5, 9), (1, 2), (2, 7), (9, 12)]) == [[1, 2, 7], [5, 9, 12]]
    assert twins.group([(3, 4), (1, 2), (2, 3)]) == [[1, 2, 3, 4]]
    assert twins.group([]) == []


def test_what_the_groups_amount_to():
    splits = ["Training", "PublicTest", "PrivateTest", "Training", "Training", "Training"]
    labels = ["fear", "fear", "anger", "fear", "anger", "fear"]
    samples = tuple(
        Sample(str(i), ORIGINAL, label, split=split)
        for i, (label, split) in enumerate(zip(labels, splits, strict=True))
    )
    dataset = Dataset("fer2013", ("anger", "fear"), samples)
    got = twins.count(dataset, [[0, 1, 2], [3, 5]])
    assert got == {
        "groups": 2, "images": 5, "largest_group": 3, "training_images_with_twin_in_test": 1,
        "public_images_with_twin_in_training": 1, "private_images_with_twin_in_training": 1,
        "label_agreement": 2 / 4,
    }  # fmt: skip
