"""Lines of text with the emotions that people found in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_cbam.labels import LABEL_SETS

LABELS = LABEL_SETS["fer2013"]  # Ekman's six and neutral


@dataclass(frozen=True, eq=False)
class TextLines:
    """N lines of one split.

    texts: N. targets: float32 ``(N, 7)``, 1 for each label of ``LABELS`` that a line has, one or
    more. groups: what a line belongs to (a dialogue), or its own name.
    """

    texts: tuple[str, ...]
    targets: npt.NDArray[np.float32]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def single(self) -> npt.NDArray[np.bool_]:
        """Which lines have one label, ``(N,)``."""
        return np.asarray(self.targets.sum(1) == 1)


def one_hot(rows: Sequence[Sequence[str]]) -> npt.NDArray[np.float32]:
    """Labels of each line -> float32 ``(N, 7)``."""
    found = np.zeros((len(rows), len(LABELS)), np.float32)
    for row, labels in zip(found, rows, strict=True):
        row[[LABELS.index(label) for label in labels]] = 1
    return found
