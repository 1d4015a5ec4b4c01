"""Cells and tables of markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from eval.docs.records import one, select

DASH = "\u2013"
NOT_YET = "Not measured yet."


def text(value: float, spec: str) -> str:
    """A number by Python's format mini-language; ``.1p`` is ``.1%`` without the percent sign.

    What rounds to zero has no sign.
    """
    shown = f"{100 * value:{spec[:-1]}f}" if spec.endswith("p") else f"{value:{spec}}"
    return shown if shown.strip("+-0.,") else shown.lstrip("+-")


def cell(records: pd.DataFrame, spec: str, spread: str = "", **where: Any) -> str:
    """The value of the only record that is as asked, a dash where there is none or no value.

    spread: "sd", or "interval" for "value (low-high)", where the record has them.

    Raises:
        DataError: more than one record.
    """
    if not len(select(records, **where)):
        return DASH
    found = one(records, **where)
    if pd.isna(found["value"]):
        return DASH
    shown = text(found["value"], spec)
    if spread == "sd" and pd.notna(found["sd"]):
        return f"{shown} \u00b1 {text(found['sd'], spec)}"
    if spread == "interval" and pd.notna(found["low"]):
        return f"{shown} ({text(found['low'], spec)}{DASH}{text(found['high'], spec)})"
    return shown


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns but the first stand to the right; a sentence where it has no rows."""
    if not rows:
        return NOT_YET
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
