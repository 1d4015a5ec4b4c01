"""Make weights answer: probabilities that hold, the label that is said, and what is no face.

    python -m eval.calibrate --weights runs/base/public/ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --out reports/ferplus/public

All is chosen on PublicTest and nothing else, and written to the root of the weights' config.json,
where recogniser and evaluation find it (:mod:`fer_cbam.decide` says what each key means).

``temperature`` and ``bias`` minimise the negative log-likelihood of the majority's label
(Alexandari et al. 2020, https://arxiv.org/abs/1901.06852); a Gaussian prior of `BIAS_SPREAD` on
each bias keeps that of a rare label small. ``prior`` is how often each label is met there.
``decision`` is chosen by :mod:`eval.operating_point`. ``uncertain_below`` is the lowest confidence
at which the answers from there up are right in `ACCURACY` of all cases. ``vote_temperature`` is
that of the ten votes (:mod:`eval.votes`), where there are any. ``face_probe`` is learnt on faces of
Training, and loses 1 % of those of PublicTest (:mod:`eval.nonfaces`).

What all this is worth on faces that did not choose it is reported by cross-fitting: five times,
everything but the probe is chosen on four fifths of PublicTest, and held against the fifth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import metrics as m
from eval import table
from eval.nonfaces import fit_probe
from eval.operating_point import AIM, choose
from eval.predict import Job, jobs, predict, read, weights_sha256
from eval.records import Record, metric_records, provenance, write_report
from eval.report import measure, said_classes
from eval.table import Scored, scored
from eval.votes import RANGE, fit_vote_temperature, vote_counts, vote_shares
from fer_cbam import data, pretrained
from fer_cbam.data.base import Dataset
from fer_cbam.decide import Decision
from fer_cbam.errors import DataError, FerError, WeightsError
from fer_cbam.prior import logit_offset

PROTOCOL = "public"
ACCURACY = 0.9  # of the answers, where the weights give one
BIAS_SPREAD = 0.5  # nats
FOLDS = 5
STUDY = "calibration"
REPORT_FILE = f"{STUDY}.json"
_SHOWN = ("accuracy", "balanced_accuracy", "macro_precision", "log_loss", "brier", "ece",
          "coverage", "selective_accuracy")  # fmt: skip
Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Faces:
    """What values are chosen on. logits: ``(N, L)``, with nothing of a release on them. targets:
    int ``(N,)``, positions in labels. shares: of the votes, ``(N, L)``, None where there are none.
    """

    labels: tuple[str, ...]
    logits: np.ndarray
    targets: np.ndarray
    shares: np.ndarray | None = None

    def at(self, rows: np.ndarray) -> Faces:
        """Some of them."""
        shares = None if self.shares is None else self.shares[rows]
        return Faces(self.labels, self.logits[rows], self.targets[rows], shares)


def faces_of(
    predictions: pd.DataFrame, config: Mapping[str, Any], votes: Path | None = None
) -> Faces:
    """Of a table of predictions, and the config.json of the weights behind it.

    Raises:
        DataError: an emotion of the data that the weights do not know, or votes that do not fit.
    """
    labels = table.model_labels(predictions)
    unknown = sorted(set(predictions["target"]) - set(labels))
    if unknown:
        raise DataError(f"calibration: the weights do not know {', '.join(unknown)}; expected data "
                        "of their own classes")  # fmt: skip
    offset = logit_offset(config, labels)
    logits = predictions[[table.LOGIT + name for name in labels]].to_numpy(np.float64)
    targets = predictions["target"].map({name: i for i, name in enumerate(labels)}).to_numpy()
    counts = None if votes is None else vote_counts(votes, list(predictions["sample_id"]))
    return Faces(
        labels, logits - [offset[label] for label in labels], targets,
        None if counts is None else vote_shares(counts, labels),
    )  # fmt: skip


def fit_temperature(
    logits: np.ndarray, targets: np.ndarray, spread: float = BIAS_SPREAD
) -> tuple[float, np.ndarray]:
    """The temperature and the biases ``(L,)`` of the lowest negative log-likelihood.

    logits: float ``(N, L)``. targets: int ``(N,)``, positions in the logits. spread: standard
    deviation that biases are expected to have; 0 for none. There is one optimum (the loss is convex
    in the inverse of the temperature and in the biases).

    Raises:
        DataError: the temperature lies outside 0.05 to 20: no scale of these logits says anything.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    n, count = logits.shape
    own = np.arange(n), targets
    stiffness = 1 / spread**2 if spread else 0.0

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        inverse, bias = values[0], values[1:] if spread else np.zeros(count)
        logs = log_softmax(logits * inverse + bias, axis=1)
        slope = np.exp(logs)
        slope[own] -= 1
        total = -logs[own].sum() + stiffness * (bias @ bias) / 2
        steps = slope.sum(0) + stiffness * bias
        return total / n, np.array([(slope * logits).sum(), *(steps if spread else ())]) / n

    start = np.array([1.0, *np.zeros(count if spread else 0)])
    limits = [(1 / RANGE[1], 1 / RANGE[0]), *[(None, None)] * (len(start) - 1)]
    options = {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options=options).x
    temperature = 1 / found[0]
    if not 1.01 * RANGE[0] < temperature < RANGE[1] / 1.01:
        raise DataError(f"temperature: {temperature:.3g} is best; expected one inside {RANGE}")
    return float(temperature), found[1:] if spread else np.zeros(count)


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


def calibrate(faces: Faces, aim: float = AIM) -> Values:
    """All values but ``face_probe``, for a config.json.

    aim: weight of balanced accuracy in the mean that the decision is chosen by.

    Raises:
        DataError: one of them cannot be chosen.
    """
    labels = faces.labels
    temperature, bias = fit_temperature(faces.logits, faces.targets)
    counts = np.bincount(faces.targets, minlength=len(labels))
    prior = (counts + 1) / (counts + 1).sum()  # one of each, so that none is impossible
    values: Values = {
        "temperature": round(temperature, 4),
        "bias": _named(labels, bias - bias.mean(), 4),
        "prior": _named(labels, prior, 6),
    }
    probs = Decision.of({**values, "decision": {}}, labels).posterior(faces.logits)
    values["decision"] = choose(probs, faces.targets, labels, prior, aim).values()
    said = Decision.of(values, labels).said(probs)
    confidence = probs[np.arange(len(said)), said]
    threshold = confidence_threshold(confidence, said == faces.targets)
    values["uncertain_below"] = round(threshold, 4)
    if faces.shares is not None:
        values["vote_temperature"] = round(fit_vote_temperature(faces.logits, faces.shares), 4)
    return values


def _named(labels: Sequence[str], values: np.ndarray, digits: int) -> dict[str, float]:
    return {label: round(float(v), digits) for label, v in zip(labels, values, strict=True)}


def cross_fitted(faces: Faces, aim: float = AIM, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(N, L)`` and positions of the labels said ``(N,)``, each face answered by
    values that were chosen without it; folds are drawn within labels."""
    fold = np.empty(len(faces.targets), np.int64)
    rng = np.random.default_rng(seed)
    for target in np.unique(faces.targets):
        rows = rng.permutation(np.flatnonzero(faces.targets == target))
        fold[rows] = (np.arange(len(rows)) + rng.integers(FOLDS)) % FOLDS
    probs, said = np.zeros(faces.logits.shape), np.zeros(len(fold), np.int64)
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        values = calibrate(faces.at(np.flatnonzero(fold != number)), aim)
        decision = Decision.of(values, faces.labels)
        probs[held] = decision.posterior(faces.logits[held])
        said[held] = decision.said(probs[held])
    return probs, said


def fitted(
    job: Job, dataset: Dataset, votes: Path | None = None, aim: float = AIM
) -> tuple[Values, pd.DataFrame]:
    """Every value for some weights, and their predictions of PublicTest.

    job: of the protocol `PROTOCOL`. dataset: with the labels of the weights, Training included.
    votes: fer2013new.csv, for ``vote_temperature``.

    Raises:
        DataError, WeightsError: see `calibrate` and :func:`eval.nonfaces.fit_probe`.
    """
    predictions = predict([job], dataset, PROTOCOL)
    values = calibrate(faces_of(predictions, job.backend.config, votes), aim)
    public = read(job.backend, [dataset.samples[i].pixels for i in job.split.test])[1]
    if public is not None:
        training = [s.pixels for s in dataset.samples if s.split == "Training"]
        values["face_probe"] = fit_probe(job.backend, training, public.astype(np.float64))
    return values, predictions


def with_values(
    predictions: pd.DataFrame, config: Mapping[str, Any], values: Mapping[str, Any]
) -> Scored:
    """A table as it would be with these values in config.json."""
    decision = Decision.of({**config, **values}, table.model_labels(predictions))
    changed = predictions.copy()
    splits = predictions["split"].unique()
    changed.attrs = {
        **predictions.attrs, "decisions": dict.fromkeys(splits, table.decision_values(decision))
    }  # fmt: skip
    return scored(changed)


def sides_of(
    predictions: pd.DataFrame, config: Mapping[str, Any], values: Values, aim: float = AIM
) -> dict[str, Scored]:
    """The faces that chose the values: by the logits alone, as the weights answer with the values,
    and cross-fitted."""
    plain = {"training": config.get("training", {})}
    after = with_values(predictions, config, values)
    faces = faces_of(predictions, config)
    probs, said = cross_fitted(faces, aim)
    places = [after.label_names.index(label) for label in faces.labels]
    held = np.zeros_like(after.probs)
    held[:, places] = probs
    confident = probs[np.arange(len(said)), said] >= values["uncertain_below"]
    return {
        "before": with_values(predictions, plain, {}),
        "after": after,
        "cross-fitted": replace(
            after, probs=held, preds=np.array(places)[said], answered=confident
        ),
    }


def shown(side: Scored) -> dict[str, float]:
    """What is reported of a side."""
    measured = measure(side)
    return {
        **{key: float(measured[key]) for key in _SHOWN},
        "adaptive_ece": m.adaptive_ece(side.confidence, side.correct),
        "perfect_ece": m.perfect_ece(side.confidence)[1],
        "said_gap": m.said_gap(side.preds, side.confidence, side.correct, len(side.label_names)),
        "surest_80": m.surest(side.confidence, side.correct, 0.8),
    }


def records_of(
    predictions: pd.DataFrame, values: Values, sides: Mapping[str, Scored]
) -> list[Record]:
    """The values that are numbers, and what they change; the side is the condition."""
    of = {key: predictions.attrs[key] for key in ("data", "protocol", "weights", "option")}
    of["n"] = len(predictions)
    numbers = {key: value for key, value in values.items() if isinstance(value, float)}
    numbers["balance"] = values["decision"]["balance"]
    records = list(metric_records(numbers, **of))
    for name, side in sides.items():
        records += metric_records(shown(side), said_classes(side), condition=name, **of)
    return records


def reliability_table(sides: Mapping[str, Scored]) -> dict[str, dict[str, list[float]]]:
    """Images, mean confidence and accuracy of each bin of confidence, of each side."""
    bins = {name: m.reliability_bins(s.confidence, s.correct) for name, s in sides.items()}
    columns = ("n", "confidence", "accuracy")
    return {
        name: {column: part.tolist() for column, part in zip(columns, parts, strict=True)}
        for name, parts in bins.items()
    }


def store(job: Job, values: Values) -> None:
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
    add("--aim", type=float, default=AIM, help="weight of balanced accuracy in the mean that the "
        f"label is said for, 0 to 1 (default: {AIM:g})")  # fmt: skip
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
        values, predictions = fitted(pairs[0], dataset, args.votes, args.aim)
        sides = sides_of(predictions, pairs[0].backend.config, values, args.aim)
        store(pairs[0], values)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    records = records_of(predictions, values, sides)
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval.calibrate", arguments), records,
        weights_sha256=weights_sha256(pairs), accuracy_wanted=ACCURACY, aim=args.aim,
        decision=values["decision"], reliability=reliability_table(sides),
    )  # fmt: skip
    print(in_words(values))
    for name, side in sides.items():
        print(f"  {name:13}" + "  ".join(f"{k} {v:.4f}" for k, v in shown(side).items()))


def in_words(values: Values) -> str:
    """The values in a line."""
    return ", ".join(f"{key} {value}" for key, value in values.items() if key != "face_probe")


if __name__ == "__main__":
    main()
