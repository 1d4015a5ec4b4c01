"""The table of answers over time, from the reports of ``python -m eval --protocol clips``."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs.markdown import NOT_YET, cell, table
from eval.docs.records import select

METHODS = {
    "single_frames": "each frame alone",
    "average": "average, half-life 0.25 s",
    "filter": "hidden-Markov filter",
    "network": "recurrent network",
}
COLUMNS = {
    "accuracy": ("right", ".1p", "interval"),
    "balanced_accuracy": ("balanced", ".1p", ""),
    "detection_seconds": ("change found after, s", ".2f", "interval"),
    "flicker_per_minute": ("wrong changes a minute", ".0f", "interval"),
    "ece": ("ECE", ".1p", ""),
}
SIDES = {"clips_public": "PublicTest", "clips_private": "PrivateTest", "clips_ckplus48": "CK+48"}


def clips(records: pd.DataFrame) -> str:
    """A row for each way of smoothing, on the clips of each side; per cent where no unit stands."""
    rows = []
    for protocol, side in SIDES.items():
        own = select(records, study="clips", protocol=protocol)
        for method in METHODS:
            found = select(own, option=method)
            if len(found):
                cells = [cell(found, spec, spread, metric=metric)
                         for metric, (_, spec, spread) in COLUMNS.items()]  # fmt: skip
                rows.append([f"{side}, {METHODS[method]}", *cells])
    return table(["faces, method", *(title for title, *_ in COLUMNS.values())], rows)


def lead(records: pd.DataFrame) -> str:
    """A sentence on the recurrent network's accuracy beside others, pair by pair."""
    told = []
    for protocol, other in (
        ("clips_public", "the filter"), ("clips_private", "the filter"),
        ("clips_ckplus48", "single frames"),
    ):  # fmt: skip
        own = select(records, study="clips", protocol=protocol, option="network")
        if len(select(own, metric="accuracy_gain")):
            gain = cell(own, "+.1p", "interval", metric="accuracy_gain")
            told.append(f"on {SIDES[protocol]} {gain} points beside {other}")
            if len(select(own, metric="accuracy_gain_over_best")):
                best = cell(own, "+.1p", "interval", metric="accuracy_gain_over_best")
                told[-1] += f" ({best} beside whatever is best there without it)"
    if not told:
        return NOT_YET
    return f"Right answers of the recurrent network: {', '.join(told)} (95 % interval)."


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {"clips": clips, "clips_lead": lead}
