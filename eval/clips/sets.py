"""The clips of a split of FER+: those that choices are made on, and those of the last test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eval.clips.readings import Readings, read_clips
from fer_cbam.backends.base import Backend
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import protocol_splits
from fer_cbam.errors import DataError

#: Protocol -> number of clips and seed.
TEST_CLIPS = {"public": (600, 2), "private": (1000, 3)}


def test_clips(
    backend: Backend, dataset: Dataset, protocol: str, folder: Path, count: int | None = None
) -> Readings:
    """Clips of the test side of a protocol, each face as likely as any other.

    dataset: FER+. folder: for what is read, see :func:`eval.clips.readings.read_clips`.

    Raises:
        DataError: a protocol without such clips, or data with other labels than the weights'.
    """
    if protocol not in TEST_CLIPS:
        raise DataError(f"clips of {protocol!r}; expected one of {', '.join(TEST_CLIPS)}")
    most, seed = TEST_CLIPS[protocol]
    faces = in_order(backend, dataset)
    (split,) = protocol_splits(faces, protocol)
    chosen = faces.subset(split.test)
    return read_clips(backend, chosen.samples, chosen.target_probs(), np.ones(len(chosen)),
                      count or most, seed, folder)  # fmt: skip


def in_order(backend: Backend, dataset: Dataset) -> Dataset:
    """The data set with its labels in the order of the weights' logits.

    Raises:
        DataError: a label that the weights do not know.
    """
    return dataset.with_labels(backend.label_names)
