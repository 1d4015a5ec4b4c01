"""Heads mixed, against probabilities multiplied by hand."""

from __future__ import annotations

import pytest
import torch

from fer_cbam.errors import FerError
from train.blend import blended

LABELS = ("anger", "fear", "neutral")


def rows(labels, seed):
    draw = torch.Generator().manual_seed(seed)
    return (
        labels,
        torch.randn(len(labels), 4, generator=draw),
        torch.randn(len(labels), generator=draw),
    )


def logits(x, head):
    return x @ head[-2].T + head[-1]


def test_a_share_multiplies_probabilities_within_the_labels_that_both_know():
    own, other = rows(LABELS, 0), rows(("neutral", "anger"), 1)
    weight, bias = blended(own, [(other, 0.3)])
    x = torch.randn(5, 4)
    mixed = x @ weight.T + bias
    ours, theirs = logits(x, own).softmax(1), logits(x, other).softmax(1)
    odds = (ours[:, 0] / ours[:, 2]) ** 0.7 * (theirs[:, 1] / theirs[:, 0]) ** 0.3
    torch.testing.assert_close((mixed[:, 0] - mixed[:, 2]).exp(), odds, rtol=1e-4, atol=1e-5)
    # A label that only the released head knows keeps its logit, the others keep their mean.
    torch.testing.assert_close(mixed[:, 1], logits(x, own)[:, 1])
    torch.testing.assert_close(mixed[:, [0, 2]].mean(1), logits(x, own)[:, [0, 2]].mean(1))


def test_a_share_of_nothing_changes_nothing():
    own = rows(LABELS, 0)
    weight, bias = blended(own, [(rows(LABELS, 1), 0.0)])
    torch.testing.assert_close((weight, bias), own[1:])


def test_mistakes_are_named():
    own = rows(LABELS, 0)
    with pytest.raises(FerError, match="blend: joy; expected labels of the released head"):
        blended(own, [(rows(("joy", "fear"), 1), 0.3)])
    with pytest.raises(FerError, match=r"shares of 1\.2 for one label"):
        blended(own, [(rows(LABELS, 1), 0.6), (rows(LABELS, 2), 0.6)])
