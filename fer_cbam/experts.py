"""A product of experts: posteriors of several modalities to one, the prior counted once.

Hinton 2002, https://doi.org/10.1162/089976602760128018. If the modalities were independent given
the label, Bayes' rule would make the joint posterior the product of theirs, over the prior once for
each modality but one. They are not, and not equally good: each gets a learnt reliability, a number
for all labels, one for each, or a matrix that also says which labels it confuses. NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fer_cbam.errors import DataError

Floats = npt.NDArray[np.float64]

LOWEST = 1e-12  # a probability below it counts as this; the log of 0 would rule a label out


@dataclass(frozen=True, eq=False)
class Experts:
    """How posteriors over K labels are multiplied.

    labels: K names. prior: ``(K,)`` probabilities in (0, 1) that all posteriors contain.
    reliability: for each modality a number, ``(K,)`` or ``(K, K)``; a modality that is not named
    has 1. 1 everywhere is the plain product of experts. offset: ``(K,)``, added to the logits.

    Raises:
        DataError: a prior or reliability of another shape, or not finite.
    """

    labels: tuple[str, ...]
    prior: Floats
    reliability: Mapping[str, float | Floats] = field(default_factory=dict)
    offset: Floats | None = None

    def __post_init__(self) -> None:
        count = len(self.labels)
        if np.shape(self.prior) != (count,) or not np.all(np.asarray(self.prior) > 0):
            raise DataError(
                f"prior of shape {np.shape(self.prior)}; expected {count} probabilities above 0"
            )
        for name, weight in self.reliability.items():
            if np.shape(weight) not in ((), (count,), (count, count)):
                raise DataError(
                    f"reliability of {name} has the shape {np.shape(weight)}; expected a number, "
                    f"({count},) or ({count}, {count})"
                )
            if not np.isfinite(weight).all():
                raise DataError(f"reliability of {name} is not finite")

    def logits(self, posteriors: Mapping[str, npt.ArrayLike]) -> Floats:
        """Joint log probabilities up to a constant, float64 ``(N, K)``.

        posteriors: for each modality that is there, ``(N, K)`` probabilities. A row of NaN is a
        sample of which the modality is missing. Without any, the prior is the answer. A sample
        with one modality alone keeps its posterior: there is nothing to weigh it against.

        Raises:
            DataError: another shape, a value outside [0, 1], or a row that does not sum to 1.
        """
        arrays = {name: self._checked(name, value) for name, value in posteriors.items()}
        rows = {len(array) for array in arrays.values()}
        if len(rows) > 1:
            raise DataError(f"posteriors of {sorted(rows)} samples; expected as many in each")
        base = np.log(np.asarray(self.prior, np.float64))
        there = {name: ~np.isnan(array[:, 0]) for name, array in arrays.items()}
        total = np.tile(base, (rows.pop() if rows else 1, 1))
        count = sum((seen.astype(int) for seen in there.values()), np.zeros(len(total), int))
        for name, array in arrays.items():
            said = np.log(np.clip(np.nan_to_num(array, nan=1.0), LOWEST, None)) - base
            weighed = _weighed(said, self.reliability.get(name, 1.0))
            used = np.where((count > 1)[:, None], weighed, said)
            total += np.where(there[name][:, None], used, 0.0)
        if self.offset is not None:
            total += np.where((count > 1)[:, None], self.offset, 0.0)
        return total

    def posterior(self, posteriors: Mapping[str, npt.ArrayLike]) -> Floats:
        """Joint probabilities, float64 ``(N, K)``; see :meth:`logits`."""
        logits = self.logits(posteriors)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(weights / weights.sum(1, keepdims=True), np.float64)

    def moved(self, posteriors: Mapping[str, npt.ArrayLike]) -> dict[str, Floats]:
        """How much each modality moved each log probability, ``(N, K)``: all, minus all but it."""
        whole = np.log(self.posterior(posteriors))
        return {name: whole - np.log(self._without(posteriors, name)) for name in posteriors}

    def _without(self, posteriors: Mapping[str, npt.ArrayLike], name: str) -> Floats:
        missing = np.full(np.shape(posteriors[name]), np.nan)
        return self.posterior({**posteriors, name: missing})

    def _checked(self, name: str, value: npt.ArrayLike) -> Floats:
        array = np.asarray(value, np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.labels):
            raise DataError(
                f"posterior of {name} has the shape {array.shape}; expected (N, "
                f"{len(self.labels)}): {', '.join(self.labels)}"
            )
        known = array[~np.isnan(array).all(1)]
        if np.isnan(known).any() or (known < 0).any() or (abs(known.sum(1) - 1) > 1e-4).any():
            raise DataError(
                f"posterior of {name}: expected probabilities that sum to 1 in every row, or a row "
                "of NaN where the modality is missing"
            )
        return array


def _weighed(said: Floats, reliability: float | Floats) -> Floats:
    if np.ndim(reliability) == 2:
        return np.asarray(said @ reliability, np.float64)
    return np.asarray(said * reliability, np.float64)
