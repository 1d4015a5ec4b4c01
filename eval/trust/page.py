"""The report as one HTML page that needs no other file: tables, figures, sections."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from eval.figures import RC
from eval.records import Record

DASH = "\u2013"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; display: block;
  overflow-x: auto }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
img, svg { max-width: 100% }
pre { overflow-x: auto; background: #f4f4f4; padding: 0.7rem }
"""


def page(
    title: str, provenance: Mapping[str, Any], sections: Sequence[tuple[str, str, str]]
) -> str:
    """The whole page. provenance: see :func:`eval.records.provenance`. sections: of each its name,
    its title and its HTML."""
    links = "".join(f'<li><a href="#{name}">{escape(head)}</a></li>' for name, head, _ in sections)
    parts = [
        f'<section id="{name}"><h2>{escape(head)}</h2>\n{html}</section>'
        for name, head, html in sections
    ]
    made = f"{provenance['command']}\n{provenance['date']}, " + ", ".join(
        f"{name} {version}" for name, version in provenance["versions"].items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1><ul>{links}</ul>\n" + "\n".join(parts) + f"\n<h2>How it was made"
        f"</h2><pre>{escape(made)}</pre>\n</body></html>\n"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>\n"


def figure(drawn: Figure, alt: str) -> str:
    """A figure inside the page. alt: what it shows, for who does not see it."""
    out = io.BytesIO()
    with rc_context(RC):
        drawn.savefig(out, dpi=110, format="png", metadata={"Software": None})
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">\n'


def number(record: Record | None, spec: str = ".3f") -> str:
    """``0.123 (0.100 to 0.140)``; a dash where there is no value."""
    if record is None or record.get("value") is None:
        return DASH
    shown = format(record["value"], spec)
    if record.get("low") is None:
        return shown
    return f"{shown} ({format(record['low'], spec)} to {format(record['high'], spec)})"


def find(records: Sequence[Record], **where: Any) -> Record | None:
    """The first record whose fields are as named (None: absent), None where there is none."""
    return next(
        (r for r in records if all(r.get(name) == value for name, value in where.items())), None
    )
