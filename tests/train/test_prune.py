"""Pruned networks beside the wide ones that they come from."""

from __future__ import annotations

import copy

import pytest
import timm
import torch

import fer_cbam.models  # noqa: F401  registers the architectures
from fer_cbam.errors import FerError
from fer_cbam.models.cbam import ChannelAttention
from train.prune import most_important, narrower, prune_channel_gate, prune_into

WIDTHS = (8, 24, 40, 80)


def network(seed: int, **kwargs):
    """A tiny network whose BatchNorm and attention are not those of a start."""
    torch.manual_seed(seed)
    model = timm.create_model("fer_cbam_tiny", num_classes=5, **kwargs).eval()
    for name, tensor in model.state_dict().items():
        if ".norm." in name and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
        elif ".attention." in name and tensor.ndim > 1:
            tensor.normal_(0, 0.5)
    return model


def silenced(model, widths, seed=0):
    """The same network with all but so many channels of each layer, and units of each gate, at
    zero, and the positions that are left of each layer."""
    generator = torch.Generator().manual_seed(seed)
    model, left = copy.deepcopy(model), []
    for stage, width in zip(model.stages, widths, strict=True):
        for layer in stage.convs:
            order = torch.randperm(layer.conv.out_channels, generator=generator)
            layer.norm.weight.data[order[width:]] = 0
            layer.norm.bias.data[order[width:]] = 0
            left.append(order[:width].sort().values)
        if hasattr(stage.attention, "channel"):
            down, _, up = stage.attention.channel.mlp
            units = torch.randperm(down.out_channels, generator=generator)[width // 16 :]
            down.weight.data[units] = 0
            up.weight.data[:, units] = 0
    return model, left


def test_channels_that_are_zero_can_go_and_the_logits_stay():
    large, left = silenced(network(0), WIDTHS)
    small = network(1, channels=WIDTHS)
    x = torch.rand(4, 1, 48, 48, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = large(x)
        assert (small(x) - expected).abs().max() > 0.1
        prune_into(small, large)
        torch.testing.assert_close(small(x), expected, atol=1e-5, rtol=0)
        gates = [model.stages[3].attention.spatial_map for model in (small, large)]
    torch.testing.assert_close(*gates, atol=1e-5, rtol=0)
    first = large.stages[0].convs[0].conv.weight[left[0]]
    assert torch.equal(small.stages[0].convs[0].conv.weight, first)


def test_the_channels_of_the_largest_scales_stay_whatever_their_sign():
    large, small = network(0), network(1, channels=(8, 32, 64, 120))
    large.stages[0].convs[0].norm.weight.data = torch.arange(16.0) - 7.6
    prune_into(small, large)
    kept = small.stages[0].convs[0].norm.weight.tolist()
    assert kept == pytest.approx([-7.6, -6.6, -5.6, -4.6, 4.4, 5.4, 6.4, 7.4])


def test_a_channel_gate_keeps_the_units_that_weigh_most():
    """Of four units the second and the last have the larger way out; the others are at zero."""
    torch.manual_seed(0)
    source, to = ChannelAttention(64), ChannelAttention(32)
    down, _, up = source.mlp
    down.weight.data.uniform_(0.05, 0.1)
    up.weight.data.normal_(0, 0.1)
    up.weight.data[:, [0, 2]] = 0
    kept = torch.arange(0, 64, 2)
    x = torch.rand(2, 64, 6, 6)
    x[:, 1::2] = 0
    with torch.no_grad():
        prune_channel_gate(to, source, kept)
        torch.testing.assert_close(to(x[:, kept]), source(x)[:, kept], atol=1e-6, rtol=0)
        assert (to(x[:, kept]) - 0.5).abs().max() > 0.01


def test_positions_are_in_ascending_order_and_the_first_of_equals_stays():
    assert most_important(torch.tensor([1.0, 3.0, 2.0, 3.0, 2.0]), 3).tolist() == [1, 2, 3]


def test_only_widths_may_differ():
    tiny = network(0)
    assert narrower(network(1, channels=WIDTHS), tiny)
    assert not narrower(tiny, network(1, channels=WIDTHS))
    assert not narrower(tiny, network(1))
    assert not narrower(network(1, channels=(8, 40, 40, 80)), tiny)  # one is wider
    assert not narrower(network(1, channels=WIDTHS, attention=("",) * 4), tiny)
    assert not narrower(network(1, channels=WIDTHS, depths=(2, 2, 2, 3)), tiny)
    paper = timm.create_model("fer_cbam_paper")
    assert not narrower(timm.create_model("fer_cbam_paper", channels=(32, 64, 120)), paper)


def test_others_are_refused_by_their_widths():
    with pytest.raises(FerError, match=r"\[16, 32, 64, 120\] and 5 .* to \[16, 32, 64, 128\]"):
        prune_into(network(1, channels=(16, 32, 64, 128)), network(0))
