""":class:`~fer_cbam.backends.base.Backend` on torch."""

from __future__ import annotations

import copy
import os
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fer_cbam import pretrained
from fer_cbam.backends.base import Forward
from fer_cbam.errors import BackendError
from fer_cbam.hub import LoadedModel
from fer_cbam.models.class_maps import forward_explained

# The threads of OpenMP do not follow into a forked process, and work that is shared out to them
# never ends there.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


class TorchBackend:
    """Runs loaded weights with torch; see :class:`~fer_cbam.backends.base.Backend`.

    device: "cpu" or "cuda", by default "cuda" where torch finds one. Weights on another device are
    a copy; those of ``loaded`` stay where they are.

    Raises:
        BackendError: a device that torch does not find here.
    """

    def __init__(self, loaded: LoadedModel, device: str | None = None):
        self.device = _checked(device)
        on_cpu = self.device == "cpu"
        self.model = loaded.model if on_cpu else copy.deepcopy(loaded.model).to(self.device)
        self.preprocess = loaded.preprocess
        self.label_names = loaded.label_names
        self.name = loaded.name
        self.config = loaded.config
        self.weights_file = loaded.folder / pretrained.WEIGHTS_FILE

    @torch.no_grad()
    def forward(self, x: np.ndarray) -> Forward:
        with _float32(self.device):
            outputs = forward_explained(self.model, torch.from_numpy(x).to(self.device))
        gate = outputs.attention
        return Forward(
            _array(outputs.logits), _array(outputs.class_maps), _array(outputs.embedding),
            None if gate is None else _array(gate),
        )  # fmt: skip


def _checked(device: str | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise BackendError(f"device {device!r}; expected 'cpu' or 'cuda'")
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("device 'cuda': torch finds none here; expected 'cpu'")
    return device


def _float32(device: str) -> AbstractContextManager[None]:
    """TF32 convolutions, torch's default on CUDA, would move logits by a thousandth."""
    if device == "cpu":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
