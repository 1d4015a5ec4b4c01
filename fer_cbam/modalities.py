"""What each modality says of a clip in one form, and what they say together.

A modality (face, voice, text) is an object with ``name``, ``label_names`` and
``encode(signal) -> Reading``. Its posteriors contain its own prior, the mix of labels it was
trained on; :func:`join` takes that off, so that what is multiplied
(:class:`fer_cbam.experts.Experts`) is evidence alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from fer_cbam.decide import softmax
from fer_cbam.errors import DataError
from fer_cbam.experts import LOWEST, Experts

Floats = npt.NDArray[np.float64]
Signal = TypeVar("Signal", contravariant=True)

SURE = 0.5  # a modality whose largest probability is below it contradicts nobody


@dataclass(frozen=True, eq=False)
class Reading:
    """What one modality says of T stretches of time, in order.

    modality: its name. label_names: K names. times: float64 ``(T, 2)``, seconds of begin and end.
    logits: ``(T, K)``, calibrated: their softmax is the posterior. tokens: float32 ``(T, D)``, for
    :class:`fer_cbam.models.fusion.CrossModalAttention`. prior: ``(K,)`` probabilities that the
    posterior contains; equal ones by default. cautions: in words.

    Raises:
        DataError: shapes that do not fit, numbers that are not finite, a stretch that ends before
            it begins, or one that begins before the one ahead of it.
    """

    modality: str
    label_names: tuple[str, ...]
    times: Floats
    logits: npt.NDArray[Any]
    tokens: npt.NDArray[np.float32]
    prior: Floats | None = None
    cautions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count, labels = len(self.times), len(self.label_names)
        shapes: dict[str, tuple[int, ...]] = {"times": (count, 2), "logits": (count, labels)}
        if self.prior is not None:
            shapes["prior"] = (labels,)
        for name, shape in shapes.items():
            values = np.asarray(getattr(self, name))
            if values.shape != shape or not np.isfinite(values).all():
                raise DataError(
                    f"{self.modality}: {name} of shape {values.shape}; expected finite numbers of "
                    f"shape {shape}"
                )
        if self.tokens.ndim != 2 or len(self.tokens) != count:
            raise DataError(f"{self.modality}: tokens of shape {self.tokens.shape}; expected "
                            f"({count}, D)")  # fmt: skip
        if (self.times[:, 1] < self.times[:, 0]).any() or (np.diff(self.times[:, 0]) < 0).any():
            raise DataError(f"{self.modality}: times that run backwards; expected stretches that "
                            "end after they begin, in order")  # fmt: skip

    def __len__(self) -> int:
        return len(self.times)

    def posterior(self) -> Floats:
        """float64 ``(T, K)``."""
        return softmax(self.logits)

    def at(self, times: npt.ArrayLike) -> Floats:
        """The posterior at N times, ``(N, K)``: of the stretch that holds the time, of several the
        last to begin. A row of NaN where the modality says nothing."""
        asked = np.asarray(times, np.float64)
        found = np.full((len(asked), len(self.label_names)), np.nan)
        probs = self.posterior()
        for (begin, end), row in zip(self.times, probs, strict=True):
            found[(asked >= begin) & (asked <= end)] = row
        return found


class Modality(Protocol[Signal]):
    """A network for one modality."""

    name: str
    label_names: tuple[str, ...]

    def encode(self, signal: Signal) -> Reading:
        """Raises what its module says of signals that cannot be read."""
        ...


@dataclass(frozen=True, eq=False)
class Joined:
    """What the modalities say of N moments, and what they say together.

    times: float64 ``(N,)``. label_names: K names. said: for each modality ``(N, K)``
    probabilities, NaN where it says nothing. probs: ``(N, K)``, of all together. moved: for each
    modality ``(N, K)``, what it added to each log probability. disagree: bool ``(N,)``, where two
    modalities are each sure (``SURE``) of another label.
    """

    times: Floats
    label_names: tuple[str, ...]
    said: Mapping[str, Floats]
    probs: Floats
    moved: Mapping[str, Floats] = field(default_factory=dict)
    disagree: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    def in_words(self, row: int) -> str:
        """``face: happiness, text: sadness`` where they disagree, of those that are sure; else the
        label of all."""
        if not self.disagree[row]:
            return self.label_names[int(self.probs[row].argmax())]
        heard = ((name, probs[row]) for name, probs in self.said.items())
        return ", ".join(
            f"{name}: {self.label_names[int(row.argmax())]}"
            for name, row in heard if not np.isnan(row[0]) and row.max() >= SURE
        )  # fmt: skip


def join(
    readings: Sequence[Reading],
    times: npt.ArrayLike,
    reliability: Mapping[str, float] | None = None,
) -> Joined:
    """What the modalities say at N times, over the labels of the first of them.

    A label that only the first knows is neither spoken for nor against by the others; labels that
    it does not know are left out of theirs. The joint answer holds the prior of the first.

    reliability: see :class:`Experts`.

    Raises:
        DataError: no reading, two of one modality, or one that shares no label with the first.
    """
    names = [reading.modality for reading in readings]
    if not readings or len(set(names)) != len(names):
        raise DataError(f"readings of {', '.join(names) or 'nothing'}; expected one a modality")
    first = readings[0]
    labels, asked = first.label_names, np.asarray(times, np.float64)
    prior = _prior(first)
    said = {reading.modality: _spoken(reading, labels, prior, asked) for reading in readings}
    experts = Experts(labels, prior, dict(reliability or {}))
    return Joined(asked, labels, said, experts.posterior(said), experts.moved(said),
                  _disagree(said, len(asked)))  # fmt: skip


def _prior(reading: Reading) -> Floats:
    count = len(reading.label_names)
    given = np.full(count, 1 / count) if reading.prior is None else reading.prior
    given = np.clip(given, LOWEST, None)
    return np.asarray(given / given.sum(), np.float64)


def _spoken(reading: Reading, labels: Sequence[str], prior: Floats, times: Floats) -> Floats:
    """The reading's posterior for other labels and another prior, ``(N, len(labels))``."""
    own = list(reading.label_names)
    if not set(own) & set(labels):
        raise DataError(f"{reading.modality}: labels {', '.join(own)}; expected some of "
                        f"{', '.join(labels)}")  # fmt: skip
    probs = reading.at(times)
    if tuple(own) == tuple(labels) and np.array_equal(_prior(reading), prior):
        return probs
    evidence = np.log(np.clip(probs, LOWEST, None)) - np.log(_prior(reading))
    shared = [own.index(label) for label in labels if label in own]
    kept = np.array([label in own for label in labels])
    # A label that it does not know counts as the mean of those it knows: no word for or against.
    weights = prior[kept] / prior[kept].sum()
    level = np.log(np.exp(evidence[:, shared]) @ weights)
    moved = np.tile(level[:, None], (1, len(labels)))
    moved[:, kept] = evidence[:, shared]
    silent = np.isnan(probs[:, 0])
    found = softmax(np.where(silent[:, None], 0.0, moved + np.log(prior)))
    found[silent] = np.nan
    return found


def _disagree(said: Mapping[str, Floats], count: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(count, bool)
    for row in range(count):
        sure = {int(probs[row].argmax()) for probs in said.values()
                if not np.isnan(probs[row, 0]) and probs[row].max() >= SURE}  # fmt: skip
        found[row] = len(sure) > 1
    return found
