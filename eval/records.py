"""What a report holds: where it came from, and records with named fields. All reports go this way.

A record is one number: ``data``, ``protocol``, ``weights`` (``<arch>.<tag>``, the tag being what
they were trained on, or the name of a baseline), ``option`` (views of a crop; a runtime where times
are measured), ``condition`` (what was changed: a camera's fault, a row of an ablation), ``group``
(a label, later a group of people), ``metric``, ``value`` with its 95 % interval ``low`` to
``high``, ``mean`` and ``sd`` over splits or runs, and ``n`` (predictions, runs or rounds). A field
that does not apply is left out; a value that is not defined is null.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import fer_cbam

Record = dict[str, Any]

NAMES = ("data", "protocol", "weights", "option", "condition", "group", "metric")
NUMBERS = ("value", "low", "high", "mean", "sd", "n")
DECIMALS = 6
PACKAGES = (
    "torch",
    "timm",
    "numpy",
    "pandas",
    "scikit-learn",
    "scikit-image",
    "opencv-python-headless",
)


def record(metric: str, value: Any, **fields: Any) -> Record:
    """One record, its fields in the order of `NAMES` and `NUMBERS`.

    Raises:
        TypeError: a field that records do not have.
    """
    given = {**fields, "metric": metric, "value": value}
    if unknown := set(given) - {*NAMES, *NUMBERS}:
        raise TypeError(f"record: fields {sorted(unknown)}; expected {NAMES + NUMBERS}")
    wanted = ((name, given.get(name)) for name in (*NAMES, *NUMBERS))
    return {name: v for name, v in wanted if v is not None or name == "value"}


def metric_records(
    metrics: Mapping[str, Any],
    classes: Mapping[str, Mapping[str, Any]] | None = None,
    **fields: Any,
) -> Iterator[Record]:
    """A record for each metric, and for each metric of each class.

    metrics: name -> a number, or its ``value``, ``low``, ``high``, ...; None is left out. classes:
    label -> metrics. fields: of all of them.
    """
    for group, entries in ((None, metrics), *(classes or {}).items()):
        for name, entry in entries.items():
            numbers = entry if isinstance(entry, Mapping) else {"value": entry}
            if entry is not None:
                yield record(name, **{**fields, "group": group, **numbers})


def write_report(
    path: Path, study: str, command: Mapping[str, Any], records: Iterable[Record],
    fold: bool = False, **details: Any,
) -> None:  # fmt: skip
    """Write a report, a record a line.

    study: what kind of question it answers. command: see `provenance`. details: what belongs to the
    whole report, such as ``weights_sha256``, ``interval``, or tables that figures are drawn from.
    fold: names that all records have alike are written once, as ``shared``; long reports are a
    third smaller by it. `unfolded` puts them back.
    """
    given = {name: value for name, value in details.items() if value is not None}
    rows = list(records)
    if fold and rows:
        alike = [name for name in NAMES if len({r.get(name) for r in rows}) == 1]
        shared = {name: rows[0][name] for name in alike if name in rows[0]}
        rows = [{name: v for name, v in r.items() if name not in shared} for r in rows]
        given["shared"] = shared
    content = {"study": study, **command, **given, "records": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(content), encoding="utf-8")


def unfolded(content: Mapping[str, Any]) -> list[Record]:
    """The records of a report that was read, each with what is shared."""
    return [{**content.get("shared", {}), **record} for record in content["records"]]


def provenance(module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """How a report was made: command, versions, date (UTC).

    arguments: as given on the command line. Places outside the project are private to a machine, so
    paths lose them: a file under ``$FER_CBAM_DATA`` is written so, any other by its name alone.
    """
    versions = {"fer_cbam": fer_cbam.__version__, "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in PACKAGES}
    words = " ".join(_public(word) for word in arguments)
    return {
        "command": f"python -m {module} {words}".rstrip(),
        "versions": versions,
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def _public(word: str) -> str:
    """A word of a command line without any place of this machine."""
    path = Path(word)
    if not path.is_absolute():
        return shlex.quote(path.name if ".." in path.parts else word)
    data = os.environ.get("FER_CBAM_DATA")
    if data and path.resolve().is_relative_to(Path(data).resolve()):
        inside = path.resolve().relative_to(Path(data).resolve())
        return f'"$FER_CBAM_DATA/{inside}"'
    if path.is_relative_to(Path.cwd()):
        return shlex.quote(str(path.relative_to(Path.cwd())))
    return shlex.quote(path.name)


def dumps(value: Any) -> str:
    """JSON with 6 decimals, null for NaN, and one line for each innermost list or object."""
    return _dump(value, "") + "\n"


def _dump(value: Any, indent: str) -> str:
    if not isinstance(value, dict | list | tuple) or _flat(value):
        return json.dumps(_plain(value), ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, dict):
        items = [f"{json.dumps(str(k))}: {_dump(v, inner)}" for k, v in value.items()]
        left, right = "{", "}"
    else:
        items = [_dump(v, inner) for v in value]
        left, right = "[", "]"
    return f"{left}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{right}"


def _flat(value: dict | list | tuple) -> bool:
    inside = value.values() if isinstance(value, dict) else value
    return not any(isinstance(v, dict | list | tuple) for v in inside)


def _plain(value: Any) -> Any:
    """NumPy scalars -> Python's, floats rounded, NaN -> None."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, DECIMALS)
    return value
