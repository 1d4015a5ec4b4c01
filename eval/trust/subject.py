"""Weights and data from the command line -> :class:`~eval.trust.section.Subject`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from eval.predict import jobs, predict, weights_name
from eval.trust.section import QUICK_FACES, Subject, evenly
from eval.votes import vote_counts
from fer_cbam import data, pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.open import open_backend
from fer_cbam.errors import WeightsError


def open_subject(
    source: str, path: Path, protocol: str, votes: Path | None = None, quick: bool = False,
    backend: str = "torch", name: str | None = None, shuffled: str | None = None,
) -> Subject:  # fmt: skip
    """Open weights and predict the test side of a protocol.

    source, backend: as in :func:`eval.predict.jobs`. Faces that are tested in several splits are
    looked at once. shuffled: weights that learnt shuffled labels.

    Raises:
        DataError: the data set cannot be read, or does not fit the protocol.
        WeightsError: weights that saw test images in training, or one for each split, or shuffled
            ones of another architecture.
    """
    dataset = data.load(path, votes=votes)
    pairs = jobs(source, dataset, protocol, backend)
    if len({id(job.backend) for job in pairs}) > 1:
        raise WeightsError(f"{source}: {len(pairs)} sets of weights; expected one")
    index = np.unique(np.concatenate([job.split.test for job in pairs]))
    train = np.setdiff1d(np.concatenate([job.split.train for job in pairs]), index)
    if quick:
        labels = [dataset.samples[i].label for i in index]
        index = index[evenly(labels, QUICK_FACES, np.random.default_rng(0))]
    kept = [replace(job, split=replace(job.split, test=np.intersect1d(job.split.test, index)))
            for job in pairs if np.isin(job.split.test, index).any()]  # fmt: skip
    table = _once(predict(kept, dataset, protocol, name=name))
    by_id = {sample.sample_id: sample for sample in dataset.samples}
    samples = [by_id[sample_id] for sample_id in table["sample_id"]]
    return Subject(
        pairs[0].backend, dataset.name, protocol, name or weights_name(pairs[0].backend), table,
        samples, None if votes is None else vote_counts(votes, list(table["sample_id"])), quick,
        train=[dataset.samples[i] for i in train], runtime=_runtime(pairs[0].backend),
        shuffled=None if shuffled is None else _twin(shuffled, pairs[0].backend, backend),
    )  # fmt: skip


def _twin(source: str, own: Backend, backend: str) -> Backend:
    """Weights of the architecture of some others."""
    twin = open_backend(source, backend)
    found, expected = (b.config["architecture"] for b in (twin, own))
    if found != expected:
        raise WeightsError(f"{source}: {found}; expected {expected}, to be held against {own.name}")
    return twin


def _runtime(backend: Backend) -> Backend | None:
    """The weights on ONNX Runtime: on a CPU twice as fast as torch."""
    folder = backend.weights_file.parent
    if backend.device != "cpu" or not (folder / pretrained.GRAPH_FILE).is_file():
        return None
    return open_backend(folder, "onnx")


def _once(table: pd.DataFrame) -> pd.DataFrame:
    first = table.drop_duplicates("sample_id").reset_index(drop=True)
    first.attrs = table.attrs
    return first
