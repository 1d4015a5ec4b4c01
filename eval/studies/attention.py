"""Does attention make a network robust? Two of equal budget, one without CBAM, on spoilt faces.

    python -m train --config eval/studies/attention.yaml --data fer2013.csv.zip \
        --votes fer2013new.csv --protocol public --out runs/cbam
    python -m train --config eval/studies/attention.yaml --data fer2013.csv.zip \
        --votes fer2013new.csv --protocol public --out runs/plain \
        --set 'model_args.attention=["", "", "", ""]'
    python -m eval.studies.attention --cbam runs/cbam/public --plain runs/plain/public \
        --data fer2013.csv.zip --votes fer2013new.csv --out reports/robustness

Faces of PublicTest, corruptions and the SVM on HOG are those of :mod:`eval.trust.robustness`.
``<metric>_change`` is CBAM less none, paired face by face. The networks say the largest logit: they
have no calibration.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from eval.bootstrap import bootstrap
from eval.records import Record, provenance, write_report
from eval.trust import robustness as r
from eval.trust.section import Subject
from eval.trust.subject import open_subject
from fer_cbam.errors import FerError, WeightsError

STUDY = "attention"
REPORT_FILE = f"{STUDY}.json"
PROTOCOL = "public"
CBAM, PLAIN = "with CBAM", "without CBAM"


def measure(cbam: Subject, plain: Subject) -> list[Record]:
    """Records of both networks and of the SVM, and of what CBAM changes.

    Raises:
        WeightsError: networks that differ in more than attention.
    """
    check_twins(cbam, plain)
    samples = r.drawn(cbam)
    methods = [r.network(s, samples) for s in (cbam, plain)]
    svm = r.hog_svm(cbam, samples)
    runs = r.spoilt_runs(cbam, samples, methods + ([svm] if svm else []))
    records: list[Record] = []
    for subject, run in zip((cbam, plain), runs, strict=False):
        records += r.run_records(subject, samples, run)
    for run in runs[2:]:
        records += r.run_records(cbam, samples, run, r.BASELINE)
    return records + list(changes(cbam, samples, runs[0], runs[1]))


def check_twins(cbam: Subject, plain: Subject) -> None:
    """Refuse networks whose difference may come from something else.

    Raises:
        WeightsError: another recipe but for ``attention``, or the same attention.
    """
    recipes = [dict(s.backend.config["training"]["recipe"]) for s in (cbam, plain)]
    found = []
    for recipe in recipes:
        stages = [dict(stage) for stage in recipe["stages"]]
        arguments = [dict(stage.pop("model_args")) for stage in stages]
        found.append([own.pop("attention", None) for own in arguments])
        recipe["stages"] = [{**s, "model_args": own} for s, own in zip(stages, arguments,
                                                                       strict=True)]  # fmt: skip
    if recipes[0] != recipes[1] or found[0] == found[1]:
        raise WeightsError(f"{cbam.backend.name}, {plain.backend.name}: attention {found}; "
                           "expected two, and all else of the recipe alike")  # fmt: skip


def changes(
    subject: Subject, samples: Sequence[r.Sample], cbam: r.Run, plain: r.Run
) -> Iterator[Record]:
    """What CBAM changes, with 95 % intervals of the difference on the same faces."""
    values = r.summary(cbam, None) - r.summary(plain, None)
    low, high = bootstrap(
        r.rows_of(samples), lambda _, counts: r.summary(cbam, counts) - r.summary(plain, counts)
    )
    for (condition, metric), *ends in zip(r.summary_names(cbam), values, low, high, strict=True):
        numbers = dict(zip(("value", "low", "high"), ends, strict=True))
        yield subject.record(f"{metric}_change", condition=condition, n=len(samples), **numbers)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.attention", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--cbam", required=True, help="weights of a run with attention")
    add("--plain", required=True, help="weights of the same run without")
    add("--data", type=Path, required=True, help="FER2013")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        subjects = [open_subject(source, args.data, PROTOCOL, args.votes, name=name)
                    for source, name in ((args.cbam, CBAM), (args.plain, PLAIN))]  # fmt: skip
        records = measure(*subjects)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    training = subjects[0].backend.config["training"]
    made = provenance("eval.studies.attention", arguments)
    write_report(args.out / REPORT_FILE, STUDY, made, records, fold=True,
                 recipe=training["recipe"], images=training["images"])  # fmt: skip


if __name__ == "__main__":
    main()
