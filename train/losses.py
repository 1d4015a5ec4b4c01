"""Cross-entropy against distributions, for one label set or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from train.recipe import Recipe


@dataclass(frozen=True)
class Columns:
    """The logits of one label set among all that a network gives: columns start to stop - 1."""

    start: int
    stop: int
    weight: float = 1.0
    label_smoothing: float = 0.0

    def of(self, values: Tensor) -> Tensor:
        return values[:, self.start : self.stop]


def head_columns(recipe: Recipe, sizes: Sequence[int]) -> tuple[Columns, ...]:
    """Where each head's logits stand. sizes: number of classes of each, in the recipe's order."""
    if not recipe.heads:
        return (Columns(0, sizes[0], 1.0, recipe.label_smoothing),)
    columns, start = [], 0
    for head, size in zip(recipe.heads, sizes, strict=True):
        columns.append(Columns(start, start + size, head.weight, head.label_smoothing))
        start += size
    return tuple(columns)


def cross_entropy(logits: Tensor, target_probs: Tensor, heads: Sequence[Columns]) -> Tensor:
    """Weighted sum over the heads of the mean cross-entropy in nats, a scalar.

    logits, target_probs: float32 ``(B, K)``, K the classes of all heads side by side. A row of
    zeros in a head's targets has no label there, and adds nothing to its loss.
    """
    total = logits.new_zeros(())
    for head in heads:
        target = head.of(target_probs)
        labelled = target.sum(1, keepdim=True)
        smooth = head.label_smoothing
        target = (1 - smooth) * target + smooth * labelled / target.shape[1]
        losses = -(target * head.of(logits).log_softmax(1)).sum(1)
        total = total + head.weight * losses.mean()
    return total


def logit_shift(recipe: Recipe, target_probs: Tensor, heads: Sequence[Columns]) -> Tensor:
    """What is added to the logits before the loss: the recipe's share of the log prior.

    target_probs: ``(N, K)`` of all that is trained on. Returns ``(K,)``; a label that nothing has
    is left alone, for its log prior is not finite.
    """
    shift = torch.zeros(target_probs.shape[1])
    for head in heads:
        prior = head.of(target_probs).sum(0)
        log_prior = (prior / prior.sum()).log()
        finite = torch.where(log_prior.isfinite(), log_prior, 0.0)
        shift[head.start : head.stop] = recipe.logit_adjustment * finite
    return shift


def hits(logits: Tensor, target_probs: Tensor, head: Columns) -> tuple[int, int]:
    """Of the samples that are labelled in a head: how many are right, and how many there are."""
    target = head.of(target_probs)
    labelled = target.sum(1) > 0
    right = (head.of(logits).argmax(1) == target.argmax(1)) & labelled
    return int(right.sum()), int(labelled.sum())
