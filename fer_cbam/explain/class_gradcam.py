"""Grad-CAM (Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391): the class maps that
come with every forward pass, see :mod:`fer_cbam.models.class_maps`."""

from __future__ import annotations

import numpy as np

from fer_cbam.explain.base import Explainer, chosen


class GradCam(Explainer):
    """One forward pass for all labels, on any backend."""

    kind = "gradcam"

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return chosen(self.backend.forward(x).class_maps, labels)
