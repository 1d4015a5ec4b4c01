"""Pruned networks beside int8, narrow ones from nothing and distillation, from the reports of
:mod:`eval.studies.pruning` and ``benchmarks/pruning.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from eval.docs.markdown import NOT_YET, cell, table, text
from eval.docs.records import one, select

RELEASED = "fer_cbam_tiny.ferplus"
#: In the table's order.
NETWORKS = {
    RELEASED: "embedded: distilled",
    "unpruned": "embedded, trained on",
    "pruned-two-thirds": "pruned to 16, 24, 40, 80 channels",
    "scratch-two-thirds": "these widths from nothing",
}
OPTIONS = {"onnx": "", "onnx-int8": ", int8"}


def pruning(records: pd.DataFrame) -> str:
    """A row for each network and runtime; times are of one run."""
    taken, times = select(records, study="pruning"), select(records, study="pruning_speed")
    columns = {"accuracy": ".1p", "balanced_accuracy": ".1p", "megabytes": ".2f",
               "multiply_adds_millions": ".1f"}  # fmt: skip
    rows = []
    for name, title in NETWORKS.items():
        for option, how in OPTIONS.items():
            where = {"condition": name, "option": option}
            if not len(select(taken, **where)):
                continue
            rows.append([
                title + how,
                *(cell(taken, spec, "sd" if "accuracy" in metric else "", metric=metric, **where)
                  for metric, spec in columns.items()),
                cell(times, ".2f", "interval", metric="milliseconds", **where),
                _of(times, where),
                "yes" if (name, option) in front(records) else "",
            ])  # fmt: skip
    runs = int(taken[taken["condition"] == "unpruned"]["n"].max()) if len(taken) else 0
    header = [f"FER+ PublicTest, %, {runs} seeds", "accuracy", "balanced", "MB",
              "multiply-adds, millions", "ms (quartiles)", "time, %", "Pareto front"]  # fmt: skip
    return f"{table(header, rows)}\n\n{_budget(records)}" if rows else NOT_YET


def _budget(records: pd.DataFrame) -> str:
    """How much each was trained on."""
    own = cell(select(records, study="pruning"), ",.0f", metric="images_seen")
    embedded = cell(select(records, study="cost", weights=RELEASED), ",.0f", metric="images_seen")
    return (
        f"Images seen in training: {embedded} by the embedded network before its last nine "
        f"epochs, {own} by each of the others, of those that start from it after that."
    )


def _of(times: pd.DataFrame, where: Mapping[str, Any]) -> str:
    found = select(times, metric="share_of_time", **where)
    return text(one(found)["value"], ".0p") if len(found) else NOT_YET


def differences(records: pd.DataFrame) -> str:
    """What pruning costs, and what it gains over the same widths from nothing."""
    taken = select(records, study="pruning")
    rows = []
    for name, title in NETWORKS.items():
        if not name.startswith("pruned"):
            continue
        rows += [
            [title + how, *(_gap(taken, f"{metric}_{kind}", name, option)
                            for kind in ("difference", "over_scratch")
                            for metric in ("accuracy", "balanced_accuracy"))]
            for option, how in OPTIONS.items()
            if len(select(taken, condition=name, option=option))
        ]  # fmt: skip
    header = ["points (95 % interval)", "over unpruned: accuracy", "balanced",
              "over the widths from nothing: accuracy", "balanced"]  # fmt: skip
    return table(header, rows) if rows else NOT_YET


def _gap(taken: pd.DataFrame, metric: str, name: str, option: str) -> str:
    gap = one(taken, metric=metric, condition=name, option=option)
    ends = [text(gap[end], "+.1p") for end in ("value", "low", "high")]
    return "{} ({} to {})".format(*ends)


def points(records: pd.DataFrame) -> pd.DataFrame:
    """Network and runtime -> accuracy, its spread over seeds, and milliseconds."""
    taken, times = select(records, study="pruning"), select(records, study="pruning_speed")
    keys = ["condition", "option"]
    accuracy = select(taken, metric="accuracy").set_index(keys)[["value", "sd"]]
    ms = select(times, metric="milliseconds").set_index(keys)["value"].rename("milliseconds")
    return accuracy.join(ms, how="inner").fillna({"sd": 0.0})


def front(records: pd.DataFrame) -> list[tuple[str, str]]:
    """Those that no other beats in time without being less accurate, the fastest first."""
    ordered = points(records).sort_values(["milliseconds", "value"], ascending=[True, False])
    best, found = -np.inf, []
    for key, row in ordered.iterrows():
        if row["value"] > best:
            best = row["value"]
            found.append(key)
    return found


BLOCKS: Mapping[str, Callable[[pd.DataFrame], str]] = {
    "pruning": pruning,
    "pruning-differences": differences,
}
