"""Augmentation: geometry against OpenCV and hand-made cases, draws within their bounds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from train import augment as module
from train.augment import (
    CYLINDER,
    affine_matrices,
    augment,
    blur,
    cover_lower_face,
    erase,
    light_from_a_side,
    mixup,
    sampled,
    sampling_grid,
)
from train.recipe import Augment


def augmented(*args):
    """The images alone."""
    return augment(*args)[0]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def faces() -> torch.Tensor:
    """Smooth images, so that interpolation has little to disagree on."""
    noise = np.random.default_rng(0).random((4, 48, 48), np.float32)
    return torch.from_numpy(np.stack([cv2.GaussianBlur(n, (0, 0), 3) for n in noise]))[:, None]


def test_no_change_is_the_identity(faces, generator):
    torch.testing.assert_close(augmented(faces, Augment(), generator), faces, atol=1e-6, rtol=0)


def test_flip_is_the_mirror_image(faces, generator):
    flipped = augmented(faces, Augment(flip=1.0), generator)
    torch.testing.assert_close(flipped, faces.flip(3), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("fixed", "matrix"),
    [
        # angle, zoom, shift (fractions of the side) and the same map from output to input pixels
        # as OpenCV writes it, about the centre 23.5.
        ((15.0, 1.0, (0.0, 0.0)), cv2.getRotationMatrix2D((23.5, 23.5), -15, 1)),
        ((0.0, 1.25, (0.0, 0.0)), cv2.getRotationMatrix2D((23.5, 23.5), 0, 1 / 1.25)),
        ((0.0, 1.0, (0.125, -0.25)), np.array([[1, 0, 6], [0, 1, -12.0]])),
    ],
    ids=["rotation", "zoom", "shift"],
)
def test_affine_agrees_with_opencv(faces, generator, monkeypatch, fixed, matrix):
    angle, zoom, shift = fixed
    draws = iter([torch.full((4,), angle), torch.full((4,), zoom),
                  2 * torch.tensor(shift).repeat(4)])  # fmt: skip
    monkeypatch.setattr(module, "uniform", lambda *_: next(draws))
    ours = augmented(faces, Augment(), generator)
    for image, expected in zip(ours, faces, strict=True):
        reference = cv2.warpAffine(
            expected[0].numpy(), matrix, (48, 48),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        # OpenCV rounds sampling positions to 1/32 pixel.
        np.testing.assert_allclose(image[0].numpy(), reference, atol=6e-3)


def test_draws_fill_their_ranges(generator):
    config = Augment(degrees=15, shift=0.1, zoom=0.1, flip=0.5)
    m = affine_matrices(config, 4000, generator)
    linear = m[:, :, :2]
    mirrored = torch.linalg.det(linear) < 0
    assert 0.46 < mirrored.float().mean() < 0.54
    scale = 1 / torch.linalg.det(linear).abs().sqrt()
    assert 0.9 <= scale.min() < 0.91 and 1.09 < scale.max() <= 1.1 + 1e-6
    angle = torch.rad2deg(torch.atan2(-linear[:, 0, 1], linear[:, 1, 1]))
    assert -15 <= angle.min() < -14.5 and 14.5 < angle.max() <= 15
    # affine_grid's coordinates span 2 over the side.
    assert -0.2 <= m[:, :, 2].min() < -0.19 and 0.19 < m[:, :, 2].max() <= 0.2


def test_brightness_and_contrast_keep_to_their_bounds(generator):
    x = torch.tensor([0.25, 0.75]).repeat_interleave(24).view(1, 1, 1, 48).expand(500, 1, 48, 48)
    y = augmented(x, Augment(brightness=0.2, contrast=0.5), generator)
    offset = y.mean((1, 2, 3)) - 0.5
    spread = (y.amax((1, 2, 3)) - y.amin((1, 2, 3))) / 0.5
    assert -0.2 <= offset.min() < -0.19 and 0.19 < offset.max() <= 0.2
    assert 0.5 <= spread.min() < 0.51 and 1.49 < spread.max() <= 1.5 + 1e-5


def test_erasing_hits_as_often_as_asked_and_one_rectangle(generator):
    x = torch.rand((800, 1, 48, 48), generator=generator)
    y = erase(x, 0.5, generator)
    changed = (y != x).squeeze(1)
    hit = changed.flatten(1).any(1)
    assert 0.44 < hit.float().mean() < 0.56
    for i in hit.nonzero()[:50, 0]:
        rows, columns = changed[i].any(1), changed[i].any(0)
        assert torch.equal(changed[i], rows[:, None] & columns[None])
        mean = x[i].mean()
        assert torch.all(y[i, 0][changed[i]] == mean)
    share = changed[hit].float().mean((1, 2))
    assert share.max() <= 0.3 and share.min() > 0.005


def test_mixup_mixes_images_and_targets_alike(generator):
    x = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 4, 4)
    targets = torch.eye(8)
    weights = []
    for _ in range(300):
        mixed, probs = mixup(x, targets, 0.2, generator)
        # Class i's image is i everywhere, so the mixed pixel is the mean class of the target.
        torch.testing.assert_close(mixed[:, 0, 0, 0], probs @ torch.arange(8.0))
        torch.testing.assert_close(probs.sum(1), torch.ones(8))
        row = probs[(probs > 0).sum(1) == 2]
        if len(row):
            weights.append(float(row.max()))
    # Beta(0.2, 0.2): the larger share has the mean 1/2 + E|w - 1/2| = 0.8988 (by integration).
    assert np.mean(weights) == pytest.approx(0.8988, abs=0.02)


def test_the_same_generator_state_gives_the_same_batch(faces):
    config = Augment(15, 0.1, 0.1, 0.5, 0.1, 0.1, 0.4, 0.5, 0.05, 0.5, 0.5)
    first = augmented(faces, config, torch.Generator().manual_seed(7))
    again = augmented(faces, config, torch.Generator().manual_seed(7))
    other = augmented(faces, config, torch.Generator().manual_seed(8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_gamma_keeps_black_and_white_and_to_its_bounds(generator):
    x = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(500, 1, 1, 3)
    y = augmented(x, Augment(gamma=0.4), generator)[:, 0, 0]
    assert torch.all(y[:, 0] == 0) and torch.all(y[:, 2] == 1)
    exponent = torch.log(torch.log(y[:, 1]) / np.log(0.5))
    assert -0.4 - 1e-5 <= exponent.min() < -0.39 and 0.39 < exponent.max() <= 0.4 + 1e-5


def test_blur_agrees_with_opencv_where_it_is_round(faces, generator, monkeypatch):
    draws = iter([torch.full((4,), 1.0), torch.full((4,), 1.0), torch.zeros(4)])
    monkeypatch.setattr(module, "uniform", lambda *_: next(draws))
    noise = torch.rand(4, 1, 48, 48, generator=generator)
    for image, given in zip(blur(noise, 1.0, generator), noise, strict=True):
        expected = cv2.GaussianBlur(given[0].numpy(), (7, 7), 1, borderType=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(image[0].numpy(), expected, atol=1e-5)


def test_blur_hits_as_often_as_asked_and_keeps_the_mean(generator):
    x = torch.rand(600, 1, 48, 48, generator=generator)
    y = blur(x, 0.3, generator)
    hit = (y - x).abs().amax((1, 2, 3)) > 1e-6
    assert 0.25 < hit.float().mean() < 0.35
    torch.testing.assert_close(y.mean((1, 2, 3)), x.mean((1, 2, 3)), atol=5e-3, rtol=0)
    assert torch.all(y[hit].std((1, 2, 3)) < x[hit].std((1, 2, 3)))


def test_noise_is_as_strong_as_asked(generator):
    x = torch.full((400, 1, 48, 48), 0.5)
    sigma = (augmented(x, Augment(noise=0.1), generator) - x).std((1, 2, 3))
    assert sigma.min() < 0.005 and 0.095 < sigma.max() < 0.105


def test_a_turned_head_is_a_cylinder_seen_from_the_side(generator, monkeypatch):
    """A point of the surface at the angle a is seen at radius * sin(a); turned by t, what is seen
    at the angle a was at a + t, less where the middle went."""
    draws = iter([torch.zeros(1), torch.ones(1), torch.zeros(2),
                  torch.full((1,), 20.0), torch.full((1,), -10.0)])  # fmt: skip
    monkeypatch.setattr(module, "uniform", lambda *_: next(draws))
    grid = sampling_grid(torch.zeros(1, 1, 48, 48), Augment(turn=20), generator)[0].numpy()
    for axis, turn, at in ((0, 20, grid[10, 40]), (1, -10, grid[10, 40])):
        place = (2 * np.array([40, 10]) + 1)[axis] / 48 - 1
        radius, turn = CYLINDER[axis], np.deg2rad(turn)
        angle = np.arcsin(place / radius)
        assert at[axis] == pytest.approx(radius * (np.sin(angle + turn) - np.sin(turn)), abs=1e-6)


def test_a_turn_keeps_the_middle_and_moves_the_sides(generator):
    grid = sampling_grid(torch.zeros(64, 1, 49, 49), Augment(turn=30), generator)
    torch.testing.assert_close(grid[:, 24, 24], torch.zeros(64, 2), atol=1e-6, rtol=0)
    assert grid[:, 24, 0, 0].std() > 0.1


def test_another_map_of_the_face_goes_where_the_face_goes(generator):
    """Effects of occlusion on a grid of 6x6 move as the pixels do: a quarter of the side."""
    effects = torch.rand(1, 1, 6, 6)
    mirror = sampling_grid(torch.zeros(1, 1, 48, 48), Augment(flip=1), generator)
    torch.testing.assert_close(sampled(effects, mirror), effects.flip(3), atol=1e-5, rtol=0)


def test_light_from_a_side_is_a_ramp_about_one(generator, monkeypatch):
    draws = iter([torch.tensor([0.4]), torch.tensor([2.0]), torch.tensor([0.0])])
    monkeypatch.setattr(module, "uniform", lambda *_: next(draws))
    lit = light_from_a_side(torch.full((1, 1, 5, 5), 0.5), 0.4, generator)[0, 0]
    expected = 0.5 * (1 + 0.4 * np.tanh(2 * np.linspace(-1, 1, 5)))
    np.testing.assert_allclose(lit, np.tile(expected, (5, 1)), rtol=1e-5)


def test_a_cover_hides_the_lower_face_as_often_as_asked(generator):
    x = torch.full((2000, 1, 48, 48), 2.0)
    covered = cover_lower_face(x, 0.3, generator) != 2
    assert not covered[:, :, :24].any()
    assert covered[:, 0, 40:].all((1, 2)).float().mean() == pytest.approx(0.3, abs=0.04)
