"""One classifier out of several heads of a network: what each says, in shares.

Heads that were trained on other labels, or on another network's answers, know the same emotions and
compare them in their own way. The released head keeps how much it gives to all that another one
knows, and within that takes over a share of the other one's comparison: logits are mixed, which
multiplies probabilities (a product of experts, Hinton 2002, "Training products of experts by
minimizing contrastive divergence").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fer_cbam.errors import FerError

Rows = tuple[Sequence[str], Tensor, Tensor]  # labels (K), weights (K, D), biases (K,)


def blended(released: Rows, others: Sequence[tuple[Rows, float]]) -> tuple[Tensor, Tensor]:
    """Weights ``(K, D)`` and biases ``(K,)`` of the released head's labels.

    others: heads and their shares, in [0, 1] and at most 1 in sum for any label, whose labels are
    all among those of the released head.

    Raises:
        FerError: a label that the released head does not know, or shares above 1.
    """
    labels, weight, bias = released
    rows = torch.cat([weight, bias[:, None]], 1)
    change, taken = torch.zeros_like(rows), torch.zeros(len(labels))
    for (names, other_weight, other_bias), share in others:
        unknown = sorted(set(names) - set(labels))
        if unknown:
            raise FerError(f"blend: {', '.join(unknown)}; expected labels of the released head, "
                           f"{', '.join(labels)}")  # fmt: skip
        at = torch.tensor([list(labels).index(name) for name in names])
        other = torch.cat([other_weight, other_bias[:, None]], 1)
        own = rows[at]
        change[at] += share * ((other - other.mean(0)) - (own - own.mean(0)))
        taken[at] += share
    if taken.max() > 1 + 1e-6:
        raise FerError(f"blend: shares of {taken.max():.3g} for one label; expected at most 1")
    rows = rows + change
    return rows[:, :-1].contiguous(), rows[:, -1].contiguous()
