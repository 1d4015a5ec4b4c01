"""Integrated Gradients behind the InputNorm (Sundararajan, Taly and Yan, ICML 2017,
https://arxiv.org/abs/1703.01365). Needs torch.

The path goes from a face without contrast (0 everywhere, which is each face's own mean) to the face
as the first convolution sees it. Before the InputNorm it would be no path at all: every point of it
but the first is standardised to the same face.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from fer_cbam.backends.base import Backend
from fer_cbam.explain.base import Explainer, torch_backend

SMOOTH = 1 / 12  # of the side: single pixels are noise; half as much shows less, judged by ABPC


class IntegratedGradients(Explainer):
    """``steps`` forward and backward passes a face and label.

    steps: points of the path, by Gauss and Legendre's rule.

    Raises:
        BackendError: another backend than torch's.
    """

    kind = "integrated_gradients"

    def __init__(self, backend: Backend, steps: int = 16):
        super().__init__(backend)
        self.model = torch_backend(backend, self.kind).model
        self.steps = steps

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(x).to(self.backend.device)
        found = [self.attributions(inputs, torch.from_numpy(np.ascontiguousarray(column, np.int64)))
                 for column in labels.T]  # fmt: skip
        return np.stack([_smoothed(a.sum(1).cpu().numpy()) for a in found], 1)

    def attributions(self, x: Tensor, labels: Tensor) -> Tensor:
        """The share of each input in the label's logit: ``(B, C, H, W)``, labels int64 ``(B,)``.

        Their sum is the logit of the face less that of the face without contrast.
        """
        normed = self.model.input_norm(x)
        nodes, weights = np.polynomial.legendre.leggauss(self.steps)
        total = torch.zeros_like(normed)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            with torch.enable_grad():
                point = (float(node) * normed).requires_grad_()
                logits = self.model.forward_head(self.model.stages(point))
                score = logits.gather(1, labels.to(logits.device)[:, None]).sum()
                total += float(weight) * torch.autograd.grad(score, point)[0]
        found: Tensor = (total * normed).detach()
        return found


def _smoothed(maps: np.ndarray) -> np.ndarray:
    sigma = SMOOTH * maps.shape[-1]
    return np.stack([cv2.GaussianBlur(m, (0, 0), sigma) for m in maps])
