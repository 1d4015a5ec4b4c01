"""Optimisers and schedules: what is decayed, and the learning rates that come out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from train.optim import make_optimizer, make_schedule
from train.recipe import Stage


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)],
)
def test_weight_decay_goes_to_kernels_only(name, kind):
    network = model()
    stage = Stage("m", optimizer=name, lr=0.5, weight_decay=0.1, schedule="constant")
    optimizer = make_optimizer(stage, network)
    assert type(optimizer) is kind
    decayed, others = optimizer.param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert decayed["lr"] == others["lr"] == 0.5
    assert {id(p) for p in decayed["params"]} == {id(network[0].weight), id(network[3].weight)}
    assert len(others["params"]) == 4


def test_sgd_has_nesterov_s_momentum():
    """Two steps of a gradient of 1 by hand: lr (1 + m), then lr (1 + m + m^2) with m = 0.9."""
    weight = nn.Linear(1, 1, bias=False)
    weight.weight.data[:] = 0.0
    optimizer = make_optimizer(Stage("m", optimizer="sgd", lr=0.1, schedule="constant"), weight)
    for expected in (-0.19, -0.19 - 0.271):
        weight.weight.grad = torch.ones(1, 1)
        optimizer.step()
        assert weight.weight.item() == pytest.approx(expected, abs=1e-6)


def test_one_cycle_ends_with_the_last_step_of_the_last_epoch():
    stage = Stage("m", epochs=5, lr=1.0, schedule="onecycle", optimizer="sgd")
    optimizer = make_optimizer(stage, model())
    schedule = make_schedule(stage, optimizer, steps_per_epoch=4)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(rates) < 20 else None
    # torch's defaults: from 1/25 up to 1 after three tenths, down to 1e-4 of the start.
    assert rates[0] == pytest.approx(0.04) and rates[5] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.04 / 1e4) and max(rates) == rates[5]


def test_a_plateau_reduces_and_a_constant_does_not():
    stage = Stage("m", validation=0.1, lr=1.0, plateau_patience=1, plateau_factor=0.25,
                  plateau_min_lr=0.1)  # fmt: skip
    optimizer = make_optimizer(stage, model())
    schedule = make_schedule(stage, optimizer, 1)
    rates = []
    for loss in (1.0, 1.1, 1.1, 1.1, 1.1):
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 0.25, 0.25, 0.1]
    constant = Stage("m", schedule="constant", lr=0.3)
    optimizer = make_optimizer(constant, model())
    schedule = make_schedule(constant, optimizer, 3)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.3
