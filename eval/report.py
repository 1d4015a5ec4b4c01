"""A table of predictions -> every number, with its interval.

Where each image is predicted once (one split, or the folds of a cross-validation), the splits are
pooled, except for AUC and AP: those rank images, and scores of networks that were trained apart do
not stand on one scale, so they are the mean over the folds (Forman and Scholz, "Apples-to-apples in
cross-validation studies", SIGKDD Explorations 12(1), 2010). Where test sides overlap (random splits
by several seeds), everything is the mean over the splits. Mean and standard deviation (n - 1) over
splits are given wherever there are several.

``<metric>_uncalibrated`` is of the softmax of the logits alone. ``coverage`` is the share of images
that are taken for faces and get an answer at the weights' ``uncertain_below``,
``selective_accuracy`` the accuracy among them.
``<metric>_without_twins`` leaves out the test images to which Training holds a near-identical one;
it is given where there are any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from eval import metrics as m
from eval.bootstrap import LEVEL, RESAMPLES, bootstrap
from eval.records import Record, metric_records
from eval.table import Scored, scored
from fer_cbam.errors import DataError

STUDY = "evaluation"  # of reports: methods measured by a protocol of a data set
PER_CLASS = ("precision", "recall", "f1", "auc", "ap")
FROM_PROBABILITIES = (
    "log_loss", "brier", "ece", "log_loss_uncalibrated", "brier_uncalibrated", "ece_uncalibrated",
    "coverage", "selective_accuracy",
)  # fmt: skip
WITHOUT_TWINS = "_without_twins"


def measure(s: Scored, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Every metric of one set of predictions by name: a scalar, or ``(R,)`` with weights.

    Per-class metrics are named ``<metric>_<label>``.
    """
    k = s.num_classes
    matrix = m.confusion_matrix(s.targets, s.preds, k, weights)
    per_class = {
        "precision": m.precision(matrix),
        "recall": m.recall(matrix),
        "f1": m.f1(matrix),
        "auc": m.one_vs_rest(m.auc, s.targets, s.probs, k, weights),
        "ap": m.one_vs_rest(m.average_precision, s.targets, s.probs, k, weights),
    }
    values = {
        "accuracy": m.accuracy(matrix),
        "balanced_accuracy": m.balanced_accuracy(matrix),
        **{f"macro_{name}": m.macro(per_class[name]) for name in PER_CLASS},
        **{
            f"weighted_{n}": m.weighted(per_class[n], matrix) for n in ("precision", "recall", "f1")
        },
        "log_loss": m.log_loss(s.targets, s.probs, weights),
        "brier": m.brier(s.targets, s.probs, weights),
        "ece": m.ece(s.confidence, s.correct, weights),
        "log_loss_uncalibrated": m.log_loss(s.targets, s.raw_probs, weights),
        "brier_uncalibrated": m.brier(s.targets, s.raw_probs, weights),
        "ece_uncalibrated": m.ece(s.raw_confidence, s.correct, weights),
        "coverage": m.coverage(s.answered, weights),
        "selective_accuracy": m.selective_accuracy(s.correct, s.answered, weights),
        **_without_twins(s, weights),
    }
    for name in PER_CLASS:
        for i, label in enumerate(s.label_names[:k]):
            values[f"{name}_{label}"] = per_class[name][..., i]
    return values


def said_classes(s: Scored) -> dict[str, dict[str, float | None]]:
    """Of each label of the data: how often it is said, and its ``precision`` (None where it never
    is) and ``recall``."""
    k = s.num_classes
    matrix = m.confusion_matrix(s.targets, s.preds, k)
    said, right, found = (np.bincount(s.preds, minlength=k), m.precision(matrix), m.recall(matrix))
    return {
        label: {"said": int(said[i]), "precision": float(right[i]) if said[i] else None,
                "recall": float(found[i])}
        for i, label in enumerate(s.label_names[:k])
    }  # fmt: skip


def _without_twins(s: Scored, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    """Accuracies on the images that Training holds nothing near to; NaN where there are none."""
    kept = np.flatnonzero(~s.twin)
    names = (f"accuracy{WITHOUT_TWINS}", f"balanced_accuracy{WITHOUT_TWINS}")
    if not len(kept):
        return dict.fromkeys(names, np.full(() if weights is None else weights.shape[1:], np.nan))
    of_kept = None if weights is None else weights[kept]
    matrix = m.confusion_matrix(s.targets[kept], s.preds[kept], s.num_classes, of_kept)
    return dict(zip(names, (m.accuracy(matrix), m.balanced_accuracy(matrix)), strict=True))


def _by_split(table: pd.DataFrame) -> list[tuple[np.ndarray, Scored]]:
    """Row numbers and arrays of each split, in the order of the table."""
    numbers = [np.flatnonzero(table["split"] == name) for name in table["split"].unique()]
    parts = []
    for rows in numbers:
        part = table.iloc[rows]
        part.attrs = table.attrs
        parts.append((rows, scored(part)))
    return parts


def _mean_over(
    parts: Sequence[tuple[np.ndarray, Scored]], names: Sequence[str], weights: np.ndarray | None
) -> np.ndarray:
    """Each metric's mean over parts of a table, ``(M,)`` or ``(R, M)``.

    What is defined in some parts only is averaged over those; NaN where it is in none.
    """
    found = []
    for rows, arrays in parts:
        measured = measure(arrays, None if weights is None else weights[rows])
        found.append(np.stack([np.asarray(measured[name]) for name in names], axis=-1))
    stacked = np.stack(found)
    defined = ~np.isnan(stacked)
    total = np.where(defined, stacked, 0.0).sum(0)
    return np.divide(total, defined.sum(0), out=np.full(total.shape, np.nan), where=defined.any(0))


def report(table: pd.DataFrame, n_resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Everything that is said of a table, without figures; :func:`report_records` for writing.

    Raises:
        DataError: an empty table, or one in which a split predicts an image twice.
    """
    if not len(table) or table.duplicated(["split", "sample_id"]).any():
        raise DataError("predictions: none, or an image twice in a split; expected each once")
    splits = _by_split(table)
    pooled = table["sample_id"].is_unique
    whole = [(np.arange(len(table)), scored(table))]
    twins = whole[0][1].twin.any()
    names = [n for n in measure(whole[0][1]) if twins or not n.endswith(WITHOUT_TWINS)]
    ranking = np.array([not {"auc", "ap"}.isdisjoint(name.split("_")) for name in names])

    def values(_table: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        over = _mean_over(splits, names, weights)
        if not pooled or len(splits) == 1:
            return over
        return np.where(ranking, over, _mean_over(whole, names, weights))

    value = values(table, None)
    low, high = bootstrap(table, values, n_resamples, seed)
    per_split = [measure(arrays) for _, arrays in splits]
    entries = {}
    for i, name in enumerate(names):
        entries[name] = {"value": value[i], "low": low[i], "high": high[i]}
        if len(splits) > 1:
            over = np.array([split[name] for split in per_split], np.float64)
            over = over[~np.isnan(over)]
            entries[name]["mean"] = over.mean() if len(over) else np.nan
            entries[name]["sd"] = over.std(ddof=1) if len(over) > 1 else np.nan
    if table.attrs["scores"] == "margins":
        for name in FROM_PROBABILITIES:
            entries[name] = dict.fromkeys(entries[name], np.nan)
    return _layout(table, entries, splits, pooled, n_resamples, seed)


def _layout(
    table: pd.DataFrame, entries: dict[str, dict[str, float]],
    splits: list[tuple[np.ndarray, Scored]], pooled: bool, n_resamples: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    labels = splits[0][1].label_names
    known = tuple(table.attrs["label_names"])
    per_class = {f"{name}_{label}" for name in PER_CLASS for label in known}
    matrix = sum(m.confusion_matrix(s.targets, s.preds, len(known)) for _, s in splits)
    assert isinstance(matrix, np.ndarray)
    columns = [*known, "other"] if len(labels) > len(known) else list(known)
    subjects = table["subject_id"].dropna().nunique()
    unit = "subjects" if table["subject_id"].notna().all() else "images"
    several = "pooled over splits, AUC and AP mean over splits" if pooled else "mean over splits"
    return {
        **{key: table.attrs[key] for key in ("data", "protocol", "weights", "option")},
        "n": len(table),
        "images": table["sample_id"].nunique(),
        "subjects": subjects or None,
        "twins": int(table["twin"].sum()),
        "value": several if len(splits) > 1 else "one split",
        "interval": f"{LEVEL:g} % percentile bootstrap, {n_resamples} resamples of {unit}, "
        f"seed {seed}",
        "sequence_overlap": table.attrs["sequence_overlap"],
        "splits": {
            str(table["split"].iloc[rows[0]]): {
                "n": len(rows),
                "accuracy": float(s.correct.mean()),
            }
            for rows, s in splits
        },
        "metrics": {k: v for k, v in entries.items() if k not in per_class},
        "classes": {
            label: {
                "support": int(matrix[i].sum()),
                **{name: entries[f"{name}_{label}"] for name in PER_CLASS},
            }
            for i, label in enumerate(known)
        },
        "confusion_matrix": {
            "columns": columns,
            "rows": {label: matrix[i, : len(columns)].tolist() for i, label in enumerate(known)},
        },
    }


def report_records(result: Mapping[str, Any]) -> Iterator[Record]:
    """What `report` gives, as records; classes are their groups."""
    counts = {k: result[k] for k in ("images", "subjects", "twins", "sequence_overlap")}
    common = {k: result[k] for k in ("data", "protocol", "weights", "option", "n")}
    yield from metric_records({**result["metrics"], **counts}, result["classes"], **common)


def splits_table(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Predictions and accuracy of each split of what `report` gives, for figures and checks."""
    return [{"split": name, **entry} for name, entry in result["splits"].items()]
