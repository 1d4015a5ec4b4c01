"""How much of the log prior to take off the logits: what each share gives and costs.

    python -m eval.adjustment --weights runs/base/public/ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --stranger ckplus48.zip --out reports/ferplus/public

A third of FER+ is neutral and one face in a hundred disgust or contempt: a network learns to expect
that of everyone. Taking tau times the log prior of the training labels off its logits (Menon et al.
2021, https://arxiv.org/abs/2007.07314) makes it expect less of it; at 1 all emotions alike. Tau
counts in what the recipe has trained for already (``logit_adjustment``).

Weighed up is the mean of accuracy and balanced accuracy on PublicTest. Its maximum is flat, and
where it lies is up to a few faces of contempt; so proposed is the least tau whose mean is within
one standard error of the best (the rule of Breiman et al., Classification and Regression Trees,
1984, section 3.4.3), and ``python -m train.release --tau`` puts it into the weights. What it does
to faces of another data set stands beside, and chooses nothing.
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
from eval.report import dumps, measure, provenance
from eval.table import scored
from fer_cbam import data
from fer_cbam.errors import DataError, FerError, WeightsError

PROTOCOL = "public"
STRANGER_PROTOCOL = "subject10"  # every image once
REPORT_FILE = "adjustment.json"
DRAWS = 1000
TAUS = tuple(round(0.05 * i, 2) for i in range(21))
SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)


def trained_tau(training: Mapping[str, Any]) -> float:
    """The share of the log prior that the logits of these weights lack by their training."""
    return float(training.get("recipe", {}).get("logit_adjustment", 0.0))


def log_prior(training: Mapping[str, Any], label_names: Sequence[str]) -> dict[str, float]:
    """Label -> logarithm of its share of the training labels.

    Raises:
        WeightsError: the weights do not say it of every label, or one was never seen.
    """
    prior = training.get("prior") or {}
    missing = [label for label in label_names if not prior.get(label, 0.0) > 0]
    if missing:
        raise WeightsError(f"training prior: nothing of {', '.join(missing)}; expected a share "
                           f"above 0 for each of {', '.join(label_names)}")  # fmt: skip
    return {label: float(np.log(prior[label])) for label in label_names}


def adjusted(predictions: pd.DataFrame, shift: Mapping[str, float], tau: float) -> pd.DataFrame:
    """The table as it would be with ``tau * shift[label]`` off the logits."""
    columns = {
        table.LOGIT + label: predictions[table.LOGIT + label] - tau * shift[label]
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


def sweep(
    predictions: pd.DataFrame, shift: Mapping[str, float], trained: float = 0.0
) -> dict[float, dict[str, Any]]:
    """tau -> rates, for every tau of ``TAUS``, of which the weights have ``trained`` already."""
    return {tau: rates(adjusted(predictions, shift, tau - trained)) for tau in TAUS}


def worth(values: Mapping[str, Any]) -> float:
    """What is weighed up: the mean of accuracy and balanced accuracy."""
    return (values["accuracy"] + values["balanced_accuracy"]) / 2


def standard_error(predictions: pd.DataFrame) -> float:
    """Of :func:`worth`, by the bootstrap over images."""
    s = scored(predictions)
    counts = resample(units(predictions), DRAWS, np.random.default_rng(0))
    matrix = m.confusion_matrix(s.targets, s.preds, s.num_classes, counts)
    return float(np.std((m.accuracy(matrix) + m.balanced_accuracy(matrix)) / 2, ddof=1))


def proposed(
    found: Mapping[float, Mapping[str, Any]], predictions: pd.DataFrame,
    shift: Mapping[str, float], trained: float = 0.0,
) -> tuple[float, float]:  # fmt: skip
    """The least tau whose worth is within one standard error of the best, and that error."""
    best = max(found, key=lambda tau: worth(found[tau]))
    error = standard_error(adjusted(predictions, shift, best - trained))
    least = min(tau for tau in found if worth(found[tau]) >= worth(found[best]) - error)
    return least, error


def reports(name: str, of: Mapping[str, str], n: int, found: Mapping[float, Any]) -> dict[str, Any]:
    """Entries for the summary, one for each tau of ``SHOWN``."""
    entries = {}
    for tau in SHOWN:
        values = found[tau]
        entries[f"{name} tau {tau:g}"] = {
            **of, "option": f"tau_{round(100 * tau)}", "n": n, "sequence_overlap": None,
            "metrics": {metric: {"value": values[metric], "low": None, "high": None}
                        for metric in ("accuracy", "balanced_accuracy")},
            "classes": {label: {"recall": {"value": recall, "low": None, "high": None}}
                        for label, recall in values["recall"].items()},
        }  # fmt: skip
    return entries


def run(args: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    dataset = data.load(args.data, votes=args.votes)
    pairs = jobs(str(args.weights), dataset, PROTOCOL)
    if len(pairs) != 1:
        raise WeightsError(f"{args.weights}: {len(pairs)} sets of weights; expected one")
    loaded = pairs[0].loaded
    if "logit_adjustment" in loaded.config:
        raise WeightsError(f"{args.weights}: adjusted already; expected the run it came from")
    training = training_record(loaded)
    shift, trained = log_prior(training, loaded.label_names), trained_tau(training)
    content = {**provenance("eval.adjustment", arguments), "weights_sha256": weights_sha256(pairs)}
    entries: dict[str, Any] = {}
    asked = [(dataset, PROTOCOL)]
    if args.stranger:
        stranger = data.load(args.stranger)
        if stranger.name == dataset.name:
            raise DataError(f"--stranger {stranger.name}; expected another data set")
        asked.append((stranger, STRANGER_PROTOCOL))
    for faces, protocol in asked:
        own = jobs(str(args.weights), faces, protocol)
        predictions = predict(own, faces, protocol)
        found = sweep(predictions, shift, trained)
        if faces is dataset:
            content["tau"], content["standard_error"] = proposed(found, predictions, shift, trained)
            content["taus"] = {f"{tau:g}": {k: v for k, v in values.items() if k != "recall"}
                               for tau, values in found.items()}  # fmt: skip
        of = {key: predictions.attrs[key] for key in ("data", "protocol", "weights")}
        entries |= reports(faces.name, of, len(predictions), found)
    return {**content, "reports": entries}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.adjustment", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--weights", type=Path, required=True, help="folder of a run, not adjusted yet")
    add("--data", type=Path, required=True, help="FER2013")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--stranger", type=Path, help="another data set, shown beside")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)
    try:
        content = run(args, arguments)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / REPORT_FILE).write_text(dumps(content), encoding="utf-8")
    for name, entry in content["reports"].items():
        print(
            f"{name:22}" + "".join(f"  {k} {v['value']:.4f}" for k, v in entry["metrics"].items())
        )
    print(f"tau {content['tau']:g}")


if __name__ == "__main__":
    main()
