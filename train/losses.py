"""Cross-entropy against distributions, for one label set or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from train.recipe import Head


@dataclass(frozen=True)
class Columns:
    """The logits of one label set among all that a network gives: columns start to stop - 1."""

    start: int
    stop: int
    weight: float = 1.0
    label_smoothing: float = 0.0

    def of(self, values: Tensor) -> Tensor:
        return values[:, self.start : self.stop]

    def without_smoothing(self) -> Columns:
        return replace(self, label_smoothing=0.0)


def head_columns(heads: Sequence[Head], sizes: Sequence[int]) -> tuple[Columns, ...]:
    """Where each head's logits stand. sizes: number of classes of each, in the order of heads;
    without heads the data set's own label set is the only one."""
    if not heads:
        (size,) = sizes
        return (Columns(0, size),)
    columns, start = [], 0
    for head, size in zip(heads, sizes, strict=True):
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


def hits(logits: Tensor, target_probs: Tensor, head: Columns) -> tuple[int, int]:
    """Of the samples that are labelled in a head: how many are right, and how many there are."""
    target = head.of(target_probs)
    labelled = target.sum(1) > 0
    right = (head.of(logits).argmax(1) == target.argmax(1)) & labelled
    return int(right.sum()), int(labelled.sum())
