"""What runs the network: the same promise for torch, ONNX Runtime and LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # nothing here computes, and the command line reads the names below
    import numpy as np

    from fer_cbam.preprocess import Preprocess

#: ``onnx-int8`` and ``litert`` are quantised, the former in a folder that ``fer-cbam export`` made.
BACKENDS = ("torch", "onnx", "onnx-int8", "litert")


@dataclass(frozen=True, eq=False)
class Forward:
    """All that one forward pass says of a batch, float32.

    logits: ``(B, K)``. class_maps: ``(B, K, h, w)``, Grad-CAM of every class, neither rectified nor
    scaled; :func:`fer_cbam.saliency.saliency_maps` does both. embedding: ``(B, D)``, what the
    classifier sees; None for an ``model.onnx`` that was exported before embeddings were. attention:
    ``(B, 1, h, w)`` in (0, 1), the spatial gate of the last CBAM; None where the network has none.
    """

    logits: np.ndarray
    class_maps: np.ndarray
    embedding: np.ndarray | None
    attention: np.ndarray | None


class Backend(Protocol):
    """A network with its weights. Safe to call from several threads.

    label_names: in the order of the logits. name: ``<arch>.<tag>`` or the source as given. config:
    the config.json as read. weights_file: what holds the weights; config.json lies beside it.
    device: where the network runs, ``"cpu"`` or ``"cuda"``.
    """

    preprocess: Preprocess
    label_names: tuple[str, ...]
    name: str
    config: dict[str, Any]
    weights_file: Path
    device: str

    def forward(self, x: np.ndarray) -> Forward:
        """Run the network once on preprocessed faces, float32 ``(B, C, H, W)``."""
        ...
