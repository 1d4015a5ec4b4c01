"""Many crops are what each says alone, in order, in batches of the size asked for."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam import hub
from fer_cbam.backends.base import Forward
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend


class Counted:
    """A backend that notes the size of each batch."""

    def __init__(self, backend):
        self.backend, self.preprocess, self.sizes = backend, backend.preprocess, []

    def forward(self, x: np.ndarray) -> Forward:
        self.sizes.append(len(x))
        return self.backend.forward(x)


@pytest.mark.parametrize(("size", "sizes"), [(5, [5, 5, 2]), (12, [12]), (64, [12]), (1, [1] * 12)])
def test_batches_are_joined_in_order(folder, faces, x, size, sizes):
    backend = Counted(TorchBackend(hub.load_model(folder), "cpu"))
    found, expected = forward_many(backend, faces, size), backend.backend.forward(x)
    assert backend.sizes == sizes
    for name in ("logits", "class_maps", "embedding", "attention"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5)


def test_no_crops(folder):
    found = forward_many(TorchBackend(hub.load_model(folder), "cpu"), [])
    assert found.logits.shape[0] == found.class_maps.shape[0] == 0


def test_filled_calls_depend_on_the_crop_alone():
    """To the bit: a lone face, one among others, and one in another place."""
    backend = Counted(OnnxBackend.load("fer_cbam_tiny.ferplus", threads=1))
    crops = list(np.random.default_rng(0).integers(0, 256, (21, 48, 48, 3), np.uint8))
    whole = forward_many(backend, crops, 16, filled=True)
    alone = [forward_many(backend, [crop], 16, filled=True) for crop in crops]
    back = forward_many(backend, crops[::-1], 16, filled=True)
    assert set(backend.sizes) == {16} and len(whole.logits) == 21
    for name in ("logits", "class_maps", "embedding", "attention"):
        one_by_one = np.concatenate([getattr(forward, name) for forward in alone])
        np.testing.assert_array_equal(getattr(whole, name), one_by_one)
        np.testing.assert_array_equal(getattr(whole, name), getattr(back, name)[::-1])
    backend.sizes.clear()
    assert forward_many(backend, [], 16, filled=True).logits.shape[0] == 0
