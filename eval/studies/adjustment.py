"""For which mean of accuracy and balanced accuracy to answer: what each weight gives and costs.

    python -m eval.studies.adjustment --weights fer_cbam_base.ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --cross-dataset ckplus48.zip \
        --out reports/ferplus/public/fer_cbam_base.ferplus

A third of FER+ is neutral and one face in a hundred disgust or contempt: a network learns to expect
that of everyone, which is best for accuracy, and worst for who shows something rare.
:mod:`fer_cbam.prior` says what is added to the logits to answer for a mean of both.

The probabilities are the network's own, before its temperature. Soft votes, mixup and teachers make
them flatter than calibrated ones (temperatures below 1), so rare labels are lifted further than the
mean asks for of calibrated ones, and one network's balance is not another's.

At 0.5 both count alike, which needs no data to choose. Reported is also the least balance whose
plain mean of both, on PublicTest, is within one standard error of the best (the rule of Breiman et
al., Classification and Regression Trees, 1984, section 3.4.3): what is the least to pay for nearly
all of the gain. The ``release`` block of a recipe (``train/recipes``) puts a balance into the
weights. What it does to faces of another data set stands beside, and chooses nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import metrics as m
from eval import table
from eval.bootstrap import resample, units
from eval.predict import jobs, predict, training_record, weights_sha256
from eval.records import Record, metric_records, provenance, record, write_report
from eval.report import measure
from eval.table import scored
from fer_cbam import data
from fer_cbam.errors import DataError, FerError, WeightsError
from fer_cbam.prior import Offset, balance_offset, log_prior, logit_offset

PROTOCOL = "public"
CROSS_PROTOCOL = "subject10"  # every image once
STUDY = CONDITION = "balance"
REPORT_FILE = f"{STUDY}.json"
PROPOSED = "proposed_balance"  # the least within a standard error of the best
DRAWS = 1000
BALANCES = tuple(round(0.05 * i, 2) for i in range(21))
SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)


def adjusted(predictions: pd.DataFrame, offset: Offset, sign: int = 1) -> pd.DataFrame:
    """The table as it would be with an offset on the logits; off them with the sign -1."""
    columns = {
        table.LOGIT + label: predictions[table.LOGIT + label] + sign * offset[label]
        for label in table.model_labels(predictions)
    }
    changed = predictions.assign(**columns)
    changed.attrs = predictions.attrs
    return changed


def rates(predictions: pd.DataFrame) -> dict[str, Any]:
    """Accuracy, balanced accuracy and the recall of each emotion of the data."""
    labels = predictions.attrs["label_names"]
    values = measure(scored(predictions))
    return {
        "accuracy": float(values["accuracy"]),
        "balanced_accuracy": float(values["balanced_accuracy"]),
        "recall": {label: float(values[f"recall_{label}"]) for label in labels},
    }


def sweep(predictions: pd.DataFrame, prior: Offset) -> dict[float, dict[str, Any]]:
    """balance -> rates, for every one of ``BALANCES``.

    predictions: with nothing on the logits. prior: the log prior of each label.
    """
    return {b: rates(adjusted(predictions, balance_offset(prior, b))) for b in BALANCES}


def mean_of_both(values: Mapping[str, Any]) -> float:
    """What is weighed up: the mean of accuracy and balanced accuracy."""
    return (values["accuracy"] + values["balanced_accuracy"]) / 2


def standard_error(predictions: pd.DataFrame) -> float:
    """Of :func:`mean_of_both`, by the bootstrap over images."""
    s = scored(predictions)
    counts = resample(units(predictions), DRAWS, np.random.default_rng(0))
    matrix = m.confusion_matrix(s.targets, s.preds, s.num_classes, counts)
    return float(np.std((m.accuracy(matrix) + m.balanced_accuracy(matrix)) / 2, ddof=1))


def proposed(
    found: Mapping[float, Mapping[str, Any]], predictions: pd.DataFrame, prior: Offset
) -> tuple[float, float]:
    """The least balance within one standard error of the best mean of both, and that error."""
    best = max(found, key=lambda balance: mean_of_both(found[balance]))
    error = standard_error(adjusted(predictions, balance_offset(prior, best)))
    return min(
        b for b in found if mean_of_both(found[b]) >= mean_of_both(found[best]) - error
    ), error


def records_of(
    of: Mapping[str, Any], found: Mapping[float, Mapping[str, Any]], home: bool
) -> list[Record]:
    """Accuracies at each balance, and recalls at those of ``SHOWN``; elsewhere only those.

    of: fields of all records. found: as `sweep` gives it. home: of the data that was trained on.
    """
    records: list[Record] = []
    for balance, values in found.items():
        metrics = {key: value for key, value in values.items() if key != "recall"}
        classes = {label: {"recall": recall} for label, recall in values["recall"].items()}
        if home or balance in SHOWN:
            records += metric_records(
                metrics,
                classes if balance in SHOWN else None,
                condition=f"{CONDITION} {balance:g}",
                **of,
            )
    return records


def run(args: argparse.Namespace) -> tuple[dict[str, str], list[Record]]:
    """SHA-256 of the weights, and what is reported."""
    dataset = data.load(args.data, votes=args.votes)
    pairs = jobs(str(args.weights), dataset, PROTOCOL)
    if len(pairs) != 1:
        raise WeightsError(f"{args.weights}: {len(pairs)} sets of weights; expected one")
    loaded = pairs[0].backend
    prior = log_prior(training_record(loaded), loaded.label_names)
    carried = logit_offset(loaded.config, loaded.label_names)
    records: list[Record] = []
    asked = [(dataset, PROTOCOL)]
    if args.cross_dataset:
        other = data.load(args.cross_dataset)
        if other.name == dataset.name:
            raise DataError(f"--cross-dataset {other.name}; expected another data set")
        asked.append((other, CROSS_PROTOCOL))
    for faces, protocol in asked:
        own = jobs(str(args.weights), faces, protocol)
        predictions = adjusted(predict(own, faces, protocol), carried, -1)
        found = sweep(predictions, prior)
        of = {key: predictions.attrs[key] for key in ("data", "protocol", "weights", "option")}
        of["n"] = len(predictions)
        if faces is dataset:
            least, error = proposed(found, predictions, prior)
            records += [record(PROPOSED, least, **of), record("standard_error", error, **of)]
        records += records_of(of, found, faces is dataset)
    return weights_sha256(pairs), records


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
