"""Sharpness-aware minimisation: the gradient is taken where the loss is highest nearby.

Foret et al. 2021, https://arxiv.org/abs/2010.01412. Their direction upwards comes from the whole
batch; ``train/loop.py`` takes it from the first half, so that a step costs 1.5 times an ordinary
one, not twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def perturbed(model: nn.Module, radius: float) -> Iterator[None]:
    """The model with its weights moved by ``radius`` (Euclidean, all weights as one vector) along
    the gradients they hold; those gradients are cleared. Afterwards the weights are as before.

    Inside, BatchNorm keeps its running statistics, which belong to the weights that stay. Weights
    without a gradient, or a gradient of zero everywhere, leave the model where it is.
    """
    moved = [p for p in model.parameters() if p.grad is not None]
    gradients = [p.grad for p in moved if p.grad is not None]
    norms = [norm for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)]
    length = torch.stack([g.norm() for g in gradients]).norm() if gradients else torch.zeros(())
    scale = radius / length.clamp_min(1e-12)
    before = [p.detach().clone() for p in moved]
    with torch.no_grad():
        for p, gradient in zip(moved, gradients, strict=True):
            p.add_(gradient * scale)
    model.zero_grad(set_to_none=True)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        with torch.no_grad():
            for p, value in zip(moved, before, strict=True):
                p.copy_(value)
