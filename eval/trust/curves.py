"""Deletion and insertion curves: what a label loses when pixels go in the order of a map.

Deletion hides what the map ranks highest first, insertion shows it first on a face that is hidden
whole (Petsiuk, Das and Saenko, BMVC 2018, https://arxiv.org/abs/1806.07421; deletion from Samek et
al. 2017, https://arxiv.org/abs/1509.06321). The area between the two, ABPC, is 0 on average for a
map that knows nothing and does not reward a fill for pushing all answers in one direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eval.trust.fills import Replace
from fer_cbam.decide import Decision
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


@dataclass(frozen=True, eq=False)
class Judge:
    """Faces and a fill, and what the network says where all or nothing of them is hidden.

    ask: faces ``(N, C, H, W)`` -> logits ``(N, K)``. x: ``(B, C, H, W)``. labels: int ``(B,)``,
    places in the logits. replace: see :mod:`eval.trust.fills`. decision: what makes
    logits probabilities.
    """

    ask: Ask
    x: np.ndarray
    labels: np.ndarray
    replace: Replace
    noise: np.ndarray
    decision: Decision

    @cached_property
    def ends(self) -> np.ndarray:
        """Logits ``(2, B, K)`` of the faces as they are, and hidden whole."""
        whole = np.ones((len(self.x), *self.x.shape[2:]), bool)
        hidden = self.replace(self.x, whole, self.noise).astype(np.float32)
        return self.ask(np.concatenate([self.x, hidden])).reshape(2, len(self.x), -1)

    def curves(self, ranks: np.ndarray, steps: int) -> tuple[Curves, Curves]:
        """Curves of the calibrated probability of the labels, and of the log-odds that their logits
        alone give. ranks: as of RANKS."""
        shares = np.arange(1, steps) / steps
        first = ranks[None] < shares[:, None, None, None] - 1e-9
        masks = np.stack([first, ~first]).reshape(-1, *ranks.shape[1:])
        times = (2 * len(shares), 1, 1, 1)
        faces = self.replace(np.tile(self.x, times), masks, np.tile(self.noise, times))
        between = self.ask(faces.astype(np.float32)).reshape(2 * len(shares), len(self.x), -1)
        logits = np.concatenate([self.ends, between]).astype(np.float64)
        count = len(self.labels)
        probs = self.decision.posterior(logits.reshape(-1, logits.shape[-1]))
        own = [v.reshape(logits.shape)[:, np.arange(count), self.labels]
               for v in (probs, log_odds(logits))]  # fmt: skip
        return _curves(own[0]), _curves(own[1])


def _curves(values: np.ndarray) -> Curves:
    """values: ``(2 * S, B)``: shown, hidden whole, the steps of deletion, those of insertion."""
    shown, hidden, *rest = values
    deletion, insertion = np.split(np.array(rest), 2)
    return Curves(np.stack([shown, *deletion, hidden], 1), np.stack([hidden, *insertion, shown], 1))
