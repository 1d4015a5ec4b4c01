"""Tables of the reports of ``python -m eval trust``."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs import titles
from eval.docs.markdown import DASH, NOT_YET, cell, table, text
from eval.docs.records import one, select

ALL = "all corruptions"
SVM = "HOG + linear SVM"
TWINS = ("with CBAM", "without CBAM")  # of the study on attention


def robustness(records: pd.DataFrame) -> str:
    """What each corruption leaves of each set of weights, a table for each data set."""
    spoilt = select(records, study="trust", group=None)
    whole = select(spoilt, metric="relative_accuracy", condition=ALL)
    data = sorted(whole["data"].unique(), key=lambda name: (-whole["data"].eq(name).sum(), name))
    return "\n\n".join(_spoilt(select(spoilt, data=name)) for name in data) or NOT_YET


def _spoilt(records: pd.DataFrame) -> str:
    """The table of one data set; what costs most comes first."""
    relative = select(records, metric="relative_accuracy")
    mean = relative.groupby("condition")["value"].mean()
    order = sorted(mean.index, key=lambda c: (c == ALL, mean[c]))
    weights = sorted(relative["weights"].unique())
    shown = titles.data(relative["data"].iloc[0])
    header = [f"spoilt by, % on {shown}"]
    for name in weights:
        faces = one(relative, weights=name, condition=ALL)["n"]
        header += [f"{titles.method(name)}, {text(faces, ',.0f')} faces: relative accuracy",
                   "error"]  # fmt: skip
    svm = select(records, metric="hog_svm_corruption_error")
    beside = svm[svm["weights"] == svm["weights"].min()]
    columns = ("relative_accuracy", "corruption_error")
    rows = [
        [condition.replace("_", " "),
         *(cell(records, ".1p", "interval", condition=condition, weights=name, metric=metric)
           for name in weights for metric in columns),
         *([cell(beside, ".1p", condition=condition)] if len(beside) else [])]
        for condition in order
    ]  # fmt: skip
    if not len(beside):
        return table(header, rows)
    means = ", ".join(f"{titles.method(name)} {cell(records, '.2f', weights=name, metric='mce')}"
                      for name in select(records, metric="mce")["weights"])  # fmt: skip
    return (
        f"{table([*header, f'error of {SVM}'], rows)}\n\nmCE (error over that of {SVM}): {means}."
    )


def attention(records: pd.DataFrame) -> str:
    """Two networks of one recipe, with CBAM and without, on the same spoilt faces."""
    own = select(records, study="attention")
    changes = select(own, metric="corruption_error_change").set_index("condition")["value"]
    rows = []
    for condition in sorted(changes.index, key=lambda c: (c == ALL, changes[c])):
        here = select(own, condition=condition)
        row = [condition.replace("_", " ")]
        for name in TWINS:
            row += [cell(here, ".1p", weights=name, metric=metric)
                    for metric in ("relative_accuracy", "corruption_error")]  # fmt: skip
        row += [cell(here, "+.1p", "interval", metric="corruption_error_change")]
        row += [cell(here, ".1p", metric=f"hog_svm_{metric}")
                for metric in ("relative_accuracy", "corruption_error")]  # fmt: skip
        rows.append(row)
    header = ["spoilt by, %"]
    for name in TWINS:
        header += [f"{name}: relative accuracy", "error"]
    header += ["error, CBAM less none", f"{SVM}: relative accuracy", "error"]
    if not rows:
        return NOT_YET
    clean = select(own, condition="clean")
    accuracies = ", ".join([
        *(f"{name} {cell(clean, '.1p', weights=name, metric='accuracy')}" for name in TWINS),
        f"{SVM} {cell(clean, '.1p', metric='hog_svm_accuracy')}",
    ])  # fmt: skip
    return f"{table(header, rows)}\n\nAccuracy before: {accuracies}."


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
    "robustness-attention": attention,
    "fairness": fairness,
}
