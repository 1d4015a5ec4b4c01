"""Deletion and insertion curves: what a label loses when pixels go in the order of a map.

Deletion hides what the map ranks highest first, insertion shows it first on a face that is hidden
whole (Petsiuk, Das and Saenko, BMVC 2018, https://arxiv.org/abs/1806.07421; deletion from Samek et
al. 2017, https://arxiv.org/abs/1509.06321). The area between the two, ABPC, is 0 on average for a
map that knows nothing and does not reward a fill for pushing all answers in one direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eval.trust.fills import Replace
from fer_cbam.decide import softmax
from fer_cbam.explain.hide import log_odds

BLOCKS = 6  # along a side
#: Faces ``(N, C, H, W)`` -> logits ``(N, K)``.
Ask = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Curves:
    """float64 ``(B, S + 1)`` each, at the shares 0, 1 / S, ..., 1 of the pixels.

    deletion: with that share hidden. insertion: with that share shown.
    """

    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """For each face ``(B,)``: ``deletion_auc``, ``insertion_auc``, ``abpc``, and ``aopc``, the
        mean loss over the steps of deletion, the first, which loses nothing, included."""
        deletion, insertion = area(self.deletion), area(self.insertion)
        return {
            "abpc": insertion - deletion,
            "aopc": (self.deletion[:, :1] - self.deletion).mean(1),
            "deletion_auc": deletion,
            "insertion_auc": insertion,
        }


def area(curve: np.ndarray) -> np.ndarray:
    """``(B, S + 1)`` at equal distances from 0 to 1 -> area under it by the trapezoid rule."""
    under: np.ndarray = (curve[:, 1:] + curve[:, :-1]).mean(1) / 2
    return under


def pixel_ranks(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float64 ``(B, H, W)`` in [0, 1): the share of pixels that the map ranks higher. Equal values
    are ranked at random."""
    flat = maps.reshape(len(maps), -1)
    order = np.lexsort((rng.random(flat.shape), -flat), axis=1)
    ranks = np.empty(flat.shape)
    np.put_along_axis(ranks, order, np.arange(flat.shape[1]) / flat.shape[1], axis=1)
    return ranks.reshape(maps.shape)


def block_ranks(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same for 6x6 blocks by their means, each pixel with the rank of its block."""
    count, height, width = maps.shape
    down, across = height // BLOCKS, width // BLOCKS
    means = maps.reshape(count, BLOCKS, down, BLOCKS, across).mean((2, 4))
    return pixel_ranks(means, rng).repeat(down, 1).repeat(across, 2)


RANKS = {"pixel": pixel_ranks, "block": block_ranks}


def perturbed(
    x: np.ndarray, ranks: np.ndarray, replace: Replace, noise: np.ndarray, steps: int
) -> np.ndarray:
    """All faces of both curves ``(2, S - 1, B, C, H, W)``: each step but the two ends, which are
    the face as it is and the face hidden whole."""
    shares = np.arange(1, steps) / steps
    first = ranks[None] < shares[:, None, None, None] - 1e-9
    masks = np.stack([first, ~first]).reshape(-1, *ranks.shape[1:])
    times = 2 * len(shares)
    faces = replace(np.tile(x, (times, 1, 1, 1)), masks, np.tile(noise, (times, 1, 1, 1)))
    return faces.reshape(2, len(shares), *x.shape).astype(np.float32)


def measure(
    ask: Ask, x: np.ndarray, labels: np.ndarray, ranks: np.ndarray, replace: Replace,
    noise: np.ndarray, steps: int, temperature: float,
) -> tuple[Curves, Curves]:  # fmt: skip
    """Curves of the calibrated probability of a label, and of its log-odds at temperature 1.

    x: faces ``(B, C, H, W)``. labels: int ``(B,)``, places in the logits. ranks: as of RANKS.
    """
    whole = np.ones(ranks.shape, bool)
    ends = np.stack([x, replace(x, whole, noise).astype(np.float32)])
    between = perturbed(x, ranks, replace, noise, steps)
    asked = np.concatenate([ends.reshape(-1, *x.shape[1:]), between.reshape(-1, *x.shape[1:])])
    logits = np.asarray(ask(asked), np.float64)
    own = np.tile(labels, 2 * steps)[:, None]
    values = (softmax(logits / temperature), log_odds(logits))
    probs, odds = (_curves(np.take_along_axis(v, own, 1)[:, 0], steps) for v in values)
    return probs, odds


def _curves(values: np.ndarray, steps: int) -> Curves:
    shown, hidden_whole, *rest = values.reshape(2 * steps, -1)
    deletion, insertion = np.reshape(rest, (2, steps - 1, -1))
    return Curves(
        np.stack([shown, *deletion, hidden_whole], 1),
        np.stack([hidden_whole, *insertion, shown], 1),
    )
