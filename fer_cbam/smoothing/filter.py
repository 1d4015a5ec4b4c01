"""A hidden-Markov filter: a face keeps its expression, or takes another at some rate.

The forward pass of Rabiner 1989, https://doi.org/10.1109/5.18626, in continuous time. What a frame
says is its probabilities over those of a face of which nothing is known. Frames that follow each
other closely show nearly the same picture, and count less.
"""

from __future__ import annotations

import numpy as np

from fer_cbam.smoothing.base import Seen, State

LEAST = 1e-9  # probability


class Filter:
    """See :class:`fer_cbam.smoothing.base.Smoother`.

    prior: float64 ``(K,)``, how often each label is met; the label that replaces another is drawn
    from it. rate: changes a second. anew: seconds after which a frame says something new: one that
    follows ``t`` seconds later counts ``1 - exp(-t / anew)``; 0 counts every frame in full.
    softens: frames err together, more than the rate of news allows for, so that the belief is too
    sure of itself; its log-probabilities are divided by this before they are told.
    """

    name = "filter"
    needs_cues = False

    def __init__(
        self, label_names: tuple[str, ...], prior: np.ndarray, rate: float, anew: float,
        softens: float = 1.0,
    ) -> None:  # fmt: skip
        self.label_names = label_names
        self.prior = np.maximum(np.asarray(prior, np.float64), LEAST)
        self.rate, self.anew, self.softens = rate, anew, softens

    def step(self, seen: Seen, seconds: float, state: State | None) -> tuple[np.ndarray, State]:
        if state is None:
            belief, counts = self.prior, 1.0
        else:
            kept = np.exp(-self.rate * seconds)
            belief = kept * np.asarray(state) + (1 - kept) * self.prior
            counts = 1 - np.exp(-seconds / self.anew) if self.anew > 0 else 1.0
        evidence = np.maximum(seen.probs, LEAST) / self.prior
        belief = np.maximum(belief * evidence**counts, LEAST)
        belief = belief / belief.sum()
        told = belief ** (1 / self.softens)
        return told / told.sum(), tuple(belief.tolist())
