"""Each corruption against another implementation, or worked out by hand."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage

from eval.robustness import corruptions as c

GREY = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
SMOOTH = np.tile(np.linspace(20, 220, 48).astype(np.uint8), (48, 1))
CLOTH = 204


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def centre(values: np.ndarray, margin: int = 8) -> np.ndarray:
    return values[margin:-margin, margin:-margin].astype(int)


def test_the_levels_are_those_of_the_corruptions_in_their_order():
    assert list(c.levels()) == list(c.CORRUPTIONS)
    counts = Counter(len(own) for own in c.levels().values())
    assert counts == {5: 13, 1: 4}
    # CIFAR-10-C, make_cifar_c.py; lengths are shares of its 32 pixels.
    assert c.levels()["noise"] == [0.04, 0.06, 0.08, 0.09, 0.10]
    assert c.levels()["blur"] == [sigma / 32 for sigma in (0.4, 0.6, 0.7, 0.8, 1)]
    assert c.levels()["contrast"] == [0.75, 0.5, 0.4, 0.3, 0.15]
    assert c.levels()["brightness"] == [0.05, 0.1, 0.15, 0.2, 0.3]
    assert c.levels()["jpeg"] == [80, 65, 58, 50, 40]
    assert c.levels()["pixelate"] == [0.95, 0.9, 0.85, 0.75, 0.65]


@pytest.mark.parametrize("crop", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize("name", c.CORRUPTIONS)
def test_every_corruption_keeps_shape_and_input_and_grows(name, crop):
    before = crop.copy()
    source = SMOOTH if crop.ndim == 2 else np.repeat(SMOOTH[..., None], 3, 2)
    changes = []
    for level in range(1, len(c.levels()[name]) + 1):
        (spoilt,) = c.corrupt([crop], ["a"], name, level)
        assert (spoilt.shape, spoilt.dtype) == (crop.shape, np.uint8)
        assert (spoilt != crop).any()
        of_smooth = c.corrupt([source] * 8, [str(i) for i in range(8)], name, level)
        changes.append(np.abs(np.stack(of_smooth) - source.astype(int)).mean())
    assert (crop == before).all()
    if name not in ("jpeg", "pixelate", "low_resolution"):  # rounding on a ramp
        assert changes == sorted(changes)


def test_what_happens_to_a_crop_depends_on_its_id_alone():
    alone = c.corrupt([GREY], ["a"], "noise", 2)[0]
    np.testing.assert_array_equal(c.corrupt([RGB[..., 0], GREY], ["b", "a"], "noise", 2)[1], alone)
    for other in (
        c.corrupt([GREY], ["b"], "noise", 2),
        c.corrupt([GREY], ["a"], "noise", 3),
        c.corrupt([GREY], ["a"], "noise", 2, seed=1),
    ):
        assert (other[0] != alone).any()


def test_noise_has_its_standard_deviation():
    flat = np.full((400, 400), 128, np.uint8)
    spoilt = c.noise(flat, 0.08, rng()).astype(float)
    assert spoilt.std() == pytest.approx(0.08 * 255, rel=0.01)
    assert spoilt.mean() == pytest.approx(128, abs=0.2)
    same = c.noise(np.full((9, 9, 3), 128, np.uint8), 0.08, rng())
    assert (same == same[..., :1]).all()


def test_blur_is_scipy_s():
    expected = ndimage.gaussian_filter(GREY.astype(float), 0.03125 * 48, mode="nearest")
    np.testing.assert_allclose(c.blur(GREY, 0.03125, rng()), expected, atol=0.51)


def test_the_line_of_motion():
    kernel = c.line(5, 0.0)
    assert kernel.sum() == pytest.approx(1)
    middle = kernel.shape[0] // 2
    assert kernel[middle].sum() == pytest.approx(1)  # all of it lies in one row
    expected = np.zeros(kernel.shape[0])
    expected[middle - 2 : middle + 3] = 0.2  # a box, its ends between two pixels
    np.testing.assert_allclose(kernel[middle], expected, atol=0.08)
    np.testing.assert_allclose(c.line(5, np.pi / 2), kernel.T, atol=1e-6)
    for angle in (0.3, 1.1, 2.8):  # a line of length L has the variance L * L / 12
        y, x = np.indices(kernel.shape) - middle
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        turned = c.line(5, angle)
        assert (turned * along).sum() == pytest.approx(0, abs=1e-5)
        assert (turned * along**2).sum() == pytest.approx(25 / 12, abs=0.35)
        assert (turned * across**2).sum() < 0.3


def test_motion_blur_is_a_convolution_with_a_line():
    angle = rng(3).uniform(0, np.pi)
    kernel = c.line(0.12 * 48, angle)
    expected = ndimage.correlate(GREY.astype(float), kernel, mode="nearest")
    np.testing.assert_allclose(c.motion_blur(GREY, 0.12, rng(3)), expected, atol=0.51)


def test_light():
    crop = np.array([[0, 100, 200, 250]], np.uint8)
    assert c.brightness(crop, 0.1, rng()).tolist() == [[26, 126, 226, 255]]
    assert c.darkness(crop, 0.65, rng()).tolist() == [[0, 35, 70, 88]]
    sides = {tuple(c.side_light(crop, 0.6, rng(i))[0]) for i in range(9)}
    # 0.4, 0.8, 1.2, 1.6 times the light, from either side
    assert sides == {(0, 80, 240, 255), (0, 120, 160, 100)}


def test_contrast_is_drawn_to_the_mean_of_each_channel():
    assert c.contrast(np.array([[0, 100]], np.uint8), 0.3, rng()).tolist() == [[35, 65]]
    mean = RGB.mean((0, 1))
    np.testing.assert_allclose(c.contrast(RGB, 0.15, rng()), mean + 0.15 * (RGB - mean), atol=0.51)


def test_jpeg_is_pillow_s_at_that_quality():
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, format="jpeg", quality=58)
    np.testing.assert_array_equal(c.jpeg(RGB, 58, rng()), np.asarray(Image.open(file)))


def test_pixelate_by_half_gives_blocks_of_means():
    spoilt = c.pixelate(GREY, 0.5, rng())
    blocks = GREY.reshape(24, 2, 24, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(spoilt[::2, ::2], blocks, atol=1)  # rounded twice
    np.testing.assert_array_equal(np.repeat(np.repeat(spoilt[::2, ::2], 2, 0), 2, 1), spoilt)


def test_low_resolution_keeps_only_low_frequencies():
    spoilt = c.low_resolution(GREY, 0.25, rng())
    spectrum = np.abs(np.fft.fft2(spoilt - spoilt.mean()))
    frequency = np.abs(np.fft.fftfreq(48))
    high = np.maximum.outer(frequency, frequency) > 0.25  # twice what 12 of 48 pixels can hold
    assert (spectrum[high] ** 2).sum() < 0.05 * (spectrum**2).sum()
    blurred = np.asarray(Image.fromarray(GREY).filter(ImageFilter.BoxBlur(1)))
    assert spoilt.std() < blurred.std()


def test_rotation_is_scipy_s_to_either_side():
    smooth = ndimage.gaussian_filter(GREY.astype(float), 3).astype(np.uint8)
    turned = [ndimage.rotate(smooth, a, reshape=False, order=1) for a in (20, -20)]
    matches = [
        [np.abs(centre(c.rotation(smooth, 20, rng(seed))) - centre(t)).max() <= 3 for t in turned]
        for seed in range(9)
    ]
    assert all(sum(found) == 1 for found in matches)
    assert {tuple(found) for found in matches} == {(True, False), (False, True)}


def test_shift_moves_by_its_length():
    point = np.zeros((48, 48), np.uint8)
    point[24, 24] = 200
    angles = []
    for seed in range(20):
        y, x = np.array(ndimage.center_of_mass(c.shift(point, 0.1, rng(seed)))) - 24
        assert np.hypot(x, y) == pytest.approx(4.8, abs=0.1)
        angles.append(np.arctan2(y, x))
    assert np.ptp(angles) > np.pi


def test_scale_is_about_the_centre_and_goes_both_ways():
    disc = (np.hypot(*(np.indices((48, 48)) - 23.5)) < 12).astype(np.uint8) * 200
    area = disc.sum()
    ratios = set()
    for seed in range(9):
        spoilt = c.scale(disc, 0.25, rng(seed))
        np.testing.assert_allclose(ndimage.center_of_mass(spoilt), (23.5, 23.5), atol=0.1)
        ratios.add(round(spoilt.sum() / area, 1))
    assert ratios == {0.6, 1.6}  # 0.75 and 1.25 squared


@pytest.mark.parametrize("name", ["eyes_hidden", "mouth_hidden"])
def test_parts_are_hidden_where_they_are(name):
    (spoilt,) = c.corrupt([GREY], ["a"], name, 1)
    left, top, right, bottom = np.rint(np.array(c.levels()[name][0]) * 48).astype(int)
    hidden = np.zeros((48, 48), bool)
    hidden[top:bottom, left:right] = True
    assert (spoilt[hidden] == round(GREY.mean())).all()
    np.testing.assert_array_equal(spoilt[~hidden], GREY[~hidden])
    # Eyes and mouth of FER2013's crops, as alignment.json has them.
    own = {"eyes_hidden": [(0.3, 0.3917), (0.6907, 0.3985)],
           "mouth_hidden": [(0.3347, 0.7615), (0.6484, 0.7664)]}  # fmt: skip
    for part, points in own.items():
        for x, y in points:
            assert hidden[int(y * 48), int(x * 48)] == (part == name)


def test_half_and_lower_half():
    halves = [c.corrupt([RGB], [str(i)], "half_hidden", 1)[0] for i in range(9)]
    grey = np.rint(RGB.mean((0, 1)))
    left = [(h[:, :24] == grey).all() for h in halves]
    right = [(h[:, 24:] == grey).all() for h in halves]
    assert {*zip(left, right, strict=True)} == {(True, False), (False, True)}
    (masked,) = c.corrupt([RGB], ["a"], "lower_half_masked", 1)
    assert (masked[27:, 4:44] == CLOTH).all()
    np.testing.assert_array_equal(masked[:27], RGB[:27])
