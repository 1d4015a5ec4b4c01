"""Rectify, upsample, scale: against values by hand and against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fer_cbam.saliency import attention_maps, saliency_maps, upsample


@pytest.mark.parametrize("size", [(48, 48), (7, 5), (3, 11), (2, 2), (1, 1)])
def test_upsampling_is_that_of_torch(size):
    maps = np.random.default_rng(0).normal(size=(2, 3, 6, 4)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps), size, mode="bilinear", align_corners=False
    )
    found = upsample(maps, size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_upsampling_by_hand():
    """Centres of the new pixels lie at -1/4, 1/4, 3/4 and 5/4 of the old ones."""
    np.testing.assert_allclose(upsample(np.array([[0.0, 4.0]]), (1, 4)), [[0, 1, 3, 4]])


def test_saliency_by_hand():
    maps = np.array([[[-2.0, 4.0], [1.0, 0.0]], [[-1.0, -3.0], [0.0, -2.0]]])
    found = saliency_maps(maps, (2, 2))
    np.testing.assert_allclose(found[0], [[0, 1], [0.25, 0]])
    assert (found[1] == 0).all()  # nothing speaks for it


def test_saliency_is_rectified_before_it_is_upsampled():
    found = saliency_maps(np.array([[-4.0, 4.0]]), (1, 4))
    np.testing.assert_allclose(found, [[0, 0.25, 0.75, 1]])


def test_attention_is_stretched_in_each_map():
    gates = np.array([[[0.2, 0.6], [0.4, 0.2]], [[0.5, 0.5], [0.5, 0.5]]])
    found = attention_maps(gates, (2, 2))
    np.testing.assert_allclose(found[0], [[0, 1], [0.5, 0]], atol=1e-6)
    assert (found[1] == 0).all()  # a flat gate attends to nothing more than to the rest


def test_maps_of_a_batch_are_scaled_each_on_its_own():
    maps = np.random.default_rng(1).random((3, 4, 6, 6), np.float32)
    found = saliency_maps(maps, (12, 12))
    assert found.shape == (3, 4, 12, 12)
    np.testing.assert_allclose(found.max((2, 3)), 1)
    np.testing.assert_allclose(found[1, 2], saliency_maps(maps[1, 2], (12, 12)))


def test_attention_with_a_neutral_value_shows_what_is_weighted_up():
    gates = np.array([[0.5, 1.0], [1.5, 2.0]])
    np.testing.assert_allclose(attention_maps(gates, (2, 2), 1.0), [[0, 0], [0.5, 1]])
    # A gate that hardly weighs anything is not made to look as if it did, a strong one fits in.
    np.testing.assert_allclose(attention_maps(1 + gates / 20, (2, 2), 1.0), gates / 20, rtol=1e-5)
    np.testing.assert_allclose(attention_maps(4 * gates, (2, 2), 2.0).max(), 1)
    np.testing.assert_allclose(attention_maps(4 * gates, (2, 2), 2.0)[0, 1], 1 / 3, rtol=1e-6)
    assert not attention_maps(np.ones((3, 3)), (6, 6), 1.0).any()
