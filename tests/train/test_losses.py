"""The loss of one head and of several, against torch's own and a hand-computed case."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from train.losses import Columns, cross_entropy, head_columns, hits
from train.recipe import Head


def test_one_head_is_torch_s_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(16, 7, generator=generator)
    targets = torch.rand(16, 7, generator=generator).softmax(1)
    for smoothing in (0.0, 0.1):
        heads = head_columns([Head("a", label_smoothing=smoothing)], [7])
        expected = F.cross_entropy(logits, targets, label_smoothing=smoothing)
        torch.testing.assert_close(cross_entropy(logits, targets, heads), expected)


def test_heads_stand_side_by_side_and_are_weighted():
    heads = head_columns([Head("a"), Head("b", 0.5, 0.2)], [2, 3])
    assert heads == (Columns(0, 2), Columns(2, 5, 0.5, 0.2))
    assert heads[1].without_smoothing() == Columns(2, 5, 0.5)
    assert head_columns([], [4]) == (Columns(0, 4),)
    logits = torch.tensor([[0.0, math.log(3), 0.0, 0.0, math.log(2)]])
    targets = torch.tensor([[1.0, 0.0, 0.0, 0.0, 1.0]])
    # First head: softmax (1/4, 3/4). Second: (1/4, 1/4, 1/2), target (1/15, 1/15, 13/15).
    second = (2 / 15) * math.log(4) + (13 / 15) * math.log(2)
    expected = math.log(4) + 0.5 * second
    assert cross_entropy(logits, targets, heads).item() == pytest.approx(expected, abs=1e-6)


def test_a_row_without_a_label_adds_nothing_to_that_head():
    heads = (Columns(0, 2), Columns(2, 4, 1.0, 0.1))
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    targets = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0]])
    cross_entropy(logits, targets, heads).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0, targets.repeat_interleave(1, 0).new_tensor(
        [[1, 1, 0, 0], [0, 0, 1, 1]]).bool())  # fmt: skip
    assert hits(torch.tensor([[2.0, 1, 0, 0], [0, 1, 0, 0]]), targets, heads[0]) == (1, 1)
