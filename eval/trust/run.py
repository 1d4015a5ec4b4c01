"""Can these weights be trusted? One report: ``trust.json`` and one page, ``trust.html``.

    python -m eval trust --weights fer_cbam_base.ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --protocol public --out reports/trust/fer_cbam_base.ferplus

The records of each section are written when it is done (``sections/<name>.records``), and read from
there by a later run of the same weights, faces, options and code: one that was stopped goes on
where it was, inside a long section too, and ends with the same report. ``python -m eval trust
compare`` sets two reports side by side, see :mod:`eval.trust.compare`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import fer_cbam
from eval.records import Record, dumps, provenance, write_report
from eval.trust import compare
from eval.trust.page import page
from eval.trust.section import Section, Subject
from eval.trust.sections import SECTIONS
from eval.trust.sources import digest
from eval.trust.store import PAGE_FILE, PARTS, REPORT_FILE, write_whole
from eval.trust.subject import open_subject
from fer_cbam.backends.base import BACKENDS
from fer_cbam.data.protocols import PROTOCOLS
from fer_cbam.errors import FerError

STUDY = "trust"


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["compare"]:
        return compare.main(arguments[1:])
    started = time.monotonic()
    args = parse_arguments(arguments)
    sections = [s for s in SECTIONS if not args.only or s.name in args.only]
    try:
        subject = open_subject(args.weights, args.data, args.protocol, args.votes, args.quick,
                               args.backend, args.name, args.shuffled_labels)  # fmt: skip
        made = provenance("eval", ["trust", *arguments])
        report(subject, sections, args.out, made)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    used = os.times()
    print(f"{args.out / PAGE_FILE}, {time.monotonic() - started:.0f} s, "
          f"{used.user + used.system:.0f} s of processor time")  # fmt: skip


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval trust", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="<arch.tag>, a folder, or hf-hub:id")
    add("--data", type=Path, required=True, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--protocol", default="public", choices=PROTOCOLS)
    add("--out", type=Path, required=True, help="folder for the report")
    add("--quick", action="store_true", help="100 faces")
    add("--backend", default="torch", choices=BACKENDS, help="what runs the network")
    add("--name", help="name of the weights in the report (default: architecture and data)")
    add("--shuffled-labels", metavar="WEIGHTS", help="weights that learnt shuffled labels, for the "
        "section sanity; see eval/studies/shuffled_labels.py")  # fmt: skip
    add("--only", nargs="+", default=[], choices=[s.name for s in SECTIONS], metavar="SECTION",
        help=", ".join(s.name for s in SECTIONS))  # fmt: skip
    return parser.parse_args(argv)


def report(
    subject: Subject, sections: Sequence[Section], out: Path, made: dict[str, Any]
) -> list[Record]:
    """Measure what is not measured yet, and write the report of all of it."""
    key = fingerprint(subject)
    found = []
    for section in (bar := tqdm(sections, desc="trust", disable=None)):
        bar.set_postfix_str(section.name)
        path = out / PARTS / f"{section.name}.records"
        found.append((section, part(section, subject, path, key)))
    records = [record for _, part_records in found for record in part_records]
    write_report(
        out / REPORT_FILE, STUDY, made, records, fold=True, weights_sha256=key["weights_sha256"]
    )
    title = f"{subject.weights} on {subject.data} ({subject.protocol}), {len(subject.table)} faces"
    parts = [(section.name, section.title, section.html(own)) for section, own in found]
    write_whole(out / PAGE_FILE, page(title, made, parts))
    return records


def part(section: Section, subject: Subject, path: Path, key: dict[str, Any]) -> list[Record]:
    """The records of a section: those of an earlier run with the same key and of the same code,
    else measured."""
    key = {**key, "code": digest(getattr(section, "__name__", section.name))}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["key"] == key:
            return list(known["records"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or one that another program left: measured anew
    subject.kept.clear()
    short = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    store = path.parent / f"{section.name}-{short}"
    records = section.measure(replace(subject, store=store))
    write_whole(path, dumps({"key": key, "records": records, "faces": subject.kept}))
    shutil.rmtree(store, ignore_errors=True)
    return list(json.loads(path.read_text(encoding="utf-8"))["records"])


def fingerprint(subject: Subject) -> dict[str, Any]:
    """What the records depend on."""
    pixels = b"".join(np.ascontiguousarray(crop).tobytes() for crop in subject.crops)
    return {
        "version": fer_cbam.__version__,
        "weights": subject.weights,
        "weights_sha256": _sha256(subject.backend.weights_file),
        "backend": type(subject.backend).__name__,
        "config": zlib.crc32(json.dumps(subject.backend.config, sort_keys=True).encode()),
        "data": subject.data,
        "protocol": subject.protocol,
        "faces": len(subject.samples),
        "pixels": zlib.crc32(pixels),
        "labels": zlib.crc32("".join(s.label for s in subject.samples).encode()),
        "votes": subject.votes is not None,
        "quick": subject.quick,
        "seed": subject.seed,
        "shuffled": subject.shuffled and _sha256(subject.shuffled.weights_file),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
