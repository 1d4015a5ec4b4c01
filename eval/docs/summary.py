"""Collect every committed report into one flat map, ``reports/summary.json``.

    python -m eval.docs.summary [--check]

Keys are ``<data>.<protocol>.<weights>.<option>.<metric>``; each value has ``value``, ``low`` and
``high`` (95 % interval, null where there is none), ``n`` (predictions) and ``command``, and where
there are several splits ``mean`` and ``sd`` over them. Metrics are those of ``metrics.json``, the
recall of each class as ``recall_<label>``, and ``sequence_overlap``. What a camera delivers stands
under the option ``camera_<condition>``, what answering for balanced accuracy does under
``balance_<percent>``, the rows of an ablation under ``<plan>_<row>`` (means over runs, and
differences to the first row), human raters under the weights ``one_rater``, plain counts (twins,
training cost) under the protocol ``all`` or ``training``. Times of ``benchmarks`` stand under the
data ``faces`` and ``frame``, with the ``processor`` they were taken on; there ``n`` counts rounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.report import dumps
from eval.studies import ablation
from fer_cbam.errors import DataError, FerError

REPORTS = Path(__file__).parents[2] / "reports"
SUMMARY_FILE = "summary.json"
REPORT_FILES = (
    "metrics.json", "baselines.json", "raters.json", "camera.json", "twins.json", "cost.json",
    "adjustment.json", "speed.json",
)  # fmt: skip
ABLATION = "ablation"  # folder of the reports of train.ablate

Entry = Mapping[str, Any]


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: unreadable, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable JSON file ({error})") from error


def collect(reports: Path) -> dict[str, Entry]:
    """Read all reports below a folder; sorted by key.

    Raises:
        DataError: a report that is no report of ours, or two that say something of the same key.
    """
    summary: dict[str, Entry] = {}
    source: dict[str, Path] = {}
    found = [p for name in REPORT_FILES for p in reports.rglob(name)]
    for path in sorted([*found, *reports.glob(f"{ABLATION}/*.json")]):
        for key, entry in _entries(path):
            if key in summary:
                raise DataError(f"{path} and {source[key]}: both report {key}; expected one")
            summary[key], source[key] = entry, path
    return dict(sorted(summary.items()))


def _entries(path: Path) -> Iterator[tuple[str, Entry]]:
    content = read_json(path)
    try:
        if "plan" in content:
            yield from ablation.entries(content)
            return
        if "speed" in content:
            yield from _of_speed(content)
            return
        if "counts" in content:
            yield from _of_counts(content)
            return
        reports = content.get("reports") or content.get("baselines") or {"": content}
        for report in reports.values():
            yield from _of_report(report, content["command"])
    except (KeyError, AttributeError) as error:
        raise DataError(f"{path}: no report of eval ({error} is missing)") from error


def _of_counts(content: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    prefix = f"{content['data']}.{content['protocol']}.{content['weights']}.plain"
    for name, value in content["counts"].items():
        entry = {"value": value, "low": None, "high": None}
        yield f"{prefix}.{name}", {**entry, "n": content["n"], "command": content["command"]}


def _of_speed(content: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    common = {"low": None, "high": None, "n": content["n"], "command": content["command"],
              "processor": content["processor"]}  # fmt: skip
    for prefix, metrics in content["speed"].items():
        for name, value in metrics.items():
            yield f"{prefix}.{name}", {"value": value, **common}


def _of_report(report: Mapping[str, Any], command: str) -> Iterator[tuple[str, Entry]]:
    parts = [report[key] for key in ("data", "protocol", "weights", "option")]
    if any("." in part for part in parts):
        raise DataError(f"names {parts}: expected none with a '.', which parts the keys")
    prefix = ".".join(parts)
    metrics = dict(report["metrics"])
    for label, values in report["classes"].items():
        metrics[f"recall_{label}"] = values["recall"]
    if report["sequence_overlap"] is not None:
        metrics["sequence_overlap"] = {
            "value": report["sequence_overlap"], "low": None, "high": None,
        }  # fmt: skip
    for name, values in metrics.items():
        yield f"{prefix}.{name}", {**values, "n": report["n"], "command": command}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.docs.summary", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    args = parser.parse_args(argv)
    path = REPORTS / SUMMARY_FILE
    try:
        text = dumps(collect(REPORTS))
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    if not args.check:
        path.write_text(text, encoding="utf-8")
    elif not path.is_file() or path.read_text(encoding="utf-8") != text:
        raise SystemExit(f"reports/{SUMMARY_FILE} is not what the reports say; expected: "
                         "python -m eval.docs.summary, then commit it")  # fmt: skip


if __name__ == "__main__":
    main()
