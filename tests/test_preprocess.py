"""Preprocess against torchvision, PIL, scikit-image and geometry worked out by hand."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.transform import SimilarityTransform, estimate_transform
from torchvision.transforms import v2

from fer_cbam.errors import ImageError, WeightsError
from fer_cbam.preprocess import Preprocess, cut, similarity
from fer_cbam.types import Face

TEMPLATE = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.78), (0.65, 0.78))


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 110, 3), np.uint8)


# --- crop -> tensor --------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_colour_agrees_with_torchvision(noise, interpolation):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    preprocess = Preprocess((3, 48, 48), mean, std, interpolation)
    reference = v2.Compose([
        v2.Resize((48, 48), v2.InterpolationMode(interpolation), antialias=True),
        v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std),
    ])(Image.fromarray(noise))  # fmt: skip
    result = preprocess([noise])
    assert result.shape == (1, 3, 48, 48)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0], reference.numpy(), atol=1e-6)


def test_tensor_resize_of_torchvision_is_within_a_grey_level(noise):
    """Training on tensors and serving through PIL see the same picture."""
    reference = v2.functional.resize(
        torch.from_numpy(noise).permute(2, 0, 1), [48, 48], antialias=True
    )
    result = Preprocess((3, 48, 48), (0.0,) * 3, (1.0,) * 3)([noise])[0] * 255
    assert np.abs(result - reference.numpy()).max() <= 1.01


def test_grey_is_itu_601(noise):
    crop = noise[:48, :48]
    result = Preprocess()([crop])[0, 0] * 255
    exact = crop.astype(np.float64) @ (0.299, 0.587, 0.114)
    assert np.abs(result - exact).max() <= 0.51
    pil = np.asarray(Image.fromarray(crop).convert("L"), np.float64)
    assert np.abs(result - pil).max() <= 1.01


def test_grey_crop_of_the_right_size_is_only_scaled():
    crop = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48).astype(np.uint8)
    result = Preprocess(mean=(0.5,), std=(0.25,))([crop])
    np.testing.assert_allclose(result[0, 0], (crop / 255 - 0.5) / 0.25, atol=1e-6)


def test_grey_crop_for_a_colour_network_is_three_times_the_same():
    crop = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48).astype(np.uint8)
    result = Preprocess((3, 48, 48), (0.0,) * 3, (1.0,) * 3)([crop])[0]
    for channel in result:
        np.testing.assert_allclose(channel, crop / 255, atol=1e-7)


def test_a_batch_is_its_crops_one_by_one(noise):
    crops = [noise, noise[:48, :48], noise[..., 0], noise[:7, :9]]
    preprocess = Preprocess()
    batch = preprocess(crops)
    assert batch.flags.c_contiguous
    for row, crop in zip(batch, crops, strict=True):
        np.testing.assert_array_equal(row, preprocess([crop])[0])
    assert preprocess([]).shape == (0, 1, 48, 48)


def test_shrinking_does_not_alias():
    """One-pixel stripes become flat grey; sampling every tenth pixel would keep stripes."""
    stripes = np.zeros((480, 480), np.uint8)
    stripes[:, ::2] = 255
    result = Preprocess()([stripes])
    np.testing.assert_allclose(result, 0.5, atol=0.02)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((48, 48), np.float32), np.zeros((48, 48, 4), np.uint8),
        np.zeros((48, 48, 1), np.uint8), np.zeros(48, np.uint8),
        np.zeros((0, 48, 3), np.uint8), np.zeros((1, 48, 48, 3), np.uint8),
    ],
)  # fmt: skip
def test_wrong_crops(crop):
    with pytest.raises(ImageError, match=r"crop: got .*; expected uint8 \(H, W\)"):
        Preprocess()([crop])


# --- config ----------------------------------------------------------------------------------


def config(**changes) -> dict:
    cfg = {"input_size": [1, 48, 48], "mean": [0.5], "std": [0.2], "interpolation": "bicubic"}
    root = {k: changes.pop(k) for k in ("landmarks", "crop_from_box") if k in changes}
    return {"pretrained_cfg": {**cfg, **changes}, **root}


def test_one_crop_in_place_of_several_is_named():
    with pytest.raises(ImageError, match=r"crops: got one of shape .*; expected a list of crops"):
        Preprocess()(np.zeros((48, 48, 3), np.uint8))
    assert Preprocess()(np.zeros((2, 48, 48), np.uint8)).shape == (2, 1, 48, 48)


def test_from_config_reads_everything():
    read = Preprocess.from_config(
        config(landmarks=[list(p) for p in TEMPLATE], crop_from_box=[1.1, 0, -0.04])
    )
    assert read == Preprocess((1, 48, 48), (0.5,), (0.2,), "bicubic", TEMPLATE, (1.1, 0.0, -0.04))
    assert Preprocess.from_config(config()).landmarks == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": [2, 48, 48]}, "expected 1 or 3 channels"),
        ({"mean": [0.5, 0.5, 0.5]}, "one mean and std for each"),
        ({"mean": 0.5}, "config.json"),
        ({"std": [0.0]}, "expected numbers above 0"),
        ({"std": [float("nan")]}, "expected numbers above 0"),
        ({"std": None}, "config.json"),
        ({"interpolation": "nearest"}, "expected one of"),
        ({"landmarks": [[0.1, 0.2]]}, "expected 5 pairs"),
        ({"landmarks": [["a", "b"]] * 5}, "config.json"),
        ({"landmarks": [1, 2, 3, 4, 5]}, "config.json"),
        ({"crop_from_box": [1.1]}, "crop_from_box"),
        ({"crop_from_box": [0.0, 0.0, 0.0]}, "crop_from_box"),
    ],
)
def test_wrong_configs(changes, message):
    with pytest.raises(WeightsError, match=message):
        Preprocess.from_config(config(**changes))


def test_missing_key_is_named():
    cfg = config()
    del cfg["pretrained_cfg"]["mean"]
    with pytest.raises(WeightsError, match="'mean' is missing"):
        Preprocess.from_config(cfg)


# --- similarity ------------------------------------------------------------------------------


def test_similarity_recovers_an_exact_one():
    points = np.random.default_rng(1).normal(size=(5, 2)) * 30
    a = 2.5 * np.exp(1j * np.radians(33))
    true = np.array([[a.real, -a.imag, 7.0], [a.imag, a.real, -4.0]])
    moved = points @ true[:, :2].T + true[:, 2]
    np.testing.assert_allclose(similarity(points, moved), true, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_similarity_agrees_with_scikit_image_on_noisy_points(seed):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 5, 2)) * 20
    target += source  # far enough from a reflection, which Umeyama also excludes
    reference = estimate_transform("similarity", source, target)
    assert isinstance(reference, SimilarityTransform)
    np.testing.assert_allclose(similarity(source, target), reference.params[:2], atol=1e-9)


def test_similarity_of_coinciding_points():
    with pytest.raises(ImageError, match="landmarks coincide"):
        similarity(np.ones((5, 2)), np.arange(10.0).reshape(5, 2))


# --- align -----------------------------------------------------------------------------------


def smooth_face(side: int = 96) -> np.ndarray:
    """A smooth RGB picture, so that resampling errors are small and shifts are not."""
    y, x = np.mgrid[0:side, 0:side] / side
    waves = [np.sin(7 * x + 3 * y), np.cos(5 * y - 2 * x), np.sin(6 * x * y + 1)]
    return np.stack([127.5 + 120 * w for w in waves], axis=2).astype(np.uint8)


def face_at(to_image: np.ndarray, side: int = 48) -> Face:
    """The face whose crop of the template lies where the affine says; the box is that crop."""
    points = np.asarray(TEMPLATE) * side - 0.5
    landmarks = points @ to_image[:, :2].T + to_image[:, 2]
    centre = to_image @ ((side - 1) / 2, (side - 1) / 2, 1) + 0.5
    half = np.hypot(*to_image[:, 0]) * side / 2
    box = (*(centre - half), *(centre + half))
    return Face(tuple(float(v) for v in box), 0.9, landmarks.astype(np.float32))


def turned(scale: float, degrees: float, x: float, y: float) -> np.ndarray:
    a = scale * np.exp(1j * np.radians(degrees))
    return np.array([[a.real, -a.imag, x], [a.imag, a.real, y]])


by_landmarks = Preprocess(landmarks=TEMPLATE)
by_box = dataclasses.replace(by_landmarks, crop_from_box=(1.0, 0.0, 0.0))


@pytest.mark.parametrize("preprocess", [by_landmarks, by_box])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 3.2])
@pytest.mark.parametrize("degrees", [0, 25, -90, 180])
def test_align_finds_the_affine_and_leads_back(preprocess, scale, degrees):
    to_image = turned(scale, degrees, 100, 90)
    _, found = preprocess.align(np.zeros((200, 200, 3), np.uint8), face_at(to_image))
    np.testing.assert_allclose(found, to_image, atol=1e-4)


def test_box_offset_and_side_turn_with_the_face():
    """crop_from_box = (side, right, down): down is towards the chin, wherever that is."""
    preprocess = dataclasses.replace(by_landmarks, crop_from_box=(1.5, 0.1, 0.2))
    box = (100.0, 50.0, 140.0, 140.0)  # 40 x 90: unit is 60
    for degrees, (dx, dy) in {0: (6, 12), 90: (-12, 6), 180: (-6, -12)}.items():
        landmarks = face_at(turned(1, degrees, 120, 95)).landmarks
        image = np.zeros((200, 200, 3), np.uint8)
        _, affine = preprocess.align(image, Face(box, 0.9, landmarks))
        centre = affine @ (23.5, 23.5, 1) + 0.5
        np.testing.assert_allclose(centre, (120 + dx, 95 + dy), atol=1e-3)
        assert np.hypot(*affine[:, 0]) * 48 == pytest.approx(90)


@pytest.mark.parametrize("preprocess", [by_landmarks, by_box])
def test_crop_where_it_lies_is_returned_untouched(preprocess):
    image = np.random.default_rng(2).integers(0, 256, (100, 120, 3), np.uint8)
    crop, _ = preprocess.align(image, face_at(turned(1, 0, 30, 20)))
    np.testing.assert_array_equal(crop, image[20:68, 30:78])


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_turned_face_comes_out_upright(degrees, turns):
    """y points down, so +90 degrees is clockwise: the top of the crop lies on the image's right."""
    upright = np.random.default_rng(3).integers(0, 256, (48, 48, 3), np.uint8)
    image = np.rot90(upright, -turns)
    origin = {90: (47, 0), 180: (47, 47), -90: (0, 47)}[degrees]
    crop, _ = by_landmarks.align(np.ascontiguousarray(image), face_at(turned(1, degrees, *origin)))
    np.testing.assert_array_equal(crop, upright)


@pytest.mark.parametrize("scale", [0.5, 1.5, 2.0, 3.0, 10.0])
def test_resampling_keeps_the_picture_in_place(scale):
    """A picture of 48 * scale, shrunk or enlarged to 48, against PIL: half a pixel off would show
    as a mean error of several grey levels."""
    side = round(48 * scale)
    image = smooth_face(side)
    to_image = turned(scale, 0, (scale - 1) / 2, (scale - 1) / 2)
    crop = cut(image, to_image, 48)
    reference = Image.fromarray(image).resize((48, 48), Image.Resampling.BICUBIC)
    inner = np.s_[2:-2, 2:-2]  # PIL shortens its filter at the border, we repeat the edge
    difference = np.abs(crop.astype(float) - np.asarray(reference, float))[inner]
    assert difference.mean() < 0.9
    assert difference.max() <= 3


def test_round_trip_through_a_tilted_picture():
    crop = cv2.resize(smooth_face(), (48, 48), interpolation=cv2.INTER_AREA)
    to_image = turned(2.3, 20, 90, 40)
    image = cv2.warpAffine(crop, to_image, (300, 260), flags=cv2.INTER_CUBIC,
                           borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    again, _ = by_landmarks.align(image, face_at(to_image))
    difference = np.abs(again.astype(float) - crop)[3:-3, 3:-3]
    assert difference.mean() < 1
    assert difference.max() <= 5


@pytest.mark.parametrize("scale", [1.9, 10.3])
@pytest.mark.parametrize("degrees", [0, 30])
def test_a_large_face_does_not_alias(degrees, scale):
    image = np.zeros((800, 800, 3), np.uint8)
    image[:, ::2] = 255
    crop, _ = by_landmarks.align(image, face_at(turned(scale, degrees, 300, 100)))
    assert np.abs(crop[4:-4, 4:-4].astype(float) - 127.5).max() < 6


@pytest.mark.parametrize("preprocess", [by_landmarks, by_box])
def test_a_crop_is_as_high_and_as_wide_as_the_input_is_high(preprocess):
    preprocess = dataclasses.replace(preprocess, input_size=(1, 48, 40))
    to_image = turned(1, 0, 30, 20)
    crop, found = preprocess.align(np.zeros((100, 120, 3), np.uint8), face_at(to_image))
    assert crop.shape == (48, 48, 3) and preprocess([crop]).shape == (1, 1, 48, 40)
    np.testing.assert_allclose(found, to_image, atol=1e-4)


@pytest.mark.parametrize("shape", [(40_000, 60), (60, 40_000)])
@pytest.mark.parametrize("at", [0, 20_000, 39_000])
def test_a_face_in_a_picture_of_more_than_32767_pixels_a_side(shape, at):
    """OpenCV 4 samples from no such picture."""
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (*shape, 3), np.uint8)
    x, y = (5, at) if shape[0] > shape[1] else (at, 5)
    crop, affine = by_landmarks.align(image, face_at(turned(1, 0, x, y)))
    # Landmarks are float32: a 250th of a pixel at 39,000.
    np.testing.assert_allclose(crop, image[y : y + 48, x : x + 48].astype(int), atol=3)
    np.testing.assert_allclose(affine[:, 2], (x, y), atol=1e-2)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.3])
@pytest.mark.parametrize("degrees", [0, 37, 180])
@pytest.mark.parametrize("corner", [(-30, -20), (40, 35), (100, 90)])
def test_a_crop_is_that_of_the_whole_picture(scale, degrees, corner, monkeypatch):
    """Sampled from the part that it reaches, but for rounding."""
    monkeypatch.setattr("fer_cbam.preprocess.LONGEST_SIDE", 100)
    image = np.random.default_rng(5).integers(0, 256, (120, 150, 3), np.uint8)
    affine = turned(scale, degrees, *corner)
    fine = max(1, int(np.ceil(scale - 0.01)))
    whole = affine.copy()
    whole[:, :2] /= fine
    whole[:, 2] -= whole[:, :2] @ ((fine - 1) / 2, (fine - 1) / 2)
    expected = cv2.warpAffine(
        image, whole, (48 * fine, 48 * fine),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    if fine > 1:
        expected = Image.fromarray(expected).resize((48, 48), Image.Resampling.LANCZOS)
    np.testing.assert_allclose(cut(image, affine, 48), np.asarray(expected).astype(int), atol=1)


def test_outside_the_image_repeats_its_edge():
    image = np.full((60, 60, 3), 90, np.uint8)
    crop, _ = by_landmarks.align(image, face_at(turned(2, 0, -40, -40)))
    assert (crop == 90).all()


def test_align_refuses_what_has_no_extent():
    image = np.zeros((60, 60, 3), np.uint8)
    face = face_at(turned(1, 0, 0, 0))
    with pytest.raises(ImageError, match="landmarks coincide"):
        Preprocess(landmarks=((0.5, 0.5),) * 5).align(image, face)
    with pytest.raises(ImageError, match="expected x1 < x2"):
        by_box.align(image, dataclasses.replace(face, box=(5, 5, 5, 9)))
    for value in (7, np.nan):
        landmarks = np.full((5, 2), value, np.float32)
        with pytest.raises(ImageError, match="landmarks coincide or are not finite"):
            by_box.align(image, dataclasses.replace(face, landmarks=landmarks))
    with pytest.raises(WeightsError, match="no landmarks in config"):
        Preprocess().align(image, face)
