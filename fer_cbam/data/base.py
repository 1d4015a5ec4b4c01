"""A data set in memory: labelled faces, and the arrays that training and evaluation take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fer_cbam.data.files import Files
from fer_cbam.errors import DataError
from fer_cbam.types import Sample


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled faces of one data set.

    name: ``"fer2013"``, ``"ferplus"``, ``"folder"`` or that of another module. label_names:
    canonical names; their order is the order of the targets. samples: in the order of the file, or
    of the sorted file names.

    Raises:
        DataError: two samples of one id, a label (or a label of ``label_probs``) that is not
            among label_names, or label names that come twice.
    """

    name: str
    label_names: tuple[str, ...]
    samples: tuple[Sample, ...]

    def __post_init__(self) -> None:
        known = set(self.label_names)
        if len(known) != len(self.label_names):
            raise DataError(f"{self.name}: label names {self.label_names}; expected each once")
        ids: set[str] = set()
        for sample in self.samples:
            if sample.sample_id in ids:
                raise DataError(f"{self.name}: two samples have the id {sample.sample_id!r}")
            ids.add(sample.sample_id)
            for label in (sample.label, *sample.label_probs):
                if label not in known:
                    raise DataError(
                        f"{self.name}: sample {sample.sample_id!r} has the label {label!r}; "
                        f"expected one of {', '.join(self.label_names)}"
                    )

    def __len__(self) -> int:
        return len(self.samples)

    def digest(self) -> str:
        """A name, 16 hex digits, for these samples: other ids, labels or people, another name."""
        rows = sorted((s.sample_id, s.label, s.subject_id or "") for s in self.samples)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    def pixels(self) -> npt.NDArray[np.uint8]:
        """All faces as one new array, uint8 ``(N, H, W)`` grey or ``(N, H, W, 3)`` RGB.

        Raises:
            DataError: no samples, or samples of different shapes.
        """
        if not self.samples:
            raise DataError(f"{self.name}: no samples; expected at least one")
        first = self.samples[0]
        for sample in self.samples:
            if sample.pixels.shape != first.pixels.shape:
                raise DataError(
                    f"{self.name}: sample {sample.sample_id!r} has the shape "
                    f"{sample.pixels.shape}; expected {first.pixels.shape} as for "
                    f"{first.sample_id!r} (one size for all)"
                )
        return np.stack([sample.pixels for sample in self.samples])

    def targets(self) -> npt.NDArray[np.int64]:
        """Index of each sample's label in label_names, int64 ``(N,)``."""
        index = {label: i for i, label in enumerate(self.label_names)}
        return np.array([index[sample.label] for sample in self.samples], np.int64)

    def target_probs(self) -> npt.NDArray[np.float32]:
        """Label distribution of each sample, float32 ``(N, K)``, one-hot without label_probs."""
        probs = np.zeros((len(self.samples), len(self.label_names)), np.float32)
        index = {label: i for i, label in enumerate(self.label_names)}
        for row, sample in zip(probs, self.samples, strict=True):
            for label, prob in (sample.label_probs or {sample.label: 1.0}).items():
                row[index[label]] = prob
        return probs

    def subset(self, indices: npt.ArrayLike) -> Dataset:
        """The samples at these positions, in this order.

        Raises:
            DataError: no integers (a boolean mask is none), or out of range.
        """
        positions = np.asarray(indices)
        if positions.size and not np.issubdtype(positions.dtype, np.integer):
            raise DataError(f"{self.name}: indices are {positions.dtype}; expected integers")
        if positions.size and not 0 <= positions.min() <= positions.max() < len(self.samples):
            raise DataError(
                f"{self.name}: indices from {positions.min()} to {positions.max()}; "
                f"expected 0 to {len(self.samples) - 1}"
            )
        return replace(self, samples=tuple(self.samples[int(i)] for i in positions.ravel()))

    def with_labels(self, label_names: Sequence[str], *, drop_others: bool = False) -> Dataset:
        """The same samples with targets in another order, such as that of a model's logits.

        drop_others: leave out samples whose label is not among label_names; what a remaining
        sample's label_probs gives to other labels goes too, and the rest is scaled to sum to 1.

        Raises:
            DataError: a label is not among label_names (without drop_others).
        """
        names = tuple(label_names)
        if not drop_others:
            return Dataset(self.name, names, self.samples)
        kept = (sample for sample in self.samples if sample.label in names)
        return Dataset(self.name, names, tuple(_restricted(sample, names) for sample in kept))


def _restricted(sample: Sample, names: tuple[str, ...]) -> Sample:
    if all(label in names for label in sample.label_probs):
        return sample
    probs = {label: p for label, p in sample.label_probs.items() if label in names}
    total = sum(probs.values())
    return replace(sample, label_probs={label: p / total for label, p in probs.items()})


class Reader(Protocol):
    """What a module of this package has to offer to be one more format of :func:`load`."""

    def recognises(self, files: Files) -> bool:
        """Whether these files are of this format, by names and content."""
        ...

    def read(self, files: Files) -> Dataset:
        """Read all of it.

        Raises:
            DataError: names the file (and row) and says what was expected there.
        """
        ...
