"""The files of a report."""

from __future__ import annotations

from pathlib import Path

REPORT_FILE, PAGE_FILE, PARTS = "trust.json", "trust.html", "sections"


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
