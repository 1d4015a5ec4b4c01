"""What every explainer promises: for each face and label, where the evidence for it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.saliency import saliency_maps

if TYPE_CHECKING:
    from fer_cbam.backends.torch import TorchBackend


class Explainer:
    """Explains the answers of a backend. A subclass overrides `maps`; one file for each.

    kind: the name of its maps, see :class:`~fer_cbam.types.Saliency`.
    """

    kind = ""

    def __init__(self, backend: Backend):
        self.backend = backend

    def maps(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Evidence, neither rectified nor scaled.

        x: float32 ``(B, C, H, W)``, preprocessed. labels: int ``(B, L)``, for each face the places
        in the logits of the L labels to explain. Returns float32 ``(B, L, h, w)``.
        """
        raise NotImplementedError

    def __call__(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Saliency of one label for each face: labels int ``(B,)`` -> float32 ``(B, H, W)`` in
        [0, 1], see :func:`fer_cbam.saliency.saliency_maps`."""
        maps = self.maps(x, np.asarray(labels)[:, None])[:, 0]
        return self.scaled(maps, (x.shape[2], x.shape[3]))

    def scaled(self, maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Evidence ``(..., h, w)`` -> what is shown, float32 ``(..., H, W)`` in [0, 1]."""
        return saliency_maps(maps, size)


def chosen(class_maps: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of maps of all labels ``(B, K, h, w)`` those of ``labels`` ``(B, L)``: ``(B, L, h, w)``."""
    picked: np.ndarray = class_maps[np.arange(len(labels))[:, None], labels]
    return picked


def torch_backend(backend: Backend, kind: str) -> TorchBackend:
    """The backend, as one whose network can be differentiated.

    Raises:
        BackendError: another one than torch's.
    """
    from fer_cbam.backends.torch import TorchBackend
    from fer_cbam.errors import BackendError

    if not isinstance(backend, TorchBackend):
        raise BackendError(f"{kind}: got {type(backend).__name__}, whose network cannot be "
                           "differentiated; expected backend 'torch'")  # fmt: skip
    return backend
