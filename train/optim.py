"""Optimisers and learning-rate schedules by the names that recipes use."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from train.recipe import Recipe


def make_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """Weight decay goes to matrices and kernels only, not to biases and norms."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=recipe.lr)


def make_schedule(
    recipe: Recipe, optimizer: Optimizer, steps_per_epoch: int
) -> LRScheduler | ReduceLROnPlateau:
    if recipe.schedule == "plateau":
        return ReduceLROnPlateau(
            optimizer,
            factor=recipe.plateau_factor,
            patience=recipe.plateau_patience,
            min_lr=recipe.plateau_min_lr,
        )
    if recipe.schedule == "onecycle":
        return OneCycleLR(
            optimizer, recipe.lr, epochs=recipe.epochs, steps_per_epoch=steps_per_epoch
        )
    if recipe.schedule == "given":
        last = recipe.epochs - 1
        return LambdaLR(
            optimizer, lambda step: recipe.lrs[min(step // steps_per_epoch, last)] / recipe.lr
        )
    return ConstantLR(optimizer, factor=1.0)
