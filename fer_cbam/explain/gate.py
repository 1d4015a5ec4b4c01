"""The network's own attention: the spatial gate of its last CBAM (Woo et al., ECCV 2018,
https://arxiv.org/abs/1807.06521). It is the same for all labels."""

from __future__ import annotations

import numpy as np

from fer_cbam.errors import WeightsError
from fer_cbam.explain.base import Explainer
from fer_cbam.saliency import attention_maps


class AttentionGate(Explainer):
    """One forward pass, on any backend.

    Raises:
        WeightsError: in `maps`, of a network that has no spatial gate.
    """

    kind = "spatial_attention"

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        gate = self.backend.forward(x).attention
        if gate is None:
            raise WeightsError(f"{self.backend.name}: no spatial attention; expected a network "
                               "with CBAM's spatial gate")  # fmt: skip
        return np.repeat(gate, labels.shape[1], axis=1)

    def scaled(self, maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return attention_maps(maps, size, self.backend.config.get("gate_neutral"))
