"""Weights between those that a fine-tuning began with and those it ended with.

Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903:
half way between the two a network often does better than at either end, on what it was tuned for
and on other data. BatchNorm's averages are not averaged but measured anew, for the network between
has activations of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

FACES = 2000  # that BatchNorm's averages are measured on
BATCH = 200


@torch.no_grad()
def averaged(
    model: nn.Module, start: Mapping[str, Tensor], share: float, own: Sequence[str], x: Tensor
) -> nn.Module:
    """A model moved back to where it started from, in place, by ``share`` of the way.

    start: its state_dict then. own: beginnings of the names of tensors that stay as they are. x:
    training faces ``(N, C, H, W)``, of which the first `FACES` count.
    """
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not name.startswith(tuple(own)):
            tensor.lerp_(start[name].to(tensor.device), share)
    measure_norms(model, x[:FACES])
    return model


def measure_norms(model: nn.Module, x: Tensor) -> None:
    """BatchNorm's averages over these faces, each batch counted alike; without dropout."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
        norm.train()
    device = next(model.parameters()).device
    for batch in x.split(BATCH):
        model(batch.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()
