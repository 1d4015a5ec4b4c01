"""Optimisers and learning-rate schedules by the names that recipes use."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from train.recipe import Stage


def make_optimizer(stage: Stage, model: nn.Module) -> Optimizer:
    """Weight decay goes to matrices and kernels only, not to biases and norms."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": stage.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if stage.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=stage.lr, momentum=0.9, nesterov=True, fused=True)
    kind = torch.optim.AdamW if stage.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=stage.lr, fused=True)


def make_schedule(
    stage: Stage, optimizer: Optimizer, steps_per_epoch: int
) -> LRScheduler | ReduceLROnPlateau:
    if stage.schedule == "plateau":
        return ReduceLROnPlateau(
            optimizer,
            factor=stage.plateau_factor,
            patience=stage.plateau_patience,
            min_lr=stage.plateau_min_lr,
        )
    if stage.schedule == "onecycle":
        return OneCycleLR(optimizer, stage.lr, epochs=stage.epochs, steps_per_epoch=steps_per_epoch)
    return ConstantLR(optimizer, factor=1.0)
