"""From logits to an answer: the only place where scores become probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fer_cbam.types import Prediction


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits ``(N, L)`` -> float64 probabilities ``(N, L)``, each row summing to 1."""
    logits = np.asarray(logits, np.float64)
    exp: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    exp /= exp.sum(axis=1, keepdims=True)
    return exp


def predictions(
    logits: np.ndarray,
    label_names: Sequence[str],
    temperature: float = 1.0,
    uncertain_below: float = 0.0,
) -> list[Prediction]:
    """Logits ``(N, L)`` in the order of label_names -> one prediction for each row.

    temperature: divides the logits (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
    uncertain_below: see :func:`decide`.
    """
    probs = softmax(np.asarray(logits, np.float64) / temperature).tolist()
    return [decide(dict(zip(label_names, row, strict=True)), uncertain_below) for row in probs]


def decide(probs: Mapping[str, float], uncertain_below: float = 0.0) -> Prediction:
    """The most probable label; uncertain where even that is less probable than uncertain_below."""
    label = max(probs, key=probs.__getitem__)
    return Prediction(label, probs[label], probs, probs[label] < uncertain_below)
