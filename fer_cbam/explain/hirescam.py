"""HiResCAM at any stage (Draelos and Carin 2020, https://arxiv.org/abs/2011.08891): activations,
each weighted by its own gradient. Needs torch."""

from __future__ import annotations

from torch import Tensor

from fer_cbam.explain.layercam import LayerCam


class HiResCam(LayerCam):
    """As :class:`~fer_cbam.explain.layercam.LayerCam`, with gradients of either sign."""

    kind = "hirescam"

    @staticmethod
    def weighted(features: Tensor, gradient: Tensor) -> Tensor:
        return (features * gradient).sum(1)
