"""All committed reports as one table of records, and the question for exactly one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from eval.records import NAMES, NUMBERS, unfolded
from fer_cbam.errors import DataError

REPORTS = Path(__file__).parents[2] / "reports"
KEYS = ("study", *NAMES)
#: Of the whole report: the command that made it, its path below the folder, what it was timed on.
OF_REPORT = ("command", "report", "processor")


def read_report(path: Path) -> dict[str, Any]:
    """A report as `eval.records.write_report` wrote it.

    Raises:
        DataError: unreadable, or without study, command and records, or with unknown fields.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        missing = {"study", "command", "records"} - set(content)
        content["records"] = unfolded({"records": (), **content})
        fields = {name for record in content["records"] for name in record}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a readable report ({error})") from error
    if missing or not fields <= {*NAMES, *NUMBERS}:
        raise DataError(f"{path}: {', '.join(sorted(missing)) or 'nothing'} missing, fields "
                        f"{sorted(fields)}; expected a report of eval")  # fmt: skip
    return content


def load(folder: Path = REPORTS) -> pd.DataFrame:
    """Every record of every report below a folder, a row each; None where a field is absent.

    Raises:
        DataError: a file that is no report, or two records that say something of the same.
    """
    rows = []
    for path in sorted(folder.rglob("*.json")):
        content = read_report(path)
        name = path.relative_to(folder).as_posix()
        common = {"study": content["study"], "command": content["command"], "report": name,
                  "processor": content.get("processor")}  # fmt: skip
        rows += [{**common, **record} for record in content["records"]]
    table = pd.DataFrame(rows, columns=[*KEYS, *NUMBERS, *OF_REPORT])
    names = [*KEYS, *OF_REPORT]
    table[names] = table[names].astype(object).where(table[names].notna(), None)
    table[list(NUMBERS)] = table[list(NUMBERS)].astype(float)
    twice = table[table.duplicated(list(KEYS), keep=False)]
    if len(twice):
        key = dict(twice[list(KEYS)].iloc[0])
        both = select(twice, **key)["report"]
        raise DataError(
            f"{' and '.join(both)}: both report {_text(tuple(key.values()))}; expected one"
        )
    return table


def select(table: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """The records whose fields are as named; None asks for those without the field."""
    for name, value in where.items():
        table = table[table[name].isna() if value is None else table[name] == value]
    return table


def one(table: pd.DataFrame, **where: Any) -> pd.Series:
    """The only record whose fields are as named.

    Raises:
        DataError: there is none, or more than one.
    """
    found = select(table, **where)
    if len(found) == 1:
        return found.iloc[0]
    asked = ", ".join(f"{name}={value!r}" for name, value in where.items())
    kinds = [_text(tuple(row)) for row in found[list(KEYS)].head(3).itertuples(index=False)]
    raise DataError(f"{len(found)} records with {asked}; expected one"
                    + (f", found: {'; '.join(kinds)}" if kinds else ""))  # fmt: skip


def _text(key: tuple[Any, ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(KEYS, key, strict=True) if value)
