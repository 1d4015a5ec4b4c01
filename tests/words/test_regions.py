"""Regions of the face, by masks worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.errors import ImageError
from fer_cbam.types import Face, Prediction, Recognition
from fer_cbam.words.regions import REGIONS, region_masks, regions_of

# Eyes 20 px apart around (24, 18), mouth 14 px wide and 16 px below: u = (x - 24) / 20,
# v = (y - 18) / 16.
LANDMARKS = np.array([[14, 18], [34, 18], [24, 28], [17, 34], [31, 34]], np.float32)


def region_at(x: float, y: float, landmarks: np.ndarray = LANDMARKS, side: int = 48) -> str:
    masks = region_masks(landmarks, side)
    (name,) = [name for name, mask in masks.items() if mask[int(y), int(x)]]
    return name


@pytest.mark.parametrize(
    ("point", "region"),
    [
        ((14, 18), "eyes"),  # the left eye
        ((34, 18), "eyes"),
        ((14, 11), "brows"),  # v = -0.44
        ((34, 11), "brows"),
        ((24, 3), "forehead"),  # v = -0.94
        ((24, 19), "nose"),  # the bridge, between the eyes
        ((24, 28), "nose"),  # its tip, v = 0.63
        ((17, 34), "mouth"),  # its corners, v = 1
        ((31, 34), "mouth"),
        ((24, 36), "mouth"),
        ((12, 26), "cheeks"),  # u = -0.6, v = 0.5
        ((37, 26), "cheeks"),
        ((24, 43), "jaw"),  # v = 1.56
        ((10, 37), "jaw"),  # u = -0.7, v = 1.19
        ((2, 26), "surroundings"),  # u = -1.1
        ((46, 46), "surroundings"),
    ],
)
def test_where_the_regions_lie(point, region):
    assert region_at(*point) == region


def test_every_pixel_belongs_to_exactly_one_region():
    for landmarks in (LANDMARKS, LANDMARKS + 30, LANDMARKS * [0.3, 1.0]):
        masks = region_masks(landmarks, 48)
        assert tuple(masks) == REGIONS
        np.testing.assert_array_equal(sum(mask.astype(int) for mask in masks.values()), 1)


def test_regions_turn_and_move_with_the_face():
    """A quarter turn of landmarks and points alike changes no region."""
    turned = np.stack([47 - LANDMARKS[:, 1], LANDMARKS[:, 0]], axis=1)
    before, after = region_masks(LANDMARKS, 48), region_masks(turned, 48)
    for name in REGIONS:
        np.testing.assert_array_equal(np.rot90(before[name], -1), after[name], err_msg=name)


def recognition(scale: float, shift: tuple[float, float], crop_side: int = 48) -> Recognition:
    """A face whose crop lies at ``shift`` in the image, ``scale`` image pixels a crop pixel."""
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    face = Face((0, 0, 1, 1), 0.9, (LANDMARKS * scale + shift).astype(np.float32))
    crop = np.zeros((crop_side, crop_side, 3), np.uint8)
    return Recognition(face, Prediction("fear", 1.0, {"fear": 1.0}), crop, affine)


@pytest.mark.parametrize(("scale", "shift"), [(3.5, (100, -20)), (1, (0, 0))])
def test_landmarks_come_back_from_the_image_to_the_crop(scale, shift):
    expected = region_masks(LANDMARKS, 48)
    found = regions_of(recognition(scale, shift), 48)
    for name in REGIONS:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_masks_of_another_size_than_the_crop():
    """Each pixel of half the size is of a region that one of its four is of."""
    large, small = region_masks(LANDMARKS, 48), regions_of(recognition(1, (0, 0)), 24)
    for name in REGIONS:
        four = large[name].reshape(24, 2, 24, 2).any((1, 3))
        assert not (small[name] & ~four).sum() > 6, name


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((5, 2)),
        np.full((5, 2), np.nan),
        LANDMARKS[:4],
        LANDMARKS * [1, 0],  # a mouth on the line of the eyes
        np.array([[14, 18], [14, 18], [24, 28], [17, 34], [31, 34]]),
    ],
)
def test_landmarks_that_span_no_face(landmarks):
    with pytest.raises(ImageError, match="landmarks: got"):
        region_masks(landmarks, 48)
