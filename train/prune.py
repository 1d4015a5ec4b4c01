"""Structured pruning: a narrower network from the channels of a wider one that count most.

Channels are ranked, convolution by convolution, by the size of their BatchNorm's scale: Liu et al.
2017, "Learning efficient convolutional networks through network slimming",
https://arxiv.org/abs/1708.06519, without the penalty on the scales that its training adds. Hidden
units of a channel gate, which have no BatchNorm, are ranked by the L1 norm of their weights: Li et
al. 2017, "Pruning filters for efficient convnets", https://arxiv.org/abs/1608.08710.

A spatial gate reads the mean across channels, and fewer channels give another mean. Its kernel is
rescaled, so that channels which were zero before can go and change nothing.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from fer_cbam.errors import FerError
from fer_cbam.models.cbam import CBAM, ChannelAttention
from fer_cbam.models.fer_cbam import ConvNormAct, FerCbam, Stage


def narrower(small: nn.Module, large: nn.Module) -> bool:
    """Whether a network is another one with fewer channels: the same tensors but for the
    classifier's, some smaller and none larger. Only networks of convolution, BatchNorm, activation
    and a pooled map before the classifier can be so."""
    layers = [layer for model in (small, large) for layer in _layers(model)]
    if not layers or not all(isinstance(layer, ConvNormAct) for layer in layers):
        return False
    own, other = _shapes(small), _shapes(large)
    pairs = [(own[name], other[name]) for name in own if name in other]
    return (
        own.keys() == other.keys()
        and own != other
        and all(len(a) == len(b) and all(map(int.__le__, a, b)) for a, b in pairs)
    )


@torch.no_grad()
def prune_into(small: FerCbam, large: FerCbam) -> None:
    """Give a network the channels of a wider one that count most, in place.

    small: `narrower` than large, with the same classes.

    Raises:
        FerError: it is not.
    """
    classes = [model.num_classes for model in (small, large)]
    if not narrower(small, large) or classes[0] != classes[1]:
        raise FerError(f"prune: a network of widths {_widths(large)} and {classes[1]} classes to "
                       f"{_widths(small)} and {classes[0]}; expected one that differs in smaller "
                       "widths only")  # fmt: skip
    kept = torch.arange(large.in_chans)
    for to, source in zip(cast(Any, small.stages), cast(Any, large.stages), strict=True):
        kept = _prune_stage(to, source, kept)
    to_fc, fc = (cast(nn.Linear, model.get_classifier()) for model in (small, large))
    to_fc.weight.copy_(fc.weight[:, kept])
    to_fc.bias.copy_(fc.bias)


def most_important(scores: Tensor, count: int) -> Tensor:
    """Positions of the largest of scores ``(C,)``, in ascending order."""
    return scores.argsort(descending=True, stable=True)[:count].sort().values


def _layers(model: nn.Module) -> list[nn.Module]:
    stages = model.stages if isinstance(model, FerCbam) else ()
    return [layer for stage in stages for layer in cast(Stage, stage).convs]


def _widths(model: FerCbam) -> list[int]:
    return [info["num_chs"] for info in model.feature_info]


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()
            if not name.startswith("head.fc.")}  # fmt: skip


def _prune_stage(to: Stage, source: Stage, inputs: Tensor) -> Tensor:
    """All of a stage; which channels of its last layer are left. inputs: those left before it."""
    for layer, wide in zip(to.convs, source.convs, strict=True):
        inputs = _prune_layer(cast(ConvNormAct, layer), cast(ConvNormAct, wide), inputs)
    if isinstance(to.attention, CBAM):
        width = cast(ConvNormAct, source.convs[-1]).conv.out_channels
        _prune_attention(to.attention, cast(CBAM, source.attention), inputs, width)
    return inputs


def _prune_layer(to: ConvNormAct, source: ConvNormAct, inputs: Tensor) -> Tensor:
    kept = most_important(source.norm.weight.abs(), to.conv.out_channels)
    to.conv.weight.copy_(source.conv.weight[kept][:, inputs])
    own = to.norm.state_dict()
    for name, values in source.norm.state_dict().items():
        own[name].copy_(values[kept] if values.ndim else values)
    return kept


def _prune_attention(to: CBAM, source: CBAM, kept: Tensor, width: int) -> None:
    """width: channels that the source has. kept: those of them that are left."""
    if to.channel is not None:
        prune_channel_gate(to.channel, cast(ChannelAttention, source.channel), kept)
    if to.spatial is not None:
        to.spatial.load_state_dict(cast(nn.Module, source.spatial).state_dict())
        cast(Any, to.spatial).conv.weight[:, 0] *= len(kept) / width


def prune_channel_gate(to: ChannelAttention, source: ChannelAttention, kept: Tensor) -> None:
    """The same in a channel gate. kept: the channels of source that are left."""
    to_down, _, to_up = cast(Any, to.mlp)
    source_down, _, source_up = cast(Any, source.mlp)
    down, up = source_down.weight[:, kept], source_up.weight[kept]
    norms = down.abs().sum((1, 2, 3)) + up.abs().sum((0, 2, 3))
    hidden = most_important(norms, to_down.out_channels)
    to_down.weight.copy_(down[hidden])
    to_up.weight.copy_(up[:, hidden])
