"""Fills against pytorch-grad-cam's imputer, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer

from eval.trust.fills import FILLS, ROAD_NOISE, imputed, standard_noise
from fer_cbam.saliency import upsample


@pytest.fixture
def x() -> np.ndarray:
    cells = np.random.default_rng(0).random((6, 1, 12, 12), np.float32)
    return upsample(cells, (48, 48))


def masks(share: float, cells: int) -> np.ndarray:
    drawn = upsample(np.random.default_rng(1).random((6, cells, cells)), (48, 48))
    return drawn < np.quantile(drawn, share, axis=(1, 2), keepdims=True)


@pytest.mark.parametrize(("share", "cells"), [(0.1, 48), (0.5, 6), (0.9, 48), (0.9, 6)])
@pytest.mark.filterwarnings("ignore")
def test_road_is_the_imputer_of_its_authors(x, share, cells):
    hidden = masks(share, cells)
    reference = NoisyLinearImputer(noise=0)
    expected = [
        reference(torch.from_numpy(image.copy()), torch.from_numpy((~h).astype(np.float32)))
        for image, h in zip(x, hidden, strict=True)
    ]
    np.testing.assert_allclose(imputed(x[:, 0], hidden), np.stack(expected)[:, 0], atol=0.01)


def test_every_fill_keeps_what_is_shown_and_changes_what_is_hidden(x):
    hidden, noise = masks(0.4, 6), standard_noise(x, np.random.default_rng(2))
    for name, replace in FILLS.items():
        found = replace(x, hidden, noise)
        np.testing.assert_array_equal(found[~hidden[:, None]], x[~hidden[:, None]], err_msg=name)
        assert np.abs(found - x)[hidden[:, None]].mean() > 0.01, name
        assert np.isfinite(replace(x, np.ones_like(hidden), noise)).all(), name


def test_a_face_hidden_whole_is_its_mean_or_noise_of_its_spread(x):
    whole, noise = np.ones((6, 48, 48), bool), standard_noise(x, np.random.default_rng(2))
    level = x.mean((2, 3), keepdims=True)
    np.testing.assert_allclose(FILLS["mean"](x, whole, noise), np.broadcast_to(level, x.shape))
    np.testing.assert_allclose(
        FILLS["road"](x, whole, noise), level + ROAD_NOISE * noise, atol=1e-5
    )
    noisy = FILLS["noise"](x, whole, noise)
    assert noisy.std() == pytest.approx(x.std(), rel=0.2)
    assert noisy.min() >= x.min() and noisy.max() <= x.max()
