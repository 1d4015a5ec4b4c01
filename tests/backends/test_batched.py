"""Many crops are what each says alone, in order, in batches of the size asked for."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam import hub
from fer_cbam.backends.base import Forward
from fer_cbam.backends.batched import forward_many
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
