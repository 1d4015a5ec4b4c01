"""LayerCAM at any stage (Jiang et al., IEEE TIP 30, 2021,
https://doi.org/10.1109/TIP.2021.3089943): activations, each weighted by its own positive gradient.

Earlier stages have finer maps. Needs torch: the network behind the stage is differentiated. Nothing
is hooked, so it may run in several threads at once.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fer_cbam.backends.base import Backend
from fer_cbam.explain.base import Explainer, torch_backend


class LayerCam(Explainer):
    """A forward pass, and a backward pass through the stages behind ``stage`` for each label.

    stage: counted from 0; the map is as large as what that stage gives.

    Raises:
        BackendError: another backend than torch's.
    """

    kind = "layercam"

    def __init__(self, backend: Backend, stage: int = 1):
        super().__init__(backend)
        self.model = torch_backend(backend, self.kind).model
        self.stage = stage

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(x).to(self.backend.device)
        wanted = torch.from_numpy(np.ascontiguousarray(labels, np.int64)).to(self.backend.device)
        with torch.no_grad():
            before = self.model.stages[: self.stage + 1](self.model.input_norm(inputs))
        with torch.enable_grad():
            features = before.requires_grad_()
            logits = self.model.forward_head(self.model.stages[self.stage + 1 :](features))
            scores = logits.gather(1, wanted).sum(0)
            gradients = [torch.autograd.grad(s, features, retain_graph=True)[0] for s in scores]
        maps = [self.weighted(features.detach(), gradient) for gradient in gradients]
        return torch.stack(maps, 1).float().cpu().numpy()

    @staticmethod
    def weighted(features: Tensor, gradient: Tensor) -> Tensor:
        """Two of ``(B, C, h, w)`` -> ``(B, h, w)``."""
        return (features * gradient.clamp_min(0)).sum(1)
