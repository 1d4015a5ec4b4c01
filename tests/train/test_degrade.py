"""Faces as a bad camera shows them: JPEG against libjpeg, noise against Poisson, draws."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from train import degrade as module
from train.augment import augment
from train.degrade import jpeg, through_camera
from train.recipe import Augment


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def face() -> np.ndarray:
    """Something smooth with an edge, uint8 ``(48, 40)``: sides that are no squares."""
    image = cv2.GaussianBlur(np.random.default_rng(0).random((48, 40), np.float32), (0, 0), 2)
    image = (image - image.min()) / np.ptp(image)
    image[20:24, 5:30] = 0
    return (image * 255).astype(np.uint8)


def coded(image: np.ndarray, quality: float, **place: int) -> np.ndarray:
    x = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    return (jpeg(x, torch.tensor([quality]), **place)[0, 0] * 255).round().numpy()


def libjpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(file, cv2.IMREAD_GRAYSCALE).astype(np.float32)


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95])
def test_jpeg_is_libjpegs(face, quality):
    ours, reference = coded(face, quality), libjpeg(face, quality)
    # libjpeg's transforms are in integers: a coefficient on the edge between two steps may differ.
    assert np.abs(ours - reference).mean() < 0.3
    assert np.abs(ours - reference).mean() < np.abs(face - reference).mean() / 2


def test_blocks_begin_where_they_are_told_to(face):
    framed = cv2.copyMakeBorder(face, 3, 5, 6, 2, cv2.BORDER_REPLICATE)
    reference = libjpeg(framed, 30)[3:51, 6:46]
    ours = coded(face, 30, top=3, left=6)
    assert np.abs(ours - reference).mean() < 0.3
    assert np.abs(coded(face, 30) - reference).mean() > 1


def test_noise_is_that_of_photons(generator, monkeypatch):
    monkeypatch.setattr(module, "SIDES", (64, 64))
    monkeypatch.setattr(module, "LIGHT", (0.25, 0.2500001))
    monkeypatch.setattr(module, "PHOTONS", (1000, 1000.001))
    monkeypatch.setattr(module, "jpeg", lambda x, *_: x)
    x = torch.full((4, 1, 64, 64), 0.6)
    y = through_camera(x, 1.0, generator)
    reference = np.random.default_rng(0).poisson(0.25 * 0.6 * 1000, y.shape) / 1000
    assert y.mean().item() == pytest.approx(reference.mean(), rel=0.01)
    assert y.std().item() == pytest.approx(reference.std(), rel=0.05)


def test_it_takes_as_many_faces_as_asked_and_leaves_the_others_alone(generator):
    x = torch.rand((600, 1, 24, 24), generator=generator)
    y = through_camera(x, 0.3, generator)
    changed = (x != y).flatten(1).any(1)
    assert 0.25 < changed.float().mean() < 0.35
    assert y.shape == x.shape and y.min() >= 0 and y.max() <= 1
    assert torch.equal(through_camera(x, 0.0, generator), x)
    # Nothing but light changes the mean of a face much; its logarithm is uniform.
    light = (y.mean((1, 2, 3)) / x.mean((1, 2, 3)))[changed]
    low, high = module.LIGHT
    assert low - 0.02 < light.min() < low + 0.05 and high - 0.05 < light.max() < high + 0.02
    assert light.median().item() == pytest.approx((low * high) ** 0.5, abs=0.06)


def test_augmentation_asks_for_it(generator):
    x = torch.rand((8, 1, 48, 48), generator=generator)
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    alone, before = Augment(camera=1.0), Augment()
    changed, _ = augment(x, alone, seeds[0])
    expected = through_camera(augment(x, before, seeds[1])[0], 1.0, seeds[1])
    assert torch.equal(changed, expected)
    assert (changed - x).abs().mean() > 0.05
