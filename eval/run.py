"""One evaluation: predictions, what is said of them, and figures, in a folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import attention, figures, table
from eval.history import run_history
from eval.predict import ENSEMBLE, Job, predict, predict_ensemble, weights_sha256
from eval.records import Record, write_report
from eval.report import STUDY, report, report_records, splits_table
from fer_cbam.data import Dataset
from fer_cbam.prior import Prior

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"
GALLERY_SIZE = 6


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Weights on the splits of a data set.

    members: the jobs of each set of weights; more than one for an ensemble. predictions: see
    :mod:`eval.table`. result: see :func:`eval.report.report`. prior: see `evaluate`.
    """

    dataset: Dataset
    members: Sequence[Sequence[Job]]
    predictions: pd.DataFrame
    result: dict[str, Any]
    prior: Prior | None = None


def evaluate(
    members: Sequence[Sequence[Job]], dataset: Dataset, protocol: str, option: str = "plain",
    name: str | None = None, prior: Prior | None = None,
) -> Evaluation:  # fmt: skip
    """Predict every test image, and measure.

    members: the jobs of each set of weights, see :func:`eval.predict.jobs`; several are an
    ensemble. name: of the weights in the report. prior: the class mix that is expected, by default
    the weights decide.

    Raises:
        DataError, WeightsError: see :mod:`eval.predict`.
    """
    if len(members) > 1:
        predictions = predict_ensemble(members, dataset, protocol, name or "ensemble", prior)
    else:
        predictions = predict(members[0], dataset, protocol, option, name, prior)
    return Evaluation(dataset, members, predictions, report(predictions), prior)


def write(
    evaluation: Evaluation, out: Path, command: Mapping[str, Any], backend_name: str,
    more: Iterable[Record] = (),
) -> None:  # fmt: skip
    """Write metrics and predictions.

    command: see :func:`eval.records.provenance`. more: records beside those of the evaluation.
    """
    result = evaluation.result
    write_report(
        out / METRICS_FILE, STUDY, command, [*report_records(result), *more],
        backend=backend_name, device=evaluation.members[0][0].backend.device,
        weights_sha256=[weights_sha256(pairs) for pairs in evaluation.members],
        value=result["value"], interval=result["interval"], splits=splits_table(result),
        confusion_matrix=result["confusion_matrix"],
    )  # fmt: skip
    table.write(evaluation.predictions, out / PREDICTIONS_FILE)


def draw_history(evaluation: Evaluation, path: Path) -> None:
    histories = {job.split.name: run_history(job.folder) for job in evaluation.members[0]}
    runs = {name: history for name, history in histories.items() if history is not None}
    if runs:
        figures.save(figures.history(runs, evaluation.result), path)


def draw_gradcam(evaluation: Evaluation, path: Path) -> None:
    if evaluation.result["option"] == ENSEMBLE:
        return  # no single network to explain
    pairs = evaluation.members[0]
    maps = attention.mean_maps(pairs, evaluation.dataset, evaluation.predictions)
    if maps:
        landmarks = pairs[0].backend.preprocess.landmarks
        title = figures.heading(evaluation.result)
        figures.save(figures.mean_maps(maps, landmarks, title), path)


def draw_gallery(evaluation: Evaluation, path: Path) -> None:
    """Grad-CAM on recognised faces, one of a sequence, of all splits. Faces of data sets must not
    be published."""
    dataset, pairs = evaluation.dataset, evaluation.members[0]
    crops, maps = [], []
    labels: list[str] = []
    shown: set[str] = set()
    recognised = attention.recognised(pairs, evaluation.predictions)
    for job, index in zip(pairs, recognised, strict=True):
        chosen = []
        for i in index:
            sample = dataset.samples[i]
            unit = sample.group or sample.sample_id
            if labels.count(sample.label) < GALLERY_SIZE and unit not in shown:
                shown.add(unit)
                labels.append(sample.label)
                crops.append(sample.pixels)
                chosen.append(i)
        if chosen:
            maps.append(attention.maps_of(job, dataset, np.array(chosen))[0])
    title = figures.heading(evaluation.result)
    figures.save(figures.gallery(crops, np.concatenate(maps), labels, title, GALLERY_SIZE), path)


#: Figures by name. Those of faces are for private use and have ``images`` in their name.
FIGURES: dict[str, Callable[[Evaluation, Path], None]] = {
    "confusion": lambda e, path: figures.save(figures.confusion(e.result), path),
    "roc": lambda e, path: figures.save(figures.roc(e.predictions, e.result), path),
    "precision_recall": lambda e, path: figures.save(
        figures.precision_recall(e.predictions, e.result), path
    ),
    "reliability": lambda e, path: figures.save(figures.reliability(e.predictions, e.result), path),
    "history": draw_history,
    "gradcam": draw_gradcam,
    "gallery_images": draw_gallery,
}


def draw(evaluation: Evaluation, out: Path, names: Collection[str]) -> None:
    """Draw the figures that are named, a PNG each."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        FIGURES[name](evaluation, out / f"{name}.png")


def print_summary(result: Mapping[str, Any]) -> None:
    """The main numbers, for whoever waits at the terminal."""
    print(figures.heading(result) + f", {result['value']}")
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "ece"):
        entry = result["metrics"][name]
        spread = f", sd over splits {entry['sd']:.4f}" if "sd" in entry else ""
        print(
            f"  {name:18} {entry['value']:.4f} ({entry['low']:.4f} to {entry['high']:.4f}){spread}"
        )
