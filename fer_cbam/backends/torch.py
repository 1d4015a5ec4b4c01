""":class:`~fer_cbam.backends.base.Backend` on torch."""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import Tensor

from fer_cbam.backends.base import Explained
from fer_cbam.explain import head_gradcam, spatial_attention
from fer_cbam.hub import LoadedModel


class TorchBackend:
    """Runs loaded weights with torch; see :class:`~fer_cbam.backends.base.Backend`."""

    def __init__(self, loaded: LoadedModel):
        self.model = loaded.model
        self.preprocess = loaded.preprocess
        self.label_names = loaded.label_names
        self.name = loaded.name
        self.config = loaded.config
        # The model keeps its attention maps from one forward pass to the next.
        self._lock = threading.Lock()

    def logits(self, x: np.ndarray) -> np.ndarray:
        with self._lock:
            return self._forward(torch.from_numpy(x))[1].numpy()

    def explain(self, x: np.ndarray, target: np.ndarray | None = None) -> Explained:
        pixels = torch.from_numpy(x)
        size = pixels.shape[-2:]
        with self._lock:
            features, logits = self._forward(pixels)
            attention = spatial_attention(self.model, size)
        classes = None if target is None else torch.from_numpy(target)
        cams = head_gradcam(self.model, features, classes, size)
        return Explained(
            logits.numpy(), cams.numpy(), None if attention is None else attention.numpy()
        )

    @torch.no_grad()
    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.model.forward_features(x)
        return features, self.model.forward_head(features)
