"""What corruption leaves: arrays of right and wrong -> numbers.

``hits``: condition -> bool ``(L, N)``, whether each of N samples was answered rightly at each of L
levels; ``clean``: the same without corruption, bool ``(N,)``. Most take ``weights``, float
``(N, R)``, see :mod:`eval.bootstrap`, and give ``(R,)``; without, a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np


def accuracy(hits: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Share of right answers, mean over levels where there are any: hits ``(N,)`` or ``(L, N)``."""
    each = np.atleast_2d(hits).mean(axis=0)
    value: np.ndarray = np.asarray(
        each.mean() if weights is None else each @ weights / weights.sum(axis=0)
    )
    return value


def corruption_error(hits: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean error over the levels of one corruption, in [0, 1]: not normalised."""
    return 1 - accuracy(hits, weights)


def relative_accuracy(
    hits: np.ndarray, clean: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Accuracy under a corruption, mean over levels, over the clean accuracy.

    Flatters what is poor when clean: read it beside `corruption_error`. NaN where nothing is right.
    """
    before = accuracy(clean, weights)
    nothing = np.full_like(before, np.nan)
    return np.divide(accuracy(hits, weights), before, out=nothing, where=before > 0)


def mean_over(
    function: Callable[..., np.ndarray],
    hits: Mapping[str, np.ndarray],
    *arguments: np.ndarray | None,
) -> np.ndarray:
    """A number of each corruption, mean over corruptions, each counted once."""
    mean: np.ndarray = np.mean([function(own, *arguments) for own in hits.values()], axis=0)
    return mean


def mce(hits: Mapping[str, np.ndarray], baseline: Mapping[str, np.ndarray]) -> float:
    """Mean corruption error: error over that of a baseline, mean over corruptions.

    Hendrycks and Dietterich 2019, https://arxiv.org/abs/1903.12261, section 4, with a baseline of
    one's own in place of AlexNet. 1 is as bad as the baseline.
    """
    return float(
        np.mean([corruption_error(hits[name]) / corruption_error(baseline[name]) for name in hits])
    )
