"""Occlusion with few patches and Grad-CAM, half of each.

The two err in different places: occlusion sees what a part does alone, Grad-CAM what the last
features hold of it. Their mean shows better than either what an answer rests on
(``python -m eval trust``). Grad-CAM comes with the forward pass that occlusion begins with, so it
costs nothing.
"""

from __future__ import annotations

import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.explain.base import Explainer, chosen
from fer_cbam.explain.occlusion import Occlusion
from fer_cbam.saliency import upsample


class OcclusionGradCam(Explainer):
    """A forward pass for each patch and one more, for all labels, on any backend.

    rows, columns: of patches, see :class:`~fer_cbam.explain.occlusion.Occlusion`. Grad-CAM
    knows the middle of the face, so that few will do.
    """

    kind = "occlusion_gradcam"

    def __init__(self, backend: Backend, rows: int = 3, columns: int = 3):
        super().__init__(backend)
        self.occlusion = Occlusion(backend, rows, columns)

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        before = self.backend.forward(x)
        size = (x.shape[2], x.shape[3])
        losses = chosen(self.occlusion.class_maps(x, before.logits), labels)
        cams = chosen(before.class_maps, labels)
        blend: np.ndarray = (_even(upsample(losses, size)) + _even(upsample(cams, size))) / 2
        return blend


def _even(maps: np.ndarray) -> np.ndarray:
    """Each map ``(..., H, W)`` over its standard deviation, so that neither outweighs the other
    where they differ from place to place; 0, no evidence, stays 0."""
    even: np.ndarray = maps / np.maximum(maps.std((-2, -1), keepdims=True), 1e-12)
    return even
