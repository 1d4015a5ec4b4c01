"""``fer-cbam report``: a page about the results of ``fer-cbam batch``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    report = commands.add_parser("report", help="write a page about the results of batch")
    report.add_argument("results", type=Path, metavar="DIR", help="that fer-cbam batch wrote")
    report.add_argument(
        "--out", type=Path, metavar="HTML", help="default: the name of DIR with .html"
    )
    report.add_argument(
        "--examples", type=int, default=0, metavar="N", help="show N faces of each expression"
    )
    report.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from fer_cbam.batch.report import write_report

    results = args.results.resolve()
    page = args.out or results.with_name(f"{results.stem}.html")
    counts = write_report(results, page, args.examples)
    print(f"{page}: {counts.images} images, {counts.faces} faces")
    return 0
