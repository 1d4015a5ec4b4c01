"""Two sets of weights side by side: ``compare.json`` and one page, ``compare.html``.

    python -m eval trust compare reports/trust/mine reports/trust/fer_cbam_base.ferplus \
        --out reports/trust/mine-and-base

A and B are folders of :mod:`eval.trust.run`, of the same data and protocol. A difference is B less
A. Where both reports kept their sections (``sections/*.records``), it is taken face by face on the
faces that both were asked about, with a paired bootstrap over persons or images; elsewhere, as of
an ECE, it stands without an interval.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from eval.bootstrap import bootstrap
from eval.figures import RC
from eval.records import Record, provenance, record, unfolded, write_report
from eval.trust import page
from eval.trust.section import FaceValues, Section
from eval.trust.sections import SECTIONS
from eval.trust.store import PARTS, REPORT_FILE, write_whole
from fer_cbam.errors import DataError, FerError

STUDY = "trust comparison"
JSON_FILE, PAGE_FILE = "compare.json", "compare.html"
DIFFERENCE = "B less A"
MOST_DRAWN = 40  # rows of a figure
Key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Report:
    """One side. records: by what they are of, the weights left out. faces: the same, for what is
    known of each face."""

    weights: str
    data: str
    protocol: str
    records: dict[Key, Record]
    faces: dict[Key, FaceValues]
    weights_sha256: str


@dataclass(frozen=True, eq=False)
class Row:
    """One number of both. n: faces that the difference is paired over, None where it is not."""

    fields: dict[str, Any]
    a: float
    b: float
    difference: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def title(self) -> str:
        """What it is of, in words."""
        fields = ("condition", "group", "option")
        own = [str(self.fields[f]) for f in fields if self.fields.get(f) is not None]
        metric = str(self.fields["metric"])
        return (f"{metric}: {', '.join(own)}" if own else metric).replace("_", " ")

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m eval trust compare", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("a", type=Path, metavar="A", help="folder of a report, or its trust.json")
    add("b", type=Path, metavar="B", help="folder of another, of the same data and protocol")
    add("--out", type=Path, required=True, help=f"folder for {JSON_FILE} and {PAGE_FILE}")
    args = parser.parse_args(argv)
    try:
        write(read(args.a), read(args.b), args.out, provenance("eval", ["trust", "compare", *argv]))
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    print(args.out / PAGE_FILE)


def read(place: Path) -> Report:
    """A report, and of its sections what they kept of each face.

    Raises:
        DataError: no report of ``python -m eval trust``.
    """
    path = place / REPORT_FILE if place.is_dir() else place
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        records, sha = unfolded(content), str(content["weights_sha256"])
        first = records[0]
        names = [str(first[name]) for name in ("weights", "data", "protocol")]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path}: {type(error).__name__}: {error}; expected a report of "
                        "'python -m eval trust'") from error  # fmt: skip
    faces: dict[Key, FaceValues] = {}
    for part in sorted((path.parent / PARTS).glob("*.records")):
        kept = json.loads(part.read_text(encoding="utf-8"))
        if kept["key"].get("weights_sha256") == sha:
            faces |= {_key(entry["fields"]): entry for entry in kept.get("faces", [])}
    by_key = {_key(r): r for r in records if r.get("value") is not None}
    return Report(names[0], names[1], names[2], by_key, faces, sha)


def _key(fields: dict[str, Any]) -> Key:
    names = ("metric", "condition", "option", "group")
    return tuple((name, fields[name]) for name in names if fields.get(name) is not None)


def compare(a: Report, b: Report, sections: Iterable[Section]) -> list[tuple[Section, list[Row]]]:
    """Of each section the numbers that both have and that a comparison shows.

    Raises:
        DataError: reports of other faces.
    """
    if (a.data, a.protocol) != (b.data, b.protocol):
        raise DataError(f"reports of {a.data} ({a.protocol}) and {b.data} ({b.protocol}); expected "
                        "two of the same data and protocol")  # fmt: skip
    found, taken = [], set[Key]()
    for section in sections:
        keys = [k for k, r in a.records.items()
                if k in b.records and k not in taken and section.compared(r)]  # fmt: skip
        taken |= set(keys)
        if keys:
            found.append((section, [_row(k, a, b) for k in keys]))
    return found


def _row(key: Key, a: Report, b: Report) -> Row:
    paired = _paired(a.faces.get(key), b.faces.get(key))
    if paired is None:
        first, second = (float(side.records[key]["value"]) for side in (a, b))
        return Row(dict(key), first, second, second - first)
    table, values = paired
    lost = values[:, 1] - values[:, 0]
    low, high = bootstrap(table, lambda _, weights: _mean(lost, weights))
    first, second = values.mean(0)
    return Row(dict(key), float(first), float(second), float(lost.mean()), float(low), float(high),
               len(lost))  # fmt: skip


def _mean(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    assert weights is not None
    return np.asarray(values @ weights / weights.sum(0))


def _paired(a: FaceValues | None, b: FaceValues | None) -> tuple[pd.DataFrame, np.ndarray] | None:
    """The faces that both were asked about, and their values ``(N, 2)``; None where there are fewer
    than two."""
    if a is None or b is None:
        return None
    columns = ("sample_ids", "subject_ids", "values")
    sides = [pd.DataFrame({c: side[c] for c in columns}).set_index("sample_ids") for side in (a, b)]
    both = sides[0].join(sides[1]["values"].rename("values of B"), how="inner")
    if len(both) < 2:
        return None
    table = pd.DataFrame({"sample_id": both.index.to_numpy(),
                          "subject_id": both["subject_ids"].to_numpy(object)})  # fmt: skip
    return table, both[["values", "values of B"]].to_numpy(float)


def write(a: Report, b: Report, out: Path, made: dict[str, Any]) -> None:
    """Both files. made: see :func:`eval.records.provenance`."""
    compared = compare(a, b, SECTIONS)
    if not compared:
        raise DataError(f"{a.weights} and {b.weights}: their reports have no section in common")
    records = [r for _, rows in compared for row in rows for r in _records(row, a, b)]
    write_report(out / JSON_FILE, STUDY, made, records,
                 weights_sha256={"A": a.weights_sha256, "B": b.weights_sha256})  # fmt: skip
    title = f"A: {a.weights}, B: {b.weights}, on {a.data} ({a.protocol})"
    parts = [(section.name, section.title, html(rows)) for section, rows in compared]
    write_whole(out / PAGE_FILE, page.page(title, made, parts))


def _records(row: Row, a: Report, b: Report) -> Iterator[Record]:
    of = {**row.fields, "data": a.data, "protocol": a.protocol}
    metric = of.pop("metric")
    yield record(metric, row.a, weights=f"A: {a.weights}", **of)
    yield record(metric, row.b, weights=f"B: {b.weights}", **of)
    yield record(metric, row.difference, weights=DIFFERENCE, low=row.low, high=row.high, n=row.n,
                 **of)  # fmt: skip


def html(rows: Sequence[Row]) -> str:
    """A figure and a table of one section."""
    clear = sum(row.clear for row in rows)
    paired = sum(row.n is not None for row in rows)
    said = f"{len(rows)} numbers in common, {paired} of them paired face by face"
    said += f"; {clear} of these differ clear of zero (95 %)." if paired else "."
    cells = [
        [row.title, f"{row.a:.3f}", f"{row.b:.3f}", _difference(row), str(row.n or page.DASH)]
        for row in rows
    ]
    shown = [row for row in rows if row.n is not None] or rows  # else of scales of their own
    drawn = page.figure(_drawn(shown[:MOST_DRAWN]), "A and B side by side, and B less A")
    header = ["", "A", "B", DIFFERENCE, "faces of both"]
    return page.paragraph(said) + drawn + page.table(header, cells)


def _difference(row: Row) -> str:
    return page.number({"value": row.difference, "low": row.low, "high": row.high}, "+.3f")


def _drawn(rows: Sequence[Row]) -> Figure:
    places = np.arange(len(rows))[::-1]
    with rc_context(RC):
        drawn = Figure(figsize=(9, 0.26 * len(rows) + 1.1), layout="constrained")
        left, right = drawn.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        left.hlines(places, [r.a for r in rows], [r.b for r in rows], color="#bbbbbb", zorder=0)
        left.plot([r.a for r in rows], places, "o", color="#4477AA", label="A")
        left.plot([r.b for r in rows], places, "s", color="#CC6677", label="B")
        left.set_yticks(places, [row.title for row in rows])
        left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        right.axvline(0, color="#777777", linewidth=0.8)
        for place, row in zip(places, rows, strict=True):
            known = row.low is not None and row.high is not None
            ends = [row.low, row.high] if known else [row.difference] * 2
            colour = "#222222" if row.clear else "#999999"
            right.plot(ends, [place, place], color=colour, linewidth=1.6)
            right.plot(row.difference, place, "D" if known else "x", color=colour, markersize=4)
        right.set_xlabel(DIFFERENCE)
    return drawn
