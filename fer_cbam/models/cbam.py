"""CBAM: Convolutional Block Attention Module.

Paper: Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018,
https://arxiv.org/abs/1807.06521, equations 2 and 3, channel gate first. As in the equations there
are no biases and no normalisation; the authors' released code adds both (biases in the MLP, a
BatchNorm behind the 7x7 convolution). timm's ``CbamModule`` keeps the BatchNorm; the tests hold
this file against it with that BatchNorm as the identity.

:class:`NormalizedSpatialAttention` is ours, for a gate that is to be looked at. The plain one may
be the same for every face, and scale all of a map at once: training asks nothing else of it. This
one has mean 1 over each map, so that it can only weigh places against each other, and two terms of
its own in training (``train/attention.py``).

Each CBAM keeps the maps of its last forward pass, so that they can be looked at.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.jit import is_scripting, is_tracing  # type: ignore[attr-defined, unused-ignore]


class ChannelAttention(nn.Module):
    """Channel gate: ``(B, C, H, W)`` -> weights ``(B, C, 1, 1)`` in (0, 1).

    One two-layer MLP (1x1 convolutions, ReLU between) is shared by the average- and the max-pooled
    channels; the sigmoid of the sum is the gate.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        average = self.mlp(x.mean((2, 3), keepdim=True))
        maximum = self.mlp(x.amax((2, 3), keepdim=True))
        return torch.sigmoid(average + maximum)


def pooled(x: Tensor) -> Tensor:
    """Mean and maximum across the channels: ``(B, C, H, W)`` -> ``(B, 2, H, W)``."""
    return torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)


class SpatialAttention(nn.Module):
    """Spatial gate: ``(B, C, H, W)`` -> weights ``(B, 1, H, W)`` in (0, 1).

    Sigmoid of a convolution over [average; maximum] across the channels.
    """

    def __init__(self, kernel_size: int = 7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(pooled(x)))


class NormalizedSpatialAttention(nn.Module):
    """Spatial gate of mean 1: ``(B, C, H, W)`` -> positive weights ``(B, 1, H, W)``.

    The sigmoid of the paper's convolution, with the BatchNorm of the authors' code behind it,
    divided by its mean over the map: above 1 is more than an even share. What lies outside repeats
    the border, for on a map of 6x6 zeros there would reach every place.
    """

    def __init__(self, kernel_size: int = 7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False,
                              padding_mode="replicate")  # fmt: skip
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.of_pooled(pooled(x))

    def of_pooled(self, x: Tensor) -> Tensor:
        """The same from the pooled channels, ``(B, 2, H, W)``."""
        gate = torch.sigmoid(self.norm(self.conv(x)))
        return gate / gate.mean((2, 3), keepdim=True).clamp_min(0.05)


class CBAM(nn.Module):
    """Channel, then spatial attention: ``(B, C, H, W)`` -> the same shape.

    normalized: the spatial gate is a :class:`NormalizedSpatialAttention`.
    ``channel_map`` ``(B, C, 1, 1)`` and ``spatial_map`` ``(B, 1, H, W)`` hold the gates of the
    last forward pass, detached. They are None before the first pass, for a gate that is switched
    off (``channel=False`` or ``spatial=False``, for ablation), and are not touched by scripted
    code nor while a graph is traced, compiled or exported.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        kernel_size: int = 7,
        channel: bool = True,
        spatial: bool = True,
        normalized: bool = False,
    ):
        super().__init__()
        self.channel = ChannelAttention(channels, reduction) if channel else None
        self.spatial: nn.Module | None = None
        if spatial:
            gate = NormalizedSpatialAttention if normalized else SpatialAttention
            self.spatial = gate(kernel_size)
        self.channel_map: Tensor | None = None
        self.spatial_map: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_gated(x)[0]

    def forward_gated(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same, and the spatial gate ``(B, 1, H, W)``, None where it is switched off."""
        spatial_map: Tensor | None = None
        if self.channel is not None:
            channel_map = self.channel(x)
            x = x * channel_map
            if not is_scripting():
                self._keep("channel_map", channel_map)
        if self.spatial is not None:
            spatial_map = self.spatial(x)
            x = x * spatial_map
            if not is_scripting():
                self._keep("spatial_map", spatial_map)
        return x, spatial_map

    def _keep(self, name: str, gate: Tensor) -> None:
        # Under torch.fx and torch.export what stands in for a tensor is of another type.
        traced = is_tracing()  # type: ignore[no-untyped-call, unused-ignore]
        recording = traced or torch.compiler.is_compiling()
        if not recording and type(gate) is Tensor:
            setattr(self, name, gate.detach())
