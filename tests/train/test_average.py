"""Weights between two ends, and BatchNorm's averages against NumPy."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from train.average import averaged, measure_norms


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Conv2d(2, 1, 1))


def test_a_share_of_the_way_back_but_for_what_is_its_own():
    model = network()
    start = {name: torch.full_like(t, 3) for name, t in model.state_dict().items()}
    before = copy.deepcopy(model.state_dict())
    averaged(model, start, 0.25, ["3."], torch.rand(4, 1, 5, 5))
    after = model.state_dict()
    torch.testing.assert_close(after["0.weight"], 0.75 * before["0.weight"] + 0.75)
    torch.testing.assert_close(after["1.bias"], 0.75 * before["1.bias"] + 0.75)
    torch.testing.assert_close(after["3.weight"], before["3.weight"])


def test_norms_are_measured_on_what_comes_in(monkeypatch):
    monkeypatch.setattr("train.average.BATCH", 3)
    model, x = network(), torch.rand(6, 1, 5, 5)
    model[1].running_mean.fill_(9)
    measure_norms(model, x)
    into = model[0](x).detach().numpy()
    np.testing.assert_allclose(model[1].running_mean, into.mean((0, 2, 3)), rtol=1e-5)
    parts = [part.var((0, 2, 3), ddof=1) for part in (into[:3], into[3:])]
    np.testing.assert_allclose(model[1].running_var, np.mean(parts, 0), rtol=1e-4)
    assert not any(module.training for module in model.modules())
    assert model[1].momentum == 0.1
