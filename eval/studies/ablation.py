"""What a plan of ``train.ablate`` has measured: for the summary, and as tables for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eval.docs import titles

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "accuracy_without_twins": "accuracy without twins",
}
STRANGER = "stranger "
HELD_OUT = "held_out"
LEVEL = 0.95


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, and standard deviation between runs (None of one)."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd, "n": len(values)}


def difference(values: Sequence[float]) -> dict[str, Any]:
    """Mean of paired differences with its 95 % interval by Student's t (None of one pair)."""
    from scipy import stats

    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return {"mean": mean, "low": None, "high": None, "n": n}
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}


def compare(rows: dict[str, Any], first: str) -> None:
    """Add means to every row, and its difference to the first one, run by run of the same split
    and seed. rows: name -> ``{"runs": [{"split", "seed", <data>: {<metric>: ...}}]}``, in place."""
    reference = {(run["split"], run["seed"]): run for run in rows.get(first, {"runs": []})["runs"]}
    for name in rows:
        runs = {(run["split"], run["seed"]): run for run in rows[name]["runs"]}
        shared = [key for key in runs if key in reference]
        for measured in [k for k in rows[name]["runs"][0] if k not in ("split", "seed")]:
            cell = rows[name][measured] = {}
            for metric in [m for m in METRICS if all(m in run[measured] for run in runs.values())]:
                cell[metric] = spread([run[measured][metric] for run in runs.values()])
                if (
                    name != first
                    and shared
                    and all(metric in reference[k][measured] for k in shared)
                ):
                    cell[metric]["difference"] = difference(
                        [runs[k][measured][metric] - reference[k][measured][metric] for k in shared]
                    )


def slug(name: str) -> str:
    """A row's name as part of a key: without what parts keys."""
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def entries(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Keys and values for the summary: of each row the mean, and its difference to the first."""
    for row, of in content["rows"].items():
        for measured in _measured(content):
            data, weights = measured, content["weights"]
            if measured.startswith(STRANGER):
                data = measured.removeprefix(STRANGER)
                weights = f"{weights}-{_measured(content)[0]}"
            prefix = f"{data}.{content['protocol']}.{weights}.{content['plan']}_{slug(row)}"
            for metric, cell in of.get(measured, {}).items():
                common = {"n": cell["n"], "command": content["command"]}
                yield f"{prefix}.{metric}", {
                    "value": cell["mean"], "low": None, "high": None, "sd": cell["sd"], **common,
                }  # fmt: skip
                if "difference" in cell:
                    gap = cell["difference"]
                    yield f"{prefix}.{metric}_difference", {
                        "value": gap["mean"], "low": gap["low"], "high": gap["high"], **common,
                    }  # fmt: skip


def _measured(content: Mapping[str, Any]) -> list[str]:
    """The data sets of the first row; others may have learnt fewer heads."""
    first = next(iter(content["rows"].values()))
    return [key for key in first if key not in ("set", "runs")]


def _metrics(content: Mapping[str, Any], measured: str) -> list[str]:
    """What any row has of a data set."""
    return [m for m in METRICS if any(m in of.get(measured, {}) for of in content["rows"].values())]


def markdown(content: Mapping[str, Any]) -> str:
    """A table with a row for each row of the plan."""
    header = ["%, mean \u00b1 sd of runs; in brackets the difference to the first row", "runs"]
    for measured in _measured(content):
        data = measured.removeprefix(STRANGER)
        name = titles.DATA[data] + (", never seen" if measured.startswith(STRANGER) else "")
        header += [f"{name}: {METRICS[metric]}" for metric in _metrics(content, measured)]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for row, of in content["rows"].items():
        cells = [_cell(of.get(measured, {}).get(metric)) for measured in _measured(content)
                 for metric in _metrics(content, measured)]  # fmt: skip
        lines.append([row, str(len(of["runs"])), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(contents: Sequence[Mapping[str, Any]]) -> str:
    """All plans, a section each."""
    sections = [
        "# Ablations\n\nWritten by `python -m eval.docs.render` from the reports in this folder. "
        "Measured is where choosing is allowed: PublicTest of FER2013, or subjects held out of "
        "training sides. Intervals are 95 % (Student's t, paired by split and seed)."
    ]
    for content in contents:
        where = "held out of the training side" if content["protocol"] == HELD_OUT else ""
        where = where or titles.PROTOCOLS[content["protocol"]]
        sections.append(
            f"## {content['plan']}: `{content['weights']}`, {where}\n\n{markdown(content)}\n\n"
            f"`{content['command']}`"
        )
    return "\n\n".join(sections) + "\n"


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "\u2013"
    text = f"{100 * cell['mean']:.1f}"
    if cell["sd"] is not None:
        text += f" \u00b1 {100 * cell['sd']:.1f}"
    gap = cell.get("difference")
    if gap is None:
        return text
    text += f" ({100 * gap['mean']:+.1f}"
    if gap["low"] is not None:
        text += f": {100 * gap['low']:+.1f} to {100 * gap['high']:+.1f}"
    return text + ")"
