"""The ten votes of FER+ as what a network is held against, beside one of the voters.

A majority says which emotion most people see; the votes say how far they agree. Both are asked of
one network, and one temperature cannot answer both: where seven of ten see fear, the majority is
certain and the votes are not. So weights have a second one, ``vote_temperature`` in config.json,
for the share of people who would see each emotion. It belongs wherever votes are compared, and
nowhere else: answers and confidences are about the majority.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_cbam.data import ferplus
from fer_cbam.data.files import open_files
from fer_cbam.decide import softmax
from fer_cbam.errors import DataError
from fer_cbam.labels import FERPLUS_COLUMNS

RANGE = (0.05, 20.0)  # of temperatures


def vote_counts(path: Path, sample_ids: Sequence[str]) -> np.ndarray:
    """FER+'s counts of faces of FER2013, int ``(N, 10)`` in the order of FERPLUS_COLUMNS.

    sample_ids: such as ``fer2013:28710``, which end in the row.

    Raises:
        DataError: votes that cannot be read, or none for one of them.
    """
    with open_files(path) as files:
        rows = ferplus.read_votes(files)
    counts = [rows[int(name.rpartition(":")[2])][2] for name in sample_ids]
    if not all(counts):
        raise DataError(f"{path}: no votes for {sample_ids[counts.index([])]}; expected ten")
    return np.array(counts, np.int64)


def vote_shares(counts: np.ndarray, label_names: Sequence[str]) -> np.ndarray:
    """Counts ``(N, 10)`` -> shares of the votes for these labels, float64 ``(N, L)``, each row
    summing to 1; votes for anything else are left out."""
    own = counts[:, [FERPLUS_COLUMNS.index(label) for label in label_names]].astype(np.float64)
    shares: np.ndarray = own / own.sum(1, keepdims=True)
    return shares


def cross_entropy(shares: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Of each row ``(N, L)``, in nats: ``(N,)``. Least where both are the same."""
    eps = np.finfo(np.float64).eps
    found: np.ndarray = -(shares * np.log(np.maximum(probs, eps))).sum(1)
    return found


def jensen_shannon(shares: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Divergence of each row, in nats, in [0, log 2]: ``(N,)``. Lin 1991,
    https://doi.org/10.1109/18.61115"""
    middle = (shares + probs) / 2
    found: np.ndarray = (_divergence(shares, middle) + _divergence(probs, middle)) / 2
    return found


def _divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    safe = np.where(p > 0, p, 1.0)
    total: np.ndarray = (p * np.log(safe / np.where(p > 0, q, 1.0))).sum(1)
    return total


def fit_vote_temperature(logits: np.ndarray, shares: np.ndarray) -> float:
    """The temperature of the least cross-entropy to the votes. logits, shares: ``(N, L)``.

    Raises:
        DataError: the optimum lies outside `RANGE`.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(shares, softmax(logits / math.exp(log_temperature))).mean())

    low, high = (math.log(end) for end in RANGE)
    found = math.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
    if not 1.01 * RANGE[0] < found < RANGE[1] / 1.01:
        raise DataError(f"vote_temperature: {found:.3g} is best; expected one inside {RANGE}")
    return found


def one_voter(counts: np.ndarray, label_names: Sequence[str]) -> tuple[float, float]:
    """Cross-entropy and Jensen-Shannon divergence of what one vote tells of the other votes.

    Each vote for a label in turn is taken out, and predicts the others of its face by how votes go
    together: of faces with such a vote, the mean shares of the others. That table is of these very
    faces, with one vote added to each cell, so the voter is favoured over a network. A face whose
    other votes name no label is left out.
    """
    own = counts[:, [FERPLUS_COLUMNS.index(label) for label in label_names]].astype(np.float64)
    together = own.T @ own - np.diag(own.sum(0)) + 1
    table = together / together.sum(1, keepdims=True)
    total, weight = np.zeros(2), 0.0
    for vote, told in enumerate(table):
        times = own[:, vote]
        others = own - np.eye(len(table))[vote]
        kept = (times > 0) & (others.sum(1) > 0)
        shares = others[kept] / others[kept].sum(1, keepdims=True)
        probs = np.broadcast_to(told, shares.shape)
        for i, measure in enumerate((cross_entropy, jensen_shannon)):
            total[i] += times[kept] @ measure(shares, probs)
        weight += times[kept].sum()
    return float(total[0] / weight), float(total[1] / weight)
