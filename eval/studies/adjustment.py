"""What each way to say labels gives and costs, on faces like those trained on and on others.

    python -m eval.studies.adjustment --weights fer_cbam_base.ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --cross-dataset ckplus48.zip \
        --out reports/ferplus/public/fer_cbam_base.ferplus

A third of FER+ is neutral and one face in a hundred disgust or contempt: a network learns to expect
that of everyone, which is best for accuracy, and worst for who shows something rare. The numbers of
``decision`` in config.json change that (:mod:`fer_cbam.decide`; :mod:`eval.operating_point` chooses
them), and a user may at run time (``prior=``). Here are the points that one may want:

- ``as released``: what the weights say.
- ``balance 0`` to ``balance 1``: the most probable label of a class mix between that of the
  calibrating faces and all labels alike, as ``prior=0`` to ``prior=1`` answers.
- ``neutral +0``, ``-0.5``, ``-1``: as released, with this shift of neutral.

Probabilities are the same at all of them. Faces of another data set stand beside, and choose
nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.calibrate import with_values
from eval.predict import jobs, predict, weights_sha256
from eval.records import Record, metric_records, provenance, write_report
from eval.report import measure, said_classes
from fer_cbam import data
from fer_cbam.errors import DataError, FerError, WeightsError

PROTOCOL = "public"
CROSS_PROTOCOL = "subject10"  # every image once
STUDY = "operating_points"
REPORT_FILE = f"{STUDY}.json"
RELEASED = "as released"
BALANCES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEUTRAL_SHIFTS = (0.0, -0.5, -1.0)
SHOWN = ("accuracy", "balanced_accuracy", "macro_precision")
NEUTRAL = "neutral"


def points(config: Mapping[str, Any], label_names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Name -> ``decision`` for a config.json.

    config: of the weights; without a ``decision`` of their own nothing is as released.
    """
    found: dict[str, dict[str, Any]] = {f"balance {b:g}": {"balance": b} for b in BALANCES}
    own = config.get("decision")
    if own is None:
        return found
    found = {RELEASED: dict(own), **found}
    if NEUTRAL in label_names:
        for shift in NEUTRAL_SHIFTS:
            shifts = {**own.get("shift", {}), NEUTRAL: shift}
            found[f"neutral {shift:+g}"] = {**own, "shift": shifts}
    return found


def run(args: argparse.Namespace) -> tuple[dict[str, str], list[Record]]:
    """SHA-256 of the weights, and what is reported."""
    dataset = data.load(args.data, votes=args.votes)
    asked = [(dataset, PROTOCOL)]
    if args.cross_dataset:
        other = data.load(args.cross_dataset)
        if other.name == dataset.name:
            raise DataError(f"--cross-dataset {other.name}; expected another data set")
        asked.append((other, CROSS_PROTOCOL))
    records: list[Record] = []
    sha256: dict[str, str] = {}
    for faces, protocol in asked:
        own = jobs(str(args.weights), faces, protocol)
        if len({id(job.backend) for job in own}) != 1:
            raise WeightsError(f"{args.weights}: {len(own)} sets of weights; expected one")
        predictions = predict(own, faces, protocol)
        sha256 = sha256 or weights_sha256(own)
        config = own[0].backend.config
        of = {key: predictions.attrs[key] for key in ("data", "protocol", "weights", "option")}
        for name, decision in points(config, own[0].backend.label_names).items():
            side = with_values(predictions, config, {"decision": decision})
            measured = measure(side)
            metrics = {key: float(measured[key]) for key in SHOWN}
            records += metric_records(
                metrics, said_classes(side), condition=name, n=len(predictions), **of
            )
    return sha256, records


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.adjustment", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="weights, released or of a run")
    add("--data", type=Path, required=True, help="FER2013")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--cross-dataset", type=Path, help="another data set, shown beside")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)
    try:
        sha256, records = run(args)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    command = provenance("eval.studies.adjustment", arguments)
    write_report(args.out / REPORT_FILE, STUDY, command, records, weights_sha256=sha256)
    for r in records:
        if "group" not in r:
            place = f"{r['data']} {r.get('condition', '')}"
            print(f"{place:26}  {r['metric']} {r['value']:.4f}")


if __name__ == "__main__":
    main()
