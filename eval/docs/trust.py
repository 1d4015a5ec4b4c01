"""Tables of the reports of ``python -m eval trust``."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs import titles
from eval.docs.markdown import DASH, NOT_YET, cell, table, text
from eval.docs.records import one, select

ALL = "all corruptions"


def robustness(records: pd.DataFrame) -> str:
    """What each corruption leaves of each set of weights; what costs most comes first."""
    own = select(records, study="trust", metric="relative_accuracy")
    weights = sorted(own["weights"].unique())
    if not weights:
        return NOT_YET
    spoilt = select(records, study="trust", group=None)
    mean = own.groupby("condition")["value"].mean()
    order = sorted(mean.index, key=lambda c: (c == ALL, mean[c]))
    columns = {"relative accuracy": "relative_accuracy", "error": "corruption_error"}
    header = ["spoilt by, %"]
    for name in weights:
        whole = one(own, weights=name, condition=ALL)
        faces = f"{text(whole['n'], ',.0f')} faces of {titles.data(whole['data'])}"
        header += [f"{titles.method(name)}, {faces}: relative accuracy", "error"]
    svm_data = titles.data(one(own, weights=weights[0], condition=ALL)["data"])
    header.append(f"error of HOG + linear SVM on {svm_data}")
    rows = []
    for condition in order:
        here = select(spoilt, condition=condition)
        row = [condition.replace("_", " ")]
        for name in weights:
            row += [cell(here, ".1p", "interval", weights=name, metric=m) for m in columns.values()]
        row.append(cell(here, ".1p", weights=weights[0], metric="hog_svm_corruption_error"))
        rows.append(row)
    means = ", ".join(
        f"{titles.method(name)} {cell(spoilt, '.2f', weights=name, metric='mce')}"
        for name in weights
    )
    return f"{table(header, rows)}\n\nmCE (error over that of HOG + linear SVM): {means}."


def fairness(records: pd.DataFrame) -> str:
    """Gap in standardised accuracy between the groups of each column, and what is found."""
    own = select(records, study="trust", group=None)
    spread = select(own, metric="gap_spread")
    rows = []
    for data, weights, condition in spread[["data", "weights", "condition"]].itertuples(
        index=False
    ):
        here = select(own, data=data, weights=weights, condition=condition)
        rows.append([
            f"{titles.method(weights)}, {titles.data(data)}: {condition}",
            cell(here, ".1p", metric="gap_standardised_accuracy"),
            _up_to(here, "standardised_accuracy"),
            cell(here, ".1p", metric="gap_spread"),
            _up_to(here, "spread"),
            ", ".join(_found(here)) or "nothing",
        ])  # fmt: skip
    header = ("groups, %", "gap in standardised accuracy", "shuffled, up to", "spread",
              "shuffled, up to", "found")  # fmt: skip
    return table(header, rows)


def _up_to(records: pd.DataFrame, metric: str) -> str:
    found = select(records, metric=f"shuffled_gap_{metric}")
    return text(one(found)["high"], ".1p") if len(found) else DASH


def _found(records: pd.DataFrame) -> list[str]:
    marked = records[records["metric"].str.startswith("found_") & (records["value"] == 1)]
    return [metric.removeprefix("found_").replace("_", " ") for metric in marked["metric"]]


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "robustness": robustness,
    "fairness": fairness,
}
