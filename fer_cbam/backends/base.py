"""What runs the network: the same promise for torch and for ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # nothing here computes, and the command line reads the names below
    import numpy as np

    from fer_cbam.preprocess import Preprocess

#: ``onnx-int8`` is the quantised network of a folder that ``fer-cbam export`` made.
BACKENDS = ("torch", "onnx", "onnx-int8")


@dataclass(frozen=True, eq=False)
class Explained:
    """What one forward pass says of a batch, float32.

    logits: ``(B, K)``. gradcam: ``(B, H, W)`` in [0, 1], of the class that was asked for.
    attention: the spatial gate of the last CBAM, ``(B, H, W)``, stretched to [0, 1]; None where the
    network has none.
    """

    logits: np.ndarray
    gradcam: np.ndarray
    attention: np.ndarray | None


class Backend(Protocol):
    """A network with its weights. Safe to call from several threads.

    label_names: in the order of the logits. name: ``<arch>.<tag>`` or the source as given. config:
    the config.json as read.
    """

    preprocess: Preprocess
    label_names: tuple[str, ...]
    name: str
    config: dict[str, Any]

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Preprocessed faces, float32 ``(B, C, H, W)`` -> logits, float32 ``(B, K)``."""
        ...

    def explain(self, x: np.ndarray, target: np.ndarray | None = None) -> Explained:
        """The same with maps. target: int64 ``(B,)``, the class that Grad-CAM explains, by default
        the one with the largest logit."""
        ...
