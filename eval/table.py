"""The one table that every report reads: what a model said of each test image.

Columns: ``sample_id``, ``subject_id``, ``group`` (None where unknown), ``split``, ``target``
(label name), ``twin`` (Training holds a near-identical image), ``face`` (the weights take the crop
for one), and one ``logit_<label>`` for each label of the model, in the order of its logits.

``table.attrs`` says what it is of, and survives the parquet file: ``data`` (name), ``label_names``
of the data set, ``protocol``, ``weights`` (name), ``option`` (see :mod:`eval.predict`),
``scores``: "logits", or "margins" where the softmax is no probability (nearest neighbours, SVM),
``sequence_overlap`` (see `overlap`; None where sequences are unknown), and ``decisions``: split ->
how the weights that were tested on it answer, the fields of :class:`fer_cbam.decide.Decision` but
for labels and probe; what is left out is as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_cbam.data.base import Dataset
from fer_cbam.data.protocols import Split, sequence_overlap, twins_across
from fer_cbam.decide import Decision, softmax
from fer_cbam.errors import DataError

LOGIT = "logit_"
COLUMNS = ("sample_id", "subject_id", "group", "split", "target", "twin", "face")
ATTRIBUTES = (
    "data", "label_names", "protocol", "weights", "option", "scores", "sequence_overlap",
    "decisions",
)  # fmt: skip


def rows(
    dataset: Dataset,
    index: np.ndarray,
    split: str,
    logits: np.ndarray,
    label_names: Sequence[str],
    face: np.ndarray | bool = True,
) -> pd.DataFrame:
    """The part of a table for one split.

    index: int ``(N,)``, the samples tested. logits: float ``(N, L)``, in the order of label_names.
    face: bool ``(N,)``, or one for all.

    Raises:
        DataError: logits of another shape, or that are not finite.
    """
    logits = np.asarray(logits)
    if logits.shape != (len(index), len(label_names)):
        raise DataError(
            f"logits: got shape {logits.shape}; expected {(len(index), len(label_names))}"
        )
    if not np.isfinite(logits).all():
        raise DataError(f"logits of split {split!r}: NaN or infinite values; expected finite ones")
    samples = [dataset.samples[i] for i in index]
    table = pd.DataFrame(
        {
            "sample_id": [s.sample_id for s in samples],
            "subject_id": pd.Series([s.subject_id for s in samples], dtype=object),
            "group": pd.Series([s.group for s in samples], dtype=object),
            "split": split,
            "target": [s.label for s in samples],
            "twin": twins_across(dataset)[index],
            "face": face,
        }
    )
    for column, name in zip(logits.T, label_names, strict=True):
        table[LOGIT + name] = column
    return table


def overlap(dataset: Dataset, splits: Sequence[Split]) -> float | None:
    """Share of test images with a frame of the same sequence in training, mean over the splits."""
    if any(s.group is None for s in dataset.samples):
        return None
    return float(np.mean([sequence_overlap(dataset, split) for split in splits]))


def combine(parts: Sequence[pd.DataFrame], **attributes: Any) -> pd.DataFrame:
    """Splits -> one table with its attributes (all of ``ATTRIBUTES``).

    Raises:
        DataError: no parts, parts with other logits, or attributes missing.
    """
    if not parts or any(list(p.columns) != list(parts[0].columns) for p in parts):
        raise DataError("splits with different label names: they cannot stand in one table")
    if set(attributes) != set(ATTRIBUTES):
        raise DataError(f"table attributes {sorted(attributes)}; expected {sorted(ATTRIBUTES)}")
    table = pd.concat(parts, ignore_index=True)
    table.attrs = {**attributes, "label_names": list(attributes["label_names"])}
    return table


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a parquet file, attributes included."""
    table.to_parquet(path, index=False)


def read(path: Path) -> pd.DataFrame:
    """Read what `write` wrote.

    Raises:
        DataError: no such file, or one without our columns and attributes.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error})") from error
    missing = [c for c in COLUMNS if c not in table.columns]
    missing += [a for a in ATTRIBUTES if a not in table.attrs]
    if missing:
        raise DataError(f"{path}: {', '.join(missing)} missing; expected a table of eval.predict")
    return table


@dataclass(frozen=True, eq=False)
class Scored:
    """A table as arrays, in the order that :mod:`eval.metrics` asks for.

    label_names: of the data set (the first K), then those that only the model knows. targets, preds
    int64 ``(N,)``, positions in label_names. probs float64 ``(N, L)``; a column of zeros for an
    emotion that the model does not know; raw_probs the softmax of the logits alone. answered bool
    ``(N,)``: taken for a face, and the confidence is high enough for an answer. twin bool
    ``(N,)``, see the column.
    """

    label_names: tuple[str, ...]
    num_classes: int
    targets: np.ndarray
    preds: np.ndarray
    probs: np.ndarray
    raw_probs: np.ndarray
    answered: np.ndarray
    twin: np.ndarray

    @property
    def outside(self) -> tuple[str, ...]:
        """Emotions that the model knows and the data set does not."""
        return self.label_names[self.num_classes :]

    @property
    def confidence(self) -> np.ndarray:
        """Calibrated probability of the prediction, ``(N,)``."""
        chosen: np.ndarray = self.probs[np.arange(len(self.preds)), self.preds]
        return chosen

    @property
    def raw_confidence(self) -> np.ndarray:
        """The same of the uncalibrated probabilities."""
        chosen: np.ndarray = self.raw_probs[np.arange(len(self.preds)), self.preds]
        return chosen

    @property
    def correct(self) -> np.ndarray:
        """bool ``(N,)``."""
        same: np.ndarray = self.preds == self.targets
        return same


def model_labels(table: pd.DataFrame) -> tuple[str, ...]:
    """Label names of the model, in the order of its logits."""
    return tuple(c.removeprefix(LOGIT) for c in table.columns if c.startswith(LOGIT))


def decision_values(decision: Decision) -> dict[str, Any]:
    """A decision as it stands in ``table.attrs["decisions"]``."""
    return {
        "temperature": decision.temperature,
        "bias": list(decision.bias),
        "lift": list(decision.lift),
        "uncertain_below": decision.uncertain_below,
    }


def decision_of(table: pd.DataFrame, split: str) -> Decision:
    """How the weights that were tested on a split answer."""
    return Decision(model_labels(table), **table.attrs["decisions"].get(split, {}))


def scored(table: pd.DataFrame) -> Scored:
    """Targets, predictions and probabilities of a table, by the decision of each split's weights;
    among equal predictions the first in the model's own order."""
    known = model_labels(table)
    data_labels = tuple(table.attrs["label_names"])
    labels = data_labels + tuple(name for name in known if name not in data_labels)
    logits = table[[LOGIT + name for name in known]].to_numpy(np.float64)
    columns = np.array([labels.index(name) for name in known])
    probs, raw = np.zeros((2, len(table), len(labels)))
    raw[:, columns] = softmax(logits)
    preds, answered = np.zeros(len(table), np.int64), table["face"].to_numpy(bool).copy()
    for split in table["split"].unique():
        rows = np.flatnonzero(table["split"] == split)
        decision = decision_of(table, split)
        own = decision.posterior(logits[rows])
        said = decision.said(own)
        probs[np.ix_(rows, columns)], preds[rows] = own, columns[said]
        answered[rows] &= own[np.arange(len(rows)), said] >= decision.uncertain_below
    position = {name: i for i, name in enumerate(labels)}
    targets = table["target"].map(position).to_numpy(np.int64)
    twin = table["twin"].to_numpy(bool)
    return Scored(labels, len(data_labels), targets, preds, probs, raw, answered, twin)
