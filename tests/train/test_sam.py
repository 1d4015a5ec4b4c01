from __future__ import annotations

import pytest
import torch
from torch import nn

from train.loop import _gradients, set_up
from train.losses import Columns, cross_entropy
from train.recipe import Recipe
from train.sam import perturbed


def test_weights_move_along_the_gradient_of_all_and_back():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    first, second = model.parameters()
    before = [p.detach().clone() for p in (first, second)]
    first.grad, second.grad = torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([[2.0, 0]])
    with perturbed(model, 0.6):  # the gradient is of length 3
        torch.testing.assert_close(first - before[0], torch.tensor([[0.4, 0], [0, 0.2]]))
        torch.testing.assert_close(second - before[1], torch.tensor([[0.4, 0]]))
        assert first.grad is None
    assert all(torch.equal(p, b) for p, b in zip((first, second), before, strict=True))


def test_the_gradient_is_that_of_the_perturbed_weights():
    # f(w) = (w1^2 + 4 w2^2) / 2 has the gradient (w1, 4 w2): at (3, 1) that is (3, 4), of length 5.
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = torch.tensor([[3.0, 1.0]])
    scale = torch.tensor([1.0, 4.0])

    def loss() -> torch.Tensor:
        return (scale * model.weight.square()).sum() / 2

    loss().backward()
    with perturbed(model, 0.5):
        loss().backward()
    torch.testing.assert_close(model.weight.grad, torch.tensor([[3.3, 5.6]]))


def test_running_statistics_stay_and_an_error_inside_moves_nothing():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model(x).square().sum().backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="inside"), perturbed(model, 0.1):
        model(x)
        raise RuntimeError("inside")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model(x)
    assert not torch.equal(model[1].running_mean, before["1.running_mean"])


def test_a_step_climbs_by_half_of_the_batch_and_descends_by_all():
    generator = torch.Generator().manual_seed(0)
    x, targets = torch.rand(5, 1, 4, 4, generator=generator), torch.eye(3)[[0, 1, 2, 0, 1]]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    heads, shift = [Columns(0, 3)], torch.zeros(3)
    recipe = Recipe("linear", optimizer="sgd", schedule="constant", amp=False, sam=0.5)
    run = set_up(model, recipe, len(x), torch.device("cpu"))

    weights = [p.detach().clone().requires_grad_() for p in model[1].parameters()]
    half = cross_entropy(x[:3].flatten(1) @ weights[0].T + weights[1], targets[:3], heads)
    up = torch.autograd.grad(half, weights)
    length = sum(g.square().sum() for g in up).sqrt()
    moved = [
        (w + 0.5 * g / length).detach().requires_grad_() for w, g in zip(weights, up, strict=True)
    ]
    loss = cross_entropy(x.flatten(1) @ moved[0].T + moved[1], targets, heads)
    expected = torch.autograd.grad(loss, moved)

    _, got = _gradients(run, x, targets, shift, heads)
    torch.testing.assert_close(got, loss)
    for p, gradient in zip(model[1].parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient)
