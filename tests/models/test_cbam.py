"""CBAM against numpy written out by hand and against timm's own module."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from timm.layers.cbam import CbamModule

from fer_cbam.models import (
    CBAM,
    ChannelAttention,
    NormalizedSpatialAttention,
    SpatialAttention,
)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def numpy_cbam(x, squeeze, expand, kernel):
    """Equations 2 and 3 of the paper for one image, one number after another.

    x: (C, H, W). squeeze: (R, C), expand: (C, R). kernel: (2, k, k), k odd. Returns the output and
    both gates.
    """
    channels, height, width = x.shape
    channel_gate = np.empty(channels)
    hidden_average = [max(0.0, float(row @ x.mean((1, 2)))) for row in squeeze]
    hidden_maximum = [max(0.0, float(row @ x.max((1, 2)))) for row in squeeze]
    for c in range(channels):
        channel_gate[c] = sigmoid(
            sum(expand[c, r] * (hidden_average[r] + hidden_maximum[r]) for r in range(len(squeeze)))
        )
    refined = np.stack([x[c] * channel_gate[c] for c in range(channels)])
    pooled = np.stack([refined.mean(0), refined.max(0)])
    reach = kernel.shape[1] // 2
    padded = np.pad(pooled, ((0, 0), (reach, reach), (reach, reach)))
    spatial_gate = np.empty((height, width))
    for i in range(height):
        for j in range(width):
            window = padded[:, i : i + 2 * reach + 1, j : j + 2 * reach + 1]
            spatial_gate[i, j] = sigmoid(float((window * kernel).sum()))
    return refined * spatial_gate, channel_gate, spatial_gate


def set_weights(cbam, squeeze, expand, kernel):
    with torch.no_grad():
        if cbam.channel is not None:
            cbam.channel.mlp[0].weight.copy_(torch.as_tensor(squeeze)[:, :, None, None])
            cbam.channel.mlp[2].weight.copy_(torch.as_tensor(expand)[:, :, None, None])
        if cbam.spatial is not None:
            cbam.spatial.conv.weight.copy_(torch.as_tensor(kernel)[None])


def sample_case(channels=4, hidden=2, size=(5, 6), kernel_size=3, seed=0):
    generator = np.random.default_rng(seed)
    return (
        generator.normal(size=(channels, *size)),
        generator.normal(size=(hidden, channels)),
        generator.normal(size=(channels, hidden)),
        generator.normal(size=(2, kernel_size, kernel_size)),
    )


def test_case_worked_out_on_paper():
    """Two channels of one pixel row, one hidden unit, a kernel that only looks at its centre."""
    x = torch.tensor([[[[1.0, 3.0]], [[-2.0, 0.0]]]], dtype=torch.float64)
    cbam = CBAM(2, reduction=2, kernel_size=3).double()
    kernel = np.zeros((2, 3, 3))
    kernel[0, 1, 1], kernel[1, 1, 1] = 1.0, -1.0
    set_weights(cbam, [[1.0, 1.0]], [[0.5], [-0.25]], kernel)
    y = cbam(x)
    # Averages (2, -1) squeeze to relu(1) = 1, maxima (3, 0) to relu(3) = 3; 4 in all, so the gates
    # are sigmoid(4 * 0.5) and sigmoid(4 * -0.25).
    gate = (sigmoid(2.0), sigmoid(-1.0))
    assert cbam.channel_map.flatten().tolist() == pytest.approx(gate, abs=1e-12)
    # Mean minus maximum across the refined channels, at each of the two pixels.
    left = (gate[0] * 1 + gate[1] * -2) / 2 - gate[0] * 1
    right = (gate[0] * 3 + 0) / 2 - gate[0] * 3
    assert cbam.spatial_map.flatten().tolist() == pytest.approx(
        (sigmoid(left), sigmoid(right)), abs=1e-12
    )
    assert y.flatten().tolist() == pytest.approx(
        (
            1 * gate[0] * sigmoid(left), 3 * gate[0] * sigmoid(right),
            -2 * gate[1] * sigmoid(left), 0.0,
        ),
        abs=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("kernel_size", [3, 7])
def test_random_case_against_numpy(kernel_size):
    x, squeeze, expand, kernel = sample_case(kernel_size=kernel_size)
    cbam = CBAM(4, reduction=2, kernel_size=kernel_size).double()
    set_weights(cbam, squeeze, expand, kernel)
    y = cbam(torch.as_tensor(x)[None])
    expected, channel_gate, spatial_gate = numpy_cbam(x, squeeze, expand, kernel)
    np.testing.assert_allclose(y[0].detach(), expected, atol=1e-12)
    np.testing.assert_allclose(cbam.channel_map[0, :, 0, 0], channel_gate, atol=1e-12)
    np.testing.assert_allclose(cbam.spatial_map[0, 0], spatial_gate, atol=1e-12)


def test_zero_weights_halve_twice():
    cbam = CBAM(32)
    for parameter in cbam.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 32, 6, 6)
    torch.testing.assert_close(cbam(x), x / 4)


@pytest.mark.parametrize(("channels", "reduction"), [(128, 16), (64, 8), (8, 16)])
def test_equals_timm(channels, reduction):
    torch.manual_seed(0)
    # timm's spatial gate has a BatchNorm behind the convolution, which the paper's has not.
    theirs = CbamModule(channels, rd_ratio=1 / reduction).eval()
    norm = theirs.spatial.conv.bn
    norm.eps = 0.0
    assert norm.running_mean.item() == 0
    assert norm.running_var.item() == 1
    ours = CBAM(channels, reduction)
    with torch.no_grad():
        ours.channel.mlp[0].weight.copy_(theirs.channel.fc1.weight)
        ours.channel.mlp[2].weight.copy_(theirs.channel.fc2.weight)
        ours.spatial.conv.weight.copy_(theirs.spatial.conv.conv.weight)
    x = torch.randn(3, channels, 9, 7)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("channel", "spatial"), [(True, True), (True, False), (False, True)])
def test_maps_are_the_gates_that_were_applied(channel, spatial):
    torch.manual_seed(0)
    cbam = CBAM(32, channel=channel, spatial=spatial)
    assert cbam.channel_map is None
    assert cbam.spatial_map is None
    x = torch.randn(2, 32, 6, 5)
    y = cbam(x)
    assert (cbam.channel_map is not None) == channel
    assert (cbam.spatial_map is not None) == spatial
    expected = x
    if channel:
        assert cbam.channel_map.shape == (2, 32, 1, 1)
        expected = expected * cbam.channel_map
    if spatial:
        assert cbam.spatial_map.shape == (2, 1, 6, 5)
        expected = expected * cbam.spatial_map
    torch.testing.assert_close(y.detach(), expected, atol=0, rtol=0)
    names = [name for name, _ in cbam.named_parameters()]
    assert any(n.startswith("channel.") for n in names) == channel
    assert any(n.startswith("spatial.") for n in names) == spatial


def test_single_gates_against_numpy():
    x, squeeze, expand, kernel = sample_case()
    _, channel_gate, _ = numpy_cbam(x, squeeze, expand, kernel)
    only_channel = CBAM(4, 2, 3, spatial=False).double()
    set_weights(only_channel, squeeze, expand, kernel)
    only_channel(torch.as_tensor(x)[None])
    np.testing.assert_allclose(only_channel.channel_map[0, :, 0, 0], channel_gate, atol=1e-12)
    # A channel gate of zero weights is 1/2 everywhere; doubling the input takes it out again.
    only_spatial = CBAM(4, 2, 3, channel=False).double()
    set_weights(only_spatial, squeeze, expand, kernel)
    only_spatial(torch.as_tensor(x)[None])
    _, _, spatial_gate = numpy_cbam(2 * x, 0 * squeeze, 0 * expand, kernel)
    np.testing.assert_allclose(only_spatial.spatial_map[0, 0], spatial_gate, atol=1e-12)


def test_maps_follow_the_last_pass_and_carry_no_graph():
    cbam = CBAM(16)
    cbam(torch.randn(1, 16, 4, 4, requires_grad=True))
    first = cbam.channel_map
    cbam(torch.randn(2, 16, 4, 4))
    assert cbam.channel_map.shape[0] == 2
    assert first.shape[0] == 1
    assert not cbam.channel_map.requires_grad
    assert not cbam.spatial_map.requires_grad
    copy.deepcopy(cbam)  # as an EMA does; a map with a graph behind it could not be copied
    assert set(cbam.state_dict()) == {
        "channel.mlp.0.weight", "channel.mlp.2.weight", "spatial.conv.weight",
    }  # fmt: skip


def recorders():
    x = torch.randn(1, 16, 4, 4)
    return {
        "jit.trace": lambda m: torch.jit.trace(m, x, check_trace=False),
        "jit.script": lambda m: torch.jit.script(m),
        "fx": torch.fx.symbolic_trace,
        "export": lambda m: torch.export.export(m, (x,), strict=False),
        "export strict": lambda m: torch.export.export(m, (x,), strict=True),
        "compile": lambda m: torch.compile(m, backend="eager", fullgraph=True)(x),
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", list(recorders()))
def test_recording_a_graph_leaves_the_maps_alone(kind):
    cbam = CBAM(16).eval()
    cbam(torch.randn(2, 16, 4, 4))
    before = cbam.channel_map, cbam.spatial_map
    recorders()[kind](cbam)
    assert cbam.channel_map is before[0]
    assert cbam.spatial_map is before[1]


def test_no_bias_anywhere():
    for module in (ChannelAttention(32), SpatialAttention()):
        assert all(name.endswith("weight") for name, _ in module.named_parameters())


def test_a_normalized_gate_is_the_sigmoid_over_its_mean():
    """By numpy: replicated border, BatchNorm in eval mode, sigmoid, divided by the map's mean."""
    torch.manual_seed(0)
    gate = NormalizedSpatialAttention(3).eval()
    with torch.no_grad():
        for values in (gate.norm.weight, gate.norm.bias, gate.norm.running_mean):
            values.uniform_(0.5, 1.5)
        gate.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 5, 4, 6)
    pooled = np.stack([x.numpy().mean(1), x.numpy().max(1)], 1)
    padded = np.pad(pooled, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    kernel, norm = gate.conv.weight.detach().numpy()[0], gate.norm
    scale = norm.weight.item() / math.sqrt(norm.running_var.item() + norm.eps)
    expected = np.empty((2, 4, 6))
    for b, i, j in np.ndindex(2, 4, 6):
        value = float((padded[b, :, i : i + 3, j : j + 3] * kernel).sum())
        value = scale * (value - norm.running_mean.item()) + norm.bias.item()
        expected[b, i, j] = sigmoid(value)
    expected /= expected.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(gate(x)[:, 0].detach(), expected, rtol=1e-5)


def test_a_normalized_gate_has_mean_one_and_cbam_takes_it():
    cbam = CBAM(8, normalized=True)
    x = torch.randn(3, 8, 6, 6)
    out, gate = cbam.forward_gated(x)
    torch.testing.assert_close(gate.mean((2, 3)), torch.ones(3, 1))
    torch.testing.assert_close(out, x * cbam.channel_map * gate)
