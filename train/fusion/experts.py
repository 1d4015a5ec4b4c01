"""Fits the reliabilities of a product of experts to what was answered with all modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fer_cbam.experts import LOWEST, Experts

#: What is learnt for each modality: nothing, one number, one for each label, a matrix.
KINDS = ("plain", "number", "label", "matrix")


def fit_experts(
    labels: Sequence[str],
    prior: np.ndarray,
    posteriors: Mapping[str, np.ndarray],
    target_probs: np.ndarray,
    kind: str = "number",
) -> Experts:
    """Reliabilities and offset of least cross-entropy.

    prior: ``(K,)``. posteriors: ``(N, K)`` for each modality, all there. target_probs: ``(N, K)``.
    kind: of ``KINDS``; "plain" learns nothing.

    Raises:
        ValueError: another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}; expected one of {', '.join(KINDS)}")
    if kind == "plain":
        return Experts(tuple(labels), prior)
    base = torch.from_numpy(np.log(prior))
    said = {name: torch.from_numpy(np.log(np.clip(p, LOWEST, None))) - base
            for name, p in posteriors.items()}  # fmt: skip
    count = len(labels)
    start = {"number": torch.ones(()), "label": torch.ones(count), "matrix": torch.eye(count)}[kind]
    weights = {name: start.double().clone().requires_grad_() for name in said}
    offset = torch.zeros(count, dtype=torch.float64, requires_grad=True)

    def logits() -> Tensor:
        terms = (s @ weights[n] if kind == "matrix" else s * weights[n] for n, s in said.items())
        return sum(terms, base + offset)

    minimise(lambda: cross_entropy(logits(), torch.from_numpy(target_probs)),
             [*weights.values(), offset])  # fmt: skip
    fitted = {name: weight.detach().numpy() for name, weight in weights.items()}
    return Experts(tuple(labels), prior, fitted, offset.detach().numpy())


def cross_entropy(logits: Tensor, target_probs: Tensor) -> Tensor:
    """Mean over the samples, in nats."""
    return -(target_probs * logits.log_softmax(1)).sum(1).mean()


def minimise(loss, parameters: Sequence[Tensor], steps: int = 200) -> None:
    """L-BFGS with a line search; the problems here are convex and small."""
    optimizer = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
