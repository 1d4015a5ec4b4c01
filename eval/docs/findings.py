"""Tables of what was tried and settled: archived reports in ``reports/findings``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from eval.docs import titles
from eval.docs.markdown import DASH, NOT_YET, cell, table, text
from eval.docs.records import one, select

METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced"}
BASE = "CBAM behind the last two stages"  # what every row of the tables of small networks changes
ONCE = "taught by fer_cbam_base"
#: Of `eval.studies.tracked_search`.
SHOWN = {"single_face": "a clip of one face", "photographs": "photographs in a moving hand"}

#: Block -> study, and its rows; None for all. The first row is what the others are held against.
TOPICS: dict[str, tuple[str, Sequence[str] | None]] = {
    "findings-attention": ("wild", (
        BASE, "no attention", "channel attention only", "spatial attention only",
        "CBAM behind the last stage only", "CBAM behind every stage", "reduction 4 in CBAM",
    )),
    "findings-long": ("wild_long", None),
    "findings-layers": ("wild", (
        BASE, "max-pooling at the end of stages", "mean and maximum before the classifier",
        "one convolution as stem", "Hardswish", "images not standardised",
    )),
    "findings-teachers": ("wild", (
        BASE, ONCE, f"{ONCE}, asked about each image as it is trained on",
    )),
    "findings-steps": ("wild", (
        BASE, "no mixup", "no erasing", "lighting left alone", "no blur and no noise",
        "half the zoom", "no average of weights", "FER+ alone",
        "half of the faces as the recogniser cuts them", "some faces through a bad camera",
    )),
    "findings-domains": ("wild", (BASE, "MixStyle", "amplitude spectra mixed")),
    "findings-prior": ("wild", (
        BASE, "logit adjustment 0.5 in training", "logit adjustment 1 in training",
    )),
    "findings-twins": ("wild", (BASE, "near-copies of test images left in")),
    "findings-paper": ("ckplus48_paper", None),
    "findings-fine-tuning": ("ckplus48_base", None),
    "findings-start": ("ckplus48_base_rounds", None),
    "findings-soup": ("ckplus48_base_soup", None),
    "findings-length": ("ckplus48_base_length", None),
}  # fmt: skip


def finding(records: pd.DataFrame, study: str, rows: Sequence[str] | None) -> str:
    """The first row's means, and how far the others lie from them, run by run."""
    own = select(records, study=study)
    if not len(own):
        return NOT_YET
    rows = rows or list(dict.fromkeys(own["condition"]))
    places = list(dict.fromkeys(own[["data", "weights"]].itertuples(index=False, name=None)))
    # Balanced accuracy of the first data set alone: wider tables do not fit a page.
    columns = [(*places[0], metric) for metric in METRICS]
    columns += [(data, weights, "accuracy") for data, weights in places[1:]]
    header = ["%", "runs", *(_title(*column) for column in columns)]
    return table(header, [
        [row, text(one(own, condition=row, data=columns[0][0], metric="accuracy")["n"], ".0f"),
         *(_mean(own, row, column) if row == rows[0] else _difference(own, row, column)
           for column in columns)]
        for row in rows
    ])  # fmt: skip


def _title(data: str, weights: str, metric: str) -> str:
    never = "" if weights.partition(".")[2] == data else ", never seen"
    return f"{titles.data(data)}{never}: {METRICS[metric]}"


def _mean(records: pd.DataFrame, row: str, column: tuple[str, str, str]) -> str:
    data, weights, metric = column
    return cell(records, ".1p", "sd", condition=row, data=data, weights=weights, metric=metric)


def _difference(records: pd.DataFrame, row: str, column: tuple[str, str, str]) -> str:
    data, weights, metric = column
    found = select(records, condition=row, data=data, weights=weights,
                   metric=f"{metric}_difference")  # fmt: skip
    if not len(found):
        return DASH
    gap = one(found)
    shown = text(gap["value"], "+.1p")
    if pd.isna(gap["low"]):
        return shown
    return f"{shown} ({text(gap['low'], '+.1p')} to {text(gap['high'], '+.1p')})"


def tracked(records: pd.DataFrame) -> str:
    """What a search of a frame in n loses, and what it costs."""
    taken = select(records, study="tracked_search")
    rows = []
    for (name, step), own in taken.groupby(["data", "condition"], sort=False):
        lost, faces = (one(own, metric=metric)["value"] for metric in ("lost", "faces"))
        rows.append([
            f"{SHOWN.get(name, name)}, {step.replace('every ', 'a search in ')}",
            f"{lost:.0f} of {faces:,.0f}",
            cell(own, ".1p", metric="landmarks_apart"), cell(own, ".0p", metric="share_of_time"),
        ])  # fmt: skip
    header = ["frames", "faces lost", "landmarks apart, % of the eyes' distance", "time, %"]
    return table(header, rows) if rows else NOT_YET


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    **{name: partial(finding, study=study, rows=rows) for name, (study, rows) in TOPICS.items()},
    "findings-tracked": tracked,
}
