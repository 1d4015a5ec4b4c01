"""Make weights say how sure they may be: a temperature, and a confidence that an answer needs.

    python -m eval.calibrate --weights runs/base/public/ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --out reports/ferplus/public

Both are chosen on PublicTest and nothing else, and written to the root of the weights' config.json
(``temperature``, ``uncertain_below``), where recogniser and evaluation find them.

The temperature (Guo et al., ICML 2017, https://arxiv.org/abs/1706.04599) minimises the negative
log-likelihood; it changes no answer. ``uncertain_below`` is the lowest confidence at which the
answers from there up are right in `ACCURACY` of all cases. What they are worth on images that chose
neither is for ``python -m eval --protocol private`` to say, which reports both sides.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from eval import metrics as m
from eval import table
from eval.predict import Job, jobs, predict, weights_sha256
from eval.records import Record, metric_records, provenance, write_report
from eval.report import measure
from eval.table import Scored, scored
from fer_cbam import data, pretrained
from fer_cbam.decide import softmax
from fer_cbam.errors import DataError, FerError, WeightsError

PROTOCOL = "public"
ACCURACY = 0.9  # of the answers, where the weights give one
STUDY = "calibration"
REPORT_FILE = f"{STUDY}.json"
KEYS = ("temperature", "uncertain_below")  # of config.json, what calibration writes
_RANGE = (0.05, 20.0)  # of temperatures
_SHOWN = ("accuracy", "log_loss", "brier", "ece", "coverage", "selective_accuracy")


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of the lowest negative log-likelihood.

    logits: float ``(N, L)``. targets: int ``(N,)``, positions in the logits. The likelihood has one
    optimum (it is concave in the inverse of the temperature), so a search along a line finds it.

    Raises:
        DataError: the optimum lies outside 0.05 to 20: no scale of these logits says anything.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(m.log_loss(targets, softmax(logits / math.exp(log_temperature))))

    low, high = (math.log(end) for end in _RANGE)
    found = math.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
    if not 1.01 * _RANGE[0] < found < _RANGE[1] / 1.01:
        raise DataError(f"temperature: {found:.3g} is best; expected one inside {_RANGE}")
    return found


def confidence_threshold(
    confidence: np.ndarray, correct: np.ndarray, accuracy: float = ACCURACY
) -> float:
    """The lowest threshold at which the samples from it up are right in that share of cases.

    confidence: float ``(N,)``. correct: bool ``(N,)``. 0 where nothing need be left out; else
    halfway between two confidences that occur, so that rounding moves no sample across.

    Raises:
        DataError: no threshold reaches that accuracy.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    share = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    ends = np.append(np.diff(ranked) != 0, True)  # samples of equal confidence fall together
    reached = np.flatnonzero((share >= accuracy) & ends)
    if not len(reached):
        raise DataError(
            f"uncertain_below: the answers are right in at most {share[ends].max():.1%} of cases "
            f"at any confidence; expected {accuracy:.0%} at some"
        )
    last = int(reached[-1])
    if last == len(ranked) - 1:
        return 0.0
    return float((ranked[last] + ranked[last + 1]) / 2)


def calibrate(predictions: pd.DataFrame) -> dict[str, float]:
    """``temperature`` and ``uncertain_below`` for the weights behind a table.

    Raises:
        DataError: an emotion of the data that the weights do not know, or one of the two cannot be
            chosen.
    """
    labels = table.model_labels(predictions)
    unknown = sorted(set(predictions["target"]) - set(labels))
    if unknown:
        raise DataError(f"calibration: the weights do not know {', '.join(unknown)}; expected data "
                        "of their own classes")  # fmt: skip
    logits = predictions[[table.LOGIT + name for name in labels]].to_numpy(np.float64)
    targets = predictions["target"].map({name: i for i, name in enumerate(labels)}).to_numpy()
    temperature = round(fit_temperature(logits, targets), 4)
    s = with_values(predictions, temperature, 0.0)
    return {
        "temperature": temperature,
        "uncertain_below": round(confidence_threshold(s.confidence, s.correct), 4),
    }


def with_values(predictions: pd.DataFrame, temperature: float, uncertain_below: float) -> Scored:
    """A table as it would be with these values in config.json."""
    changed = predictions.assign(temperature=temperature, uncertain_below=uncertain_below)
    changed.attrs = predictions.attrs
    return scored(changed)


def sides_of(predictions: pd.DataFrame, values: dict[str, float]) -> dict[str, Scored]:
    """The images that chose the values, before and after."""
    return {
        "before": with_values(predictions, 1.0, 0.0),
        "after": with_values(predictions, **values),
    }


def records_of(
    predictions: pd.DataFrame, values: dict[str, float], sides: dict[str, Scored]
) -> list[Record]:
    """The values, and what they change; the side is the condition."""
    of = {key: predictions.attrs[key] for key in ("data", "protocol", "weights", "option")}
    of["n"] = len(predictions)
    records = list(metric_records(values, **of))
    for name, side in sides.items():
        measured = measure(side)
        shown = {key: float(measured[key]) for key in _SHOWN}
        records += metric_records(shown, condition=name, **of)
    return records


def reliability_table(sides: dict[str, Scored]) -> dict[str, dict[str, list[float]]]:
    """Images, mean confidence and accuracy of each bin of confidence, before and after."""
    bins = {name: m.reliability_bins(s.confidence, s.correct) for name, s in sides.items()}
    columns = ("n", "confidence", "accuracy")
    return {
        name: {column: part.tolist() for column, part in zip(columns, parts, strict=True)}
        for name, parts in bins.items()
    }


def store(job: Job, values: dict[str, float]) -> None:
    """Write the values into the config.json of weights in a folder, in one step."""
    config = pretrained.read_config(job.folder)
    pretrained.write_config(job.folder, {**config, **values})


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.calibrate", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="a folder of weights, or <arch.tag> that is embedded")
    add("--data", type=Path, required=True, help="FER2013")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        embedded = args.weights in pretrained.embedded_names()
        if not (embedded or Path(args.weights).is_dir()):
            raise WeightsError(
                f"{args.weights}: expected embedded weights or a folder, whose "
                "config.json can be written"
            )
        dataset = data.load(args.data, votes=args.votes)
        pairs = jobs(args.weights, dataset, PROTOCOL)
        if len(pairs) != 1:
            raise WeightsError(f"{args.weights}: {len(pairs)} sets of weights; expected one")
        predictions = predict(pairs, dataset, PROTOCOL)
        values = calibrate(predictions)
        sides = sides_of(predictions, values)
        store(pairs[0], values)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    records = records_of(predictions, values, sides)
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval.calibrate", arguments), records,
        weights_sha256=weights_sha256(pairs), accuracy_wanted=ACCURACY,
        reliability=reliability_table(sides),
    )  # fmt: skip
    print(f"temperature {values['temperature']}, uncertain below {values['uncertain_below']}")
    for name in sides:
        shown = [r for r in records if r.get("condition") == name]
        print(f"  {name:7}" + "".join(f"{r['metric']} {r['value']:.4f}  " for r in shown))


if __name__ == "__main__":
    main()
