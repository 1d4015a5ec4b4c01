"""A folder of results -> one page of HTML that needs nothing else.

It shows counts, confidence, failures, and faces to look at, if asked.
"""

from __future__ import annotations

import base64
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam.batch.archives import content
from fer_cbam.batch.counts import BINS, Counts, Example, read_counts
from fer_cbam.batch.inputs import MARK
from fer_cbam.images import decode_image

EXAMPLE_SIDE = 96  # pixels
AROUND = 0.25  # of a box, that is shown on each side
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;
margin:2rem auto;padding:0 1rem;color:#1c2333}
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2.2rem}
p{margin:.4rem 0;color:#4b5468}table{border-collapse:collapse;width:100%}
th{text-align:right;font-weight:600;color:#4b5468}td{text-align:right;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid #e4e7ee}
th:first-child,td:first-child{text-align:left;padding-left:0}
td.bar{width:38%;text-align:left}td.bar i{display:inline-block;height:.8rem;background:#4553c8}
td.bar i.pale{background:#b9c0ee}td.path{text-align:left;font-size:.85rem;word-break:break-all}
.big{display:flex;gap:2.5rem;flex-wrap:wrap;margin:1.2rem 0}.big b{display:block;font-size:1.7rem}
figure{display:inline-block;margin:.2rem}figure img{border-radius:4px;display:block}
figcaption{font-size:.75rem;color:#4b5468}
"""


def write_report(folder: str | Path, page: str | Path, examples: int = 0) -> Counts:
    """Write the page. examples: faces of each expression that are shown; their images are read
    again. Returns what it counts.

    Raises:
        BatchError: no results there.
    """
    counts, faces = read_counts(Path(folder), examples)
    sheet = [(label, list(_shown(chosen))) for label, chosen in sorted(faces.items())]
    html = _html(Path(folder).name, counts, _job(Path(folder)), sheet)
    Path(page).write_text(html, encoding="utf-8")
    return counts


def _shown(chosen: list[Example]) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows with a picture as a data URL, the surest first; without those that are gone."""
    for example in sorted(chosen, key=lambda example: -example.row["confidence"]):
        row = example.row
        try:
            image = decode_image(content(row["source"], row["member"] or ""))
        except Exception:  # of whatever kind: a report is made of what is there
            continue
        yield row, _picture(image, [row[name] for name in ("x1", "y1", "x2", "y2")])


def _picture(image: np.ndarray, box: list[float]) -> str:
    from PIL import Image

    x1, y1, x2, y2 = box
    half = (0.5 + AROUND) * max(x2 - x1, y2 - y1)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    face = Image.fromarray(image).crop((
        round(x - half), round(y - half), round(x + half), round(y + half)
    ))  # fmt: skip
    file = io.BytesIO()
    face.resize((EXAMPLE_SIDE, EXAMPLE_SIDE)).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _job(folder: Path) -> dict[str, str]:
    """What the rows were made with; nothing, where only the parts are there."""
    path = (folder / MARK).resolve()
    if not path.is_file():
        return {}
    # Immutable: what is read never changes, and a run that is at work has the file locked.
    with sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True) as db:
        return dict(db.execute("SELECT name, value FROM job"))


def _html(
    title: str, counts: Counts, job: dict[str, str],
    sheet: list[tuple[str, list[tuple[dict[str, Any], str]]]],
) -> str:  # fmt: skip
    made = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in job.items())
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(made)}</p>", _totals(counts), _labels(counts),
        _confidence(counts), _named("Reasons to trust less", counts.cautions, counts.faces),
        _failures(counts), _sheet(sheet),
    ]  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style>{''.join(parts)}</html>\n"
    )


def _totals(counts: Counts) -> str:
    said = (
        (counts.images, "images"), (counts.faces, "faces"), (counts.none, "without a face"),
        (counts.no_face, "boxes that are no face"), (counts.failed.total(), "failed"),
    )  # fmt: skip
    cells = "".join(f"<div><b>{number:,}</b>{text}</div>" for number, text in said)
    return f'<div class="big">{cells}</div>'


def _labels(counts: Counts) -> str:
    total = counts.said.total()
    largest = max(counts.said.values(), default=1)
    rows = []
    for label in sorted(counts.expected, key=lambda label: (-counts.said[label], label)):
        said, unsure = counts.said[label], counts.uncertain[label]
        wide = 95 * (said - unsure) / largest
        bar = f'<i style="width:{wide:.1f}%"></i><i class="pale" style="width:{95 * unsure / largest:.1f}%"></i>'  # noqa: E501
        margin = 1.96 * counts.variance[label] ** 0.5
        rows.append(
            f'<tr><td>{escape(label)}</td><td class="bar">{bar}</td><td>{said:,}</td>'
            f"<td>{_share(said, total)}</td><td>{unsure:,}</td>"
            f"<td>{counts.expected[label]:,.0f} ± {margin:,.0f}</td></tr>"
        )
    return (
        "<h2>Expressions</h2><table><tr><th>said</th><th></th><th>faces</th><th>share</th>"
        f"<th>uncertain</th><th>expected</th></tr>{''.join(rows)}</table>"
        "<p>Pale: answers that are uncertain. Expected is the sum of the calibrated probabilities, "
        "with 1.96 standard deviations as if faces were independent. It counts better than labels "
        "do, as far as the faces are like those that the weights were calibrated on.</p>"
    )


def _confidence(counts: Counts) -> str:
    names = [f"{i / BINS:.1f} to {(i + 1) / BINS:.1f}" for i in range(BINS)]
    faces = {name: int(n) for name, n in zip(names, counts.confidences, strict=True) if n}
    return _named("Confidence of the answer", faces, counts.said.total(), in_order=True)


def _named(
    title: str, numbers: Counter[str] | dict[str, int], total: int, in_order: bool = False
) -> str:
    if not numbers:
        return ""
    names = list(numbers) if in_order else sorted(numbers, key=lambda name: -numbers[name])
    largest = max(numbers.values())
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="bar"><i style="width:'
        f'{95 * numbers[name] / largest:.1f}%"></i></td><td>{numbers[name]:,}</td>'
        f"<td>{_share(numbers[name], total)}</td></tr>"
        for name in names
    )
    return (
        f"<h2>{title}</h2><table><tr><th></th><th></th><th>faces</th><th>share</th></tr>"
        f"{rows}</table>"
    )


def _failures(counts: Counts) -> str:
    if not counts.failed:
        return ""
    rows = "".join(
        f'<tr><td>{escape(kind)}</td><td>{number:,}</td><td class="path">'
        f"{escape(counts.examples[kind])}</td></tr>"
        for kind, number in counts.failed.most_common()
    )
    return (
        "<h2>What could not be read</h2><table><tr><th>kind</th><th>inputs</th>"
        f'<th style="text-align:left">the first of them</th></tr>{rows}</table>'
    )


def _sheet(sheet: list[tuple[str, list[tuple[dict[str, Any], str]]]]) -> str:
    found = []
    for label, shown in sheet:
        figures = "".join(
            f'<figure><img src="{picture}" width="{EXAMPLE_SIDE}" height="{EXAMPLE_SIDE}" '
            f'alt="{escape(label)}" title="{escape(_place(row), quote=True)}">'
            f"<figcaption>{row['confidence']:.2f}{' ?' if row['uncertain'] else ''}</figcaption>"
            "</figure>"
            for row, picture in shown
        )
        found.append(f"<h3>{escape(label)}</h3>{figures}")
    if not found:
        return ""
    note = "<p>Drawn by lot, the surest first; a question mark where the answer is uncertain.</p>"
    return f"<h2>Examples</h2>{note}{''.join(found)}"


def _place(row: dict[str, Any]) -> str:
    return json.dumps([row["source"], row["member"]]) if row["member"] else str(row["source"])


def _share(number: int, total: int) -> str:
    return f"{100 * number / total:.1f} %" if total else "-"
