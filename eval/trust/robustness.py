"""Robustness: what is left of the accuracy, and of the confidence, when a crop is spoilt.

Crops are spoilt before any preprocessing, at the fixed levels of ``eval/robustness/levels.json``.
Beside the weights stands a linear SVM on HOG, trained here on at most `BASELINE_FACES` faces of the
protocol's training side. A ratio flatters a method that is poor to begin with, so the error stands
beside it: of each corruption, mean over its levels, and mCE, the mean of its ratio to the error of
the SVM (Hendrycks and Dietterich 2019, https://arxiv.org/abs/1903.12261).

Conditions of the records: ``clean``; ``<corruption>``, mean over its levels; ``<corruption> 3``,
one level; ``all corruptions``, each counted once. Metrics of the SVM begin with ``hog_svm_``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from eval import metrics as m
from eval.bootstrap import bootstrap
from eval.figures import RC
from eval.predict import predict_logits
from eval.records import Record
from eval.robustness import scores
from eval.robustness.corruptions import corrupt, levels
from eval.studies.baselines import fit_hog_svm, hog
from eval.trust import page
from eval.trust.section import FACES, Subject
from fer_cbam.types import Sample

name = "robustness"
title = "Robustness: noise, blur, light, pose, hidden parts"

BASELINE = "hog_svm_"  # of the metrics of the SVM
BASELINE_FACES, QUICK_BASELINE_FACES = 4000, 1500
QUICK_LEVELS = (1, 3, 5)
CLEAN, ALL = "clean", "all corruptions"


class Answers(NamedTuple):
    """hits bool ``(N,)``; confidence of what was said, float ``(N,)`` in [0, 1], None of an SVM."""

    hits: np.ndarray
    confidence: np.ndarray | None = None


class Run(NamedTuple):
    """A method without corruption, and at each level of each."""

    clean: Answers
    spoilt: dict[str, dict[int, Answers]]

    def hits(self) -> dict[str, np.ndarray]:
        """Corruption -> bool ``(L, N)``."""
        return {c: np.stack([a.hits for a in own.values()]) for c, own in self.spoilt.items()}


Method = Callable[[Sequence[np.ndarray]], Answers]


def measure(subject: Subject) -> list[Record]:
    """Records of the weights, and of the SVM where there is a training side of grey faces."""
    samples = drawn(subject)
    methods: list[Method] = [network(subject, samples)]
    svm = hog_svm(subject, samples)
    if svm:
        methods.append(svm)
    runs = spoilt_runs(subject, samples, methods)
    records = list(run_records(subject, samples, runs[0]))
    if svm:
        mce = scores.mce(runs[0].hits(), runs[1].hits())
        records.append(subject.record("mce", mce, condition=ALL, n=len(samples)))
        records += run_records(subject, samples, runs[1], BASELINE)
    return records


def drawn(subject: Subject) -> list[Sample]:
    """The faces that are spoilt."""
    chosen = np.sort(subject.rng(name).permutation(len(subject.samples))[:FACES])
    return [subject.samples[i] for i in chosen]


def spoilt_runs(
    subject: Subject, samples: Sequence[Sample], methods: Sequence[Method]
) -> list[Run]:  # fmt: skip
    """The same spoilt crops for every method. subject: what says how many levels, and the seed."""
    crops, ids = [s.pixels for s in samples], [s.sample_id for s in samples]
    runs = [Run(method(crops), {}) for method in methods]
    for corruption, own in subject.progress(levels().items(), name):
        for run in runs:
            run.spoilt[corruption] = {}
        for level in range(1, len(own) + 1):
            if subject.quick and len(own) > 1 and level not in QUICK_LEVELS:
                continue
            spoilt = corrupt(crops, ids, corruption, level, subject.seed)
            for run, method in zip(runs, methods, strict=True):
                run.spoilt[corruption][level] = method(spoilt)
    return runs


def network(subject: Subject, samples: Sequence[Sample]) -> Method:
    """The weights of a subject as a method."""

    def answers(crops: Sequence[np.ndarray]) -> Answers:
        said = subject.decision.predictions(predict_logits(subject.fast, crops))
        hits = np.array([p.label == s.label for p, s in zip(said, samples, strict=True)])
        return Answers(hits, np.array([p.confidence for p in said]))

    return answers


def hog_svm(subject: Subject, samples: Sequence[Sample]) -> Method | None:
    """The SVM as a method, None where it cannot be trained: no faces, or not all of one kind."""
    shapes = {s.pixels.shape for s in (*subject.train, *samples)}
    if not subject.train or len(shapes) > 1 or len(next(iter(shapes))) != 2:
        return None
    count = QUICK_BASELINE_FACES if subject.quick else BASELINE_FACES
    chosen = subject.rng(BASELINE).permutation(len(subject.train))[:count]
    train = [subject.train[i] for i in chosen]
    if len({s.label for s in train}) < 2:
        return None
    svm = fit_hog_svm(np.stack([s.pixels for s in train]), np.array([s.label for s in train]))
    labels = np.array([s.label for s in samples])

    def answers(crops: Sequence[np.ndarray]) -> Answers:
        return Answers(svm.predict(hog(np.stack(crops))) == labels)

    return answers


def run_records(
    subject: Subject, samples: Sequence[Sample], run: Run, prefix: str = ""
) -> Iterator[Record]:
    """What corruption leaves of one method. prefix: of the names of its metrics."""
    n = len(samples)
    for condition, own in _conditions(run):
        fields = {"condition": condition, "n": n}
        hits = np.concatenate([a.hits for a in own])
        yield subject.record(f"{prefix}accuracy", hits.mean(), **fields)
        if own[0].confidence is not None:
            confidence = np.concatenate([a.confidence for a in own])
            yield subject.record("confidence", confidence.mean(), **fields)
            yield subject.record("ece", m.ece(confidence, hits), **fields)
    table = rows_of(samples)
    values = summary(run, None)
    low, high = bootstrap(table, lambda _, counts: summary(run, counts))
    if not prefix:
        for corruption, hits in run.hits().items():
            subject.keep(table, "corruption_error", 1 - hits.mean(0), condition=corruption)
    for (condition, metric), *ends in zip(summary_names(run), values, low, high, strict=True):
        numbers = dict(zip(("value", "low", "high"), ends, strict=True))
        yield subject.record(f"{prefix}{metric}", condition=condition, n=n, **numbers)


def _conditions(run: Run) -> Iterator[tuple[str, list[Answers]]]:
    yield CLEAN, [run.clean]
    for corruption, own in run.spoilt.items():
        yield corruption, list(own.values())
        if len(own) > 1:
            yield from ((f"{corruption} {level}", [a]) for level, a in own.items())


def rows_of(samples: Sequence[Sample]) -> pd.DataFrame:
    """Faces as the bootstrap draws them."""
    return pd.DataFrame({
        "sample_id": [s.sample_id for s in samples],
        "subject_id": pd.Series([s.subject_id for s in samples], dtype=object),
    })  # fmt: skip


def summary_names(run: Run) -> list[tuple[str, str]]:
    """Condition and metric of each number of a `summary`."""
    return [(c, metric) for c in (*run.spoilt, ALL)
            for metric in ("relative_accuracy", "corruption_error")]  # fmt: skip


def summary(run: Run, weights: np.ndarray | None) -> np.ndarray:
    """Relative accuracy and error of each corruption and of all, ``(2C + 2,)`` or ``(R, 2C + 2)``,
    with bootstrap weights."""
    hits = run.hits()
    values = [
        value
        for own in hits.values()
        for value in (scores.relative_accuracy(own, run.clean.hits, weights),
                      scores.corruption_error(own, weights))
    ]  # fmt: skip
    values.append(scores.mean_over(scores.relative_accuracy, hits, run.clean.hits, weights))
    values.append(scores.mean_over(scores.corruption_error, hits, weights))
    return np.stack(values, axis=-1)


def compared(record: Record) -> bool:
    """Whether a comparison of two weights shows this record."""
    if record["metric"] in ("accuracy", "confidence", "ece"):
        return record["condition"] in (CLEAN, *levels())
    return record["metric"] in ("relative_accuracy", "corruption_error", "mce")


def html(records: Sequence[Record]) -> str:
    """A table of corruptions, what fails first, and a figure by level."""
    own = list(records)
    names = [r["condition"] for r in own if r["metric"] == "corruption_error"]
    names.sort(key=lambda c: (c == ALL, _value(own, "relative_accuracy", c)))
    header = ["spoilt by", "relative accuracy", "error", "error of HOG + SVM", "confidence",
              "accuracy", "ECE"]  # fmt: skip
    rows = [
        [_words(c), *(page.number(page.find(own, condition=c, metric=metric))
                      for metric in ("relative_accuracy", "corruption_error")),
         page.number(page.find(own, condition=c, metric=f"{BASELINE}corruption_error")),
         *(page.number(page.find(own, condition=c, metric=metric))
           for metric in ("confidence", "accuracy", "ece"))]
        for c in names
    ]  # fmt: skip
    clean = _value(own, "accuracy", CLEAN)
    said = f"{own[0]['n']} faces drawn at random; accuracy {clean:.3f} before"
    if page.find(own, metric="mce"):
        svm, mce = _value(own, f"{BASELINE}accuracy", CLEAN), _value(own, "mce", ALL)
        said += f" ({svm:.3f} for HOG + SVM). mCE, the error over that of HOG + SVM: {mce:.3f}"
    return (
        page.paragraph(f"{said}. What costs most comes first.")
        + page.table(header, rows)
        + page.figure(_drawn(own), "Relative accuracy of each corruption by level")
    )


def _value(records: Sequence[Record], metric: str, condition: str) -> float:
    found = page.find(records, metric=metric, condition=condition)
    return np.nan if found is None or found["value"] is None else float(found["value"])


def _words(condition: str) -> str:
    return condition.replace("_", " ")


def _drawn(records: Sequence[Record]) -> Figure:
    clean = _value(records, "accuracy", CLEAN)
    with rc_context(RC):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        ax = figure.subplots()
        for i, (corruption, own) in enumerate(levels().items()):
            at = [(k, _value(records, "accuracy", f"{corruption} {k}") / clean)
                  for k in range(1, len(own) + 1)]  # fmt: skip
            shown = [(k, v) for k, v in at if np.isfinite(v)]
            if shown:
                ax.plot(*zip(*shown, strict=True), label=_words(corruption),
                        linestyle=("-", "--", ":")[i % 3], color=f"C{i % 10}")  # fmt: skip
        ax.set(xlabel="level", ylabel="accuracy over clean accuracy", xticks=range(1, 6))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
