"""How well lines of English are read, beside a plain classifier.

    python -m eval.text --goemotions goemotions_ekman.zip --meld meld_text.zip \
        --weights fer_cbam_text.goemotions --out reports/fusion/text.json

The test parts of GoEmotions and, as a second domain, of MELD, from which nothing was learnt or
chosen. Lines with one label: accuracy, macro and weighted F1, calibration error. All lines of
GoEmotions, as Demszky et al. 2020 count them: a label is given where its probability is above a
threshold, chosen on the dev part. The plain classifier is logistic regression on TF-IDF of words
and pairs of words, its C chosen on the dev part. Of MELD also with the mix of labels of its
training part in place of GoEmotions', and what always saying neutral gives. Intervals are over
lines, in MELD over dialogues.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from eval import metrics
from eval.bootstrap import bootstrap
from eval.records import provenance, record, write_report
from fer_cbam.data.goemotions import read_goemotions
from fer_cbam.data.lines import LABELS, TextLines
from fer_cbam.data.meld import read_meld
from fer_cbam.decide import softmax
from fer_cbam.text import TextReader

Read = Callable[[Sequence[str]], np.ndarray]

PLAIN, NEUTRAL = "TF-IDF, logistic regression", "always neutral"
MIXED = "with MELD's mix of labels"
STRENGTHS = (1.0, 3.0, 10.0)  # C
THRESHOLDS = np.arange(0.05, 0.61, 0.01)
SINGLE, ALL = "test, lines with one label", "test, all lines"


def plain(train: TextLines, dev: TextLines) -> Read:
    """Text -> probabilities, by the C that has the best macro F1 on the dev part."""
    models = [fit_plain(train, strength) for strength in STRENGTHS]
    model = max(models, key=lambda m: macro_f1(m.predict_proba(list(dev.texts)).argmax(1), dev))
    return lambda texts: np.asarray(model.predict_proba(list(texts)))


def fit_plain(lines: TextLines, strength: float) -> Pipeline:
    """A line with n labels stands n times, with an n-th of the weight."""
    row, label = np.nonzero(lines.targets)
    share = 1 / lines.targets.sum(1)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=strength, max_iter=2000),
    )
    texts = [lines.texts[i] for i in row]
    return model.fit(texts, label, logisticregression__sample_weight=share[row])


def macro_f1(said: np.ndarray, lines: TextLines) -> float:
    """Of lines with one label. said: int ``(N,)``."""
    one = lines.single()
    matrix = metrics.confusion_matrix(lines.targets[one].argmax(1), said[one], len(LABELS))
    return float(metrics.macro(metrics.f1(matrix)))


def single(lines: TextLines, probs: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Metric -> value and interval, of lines with one label."""
    one = lines.single()
    said, right = probs[one].argmax(1), lines.targets[one].argmax(1)
    rows = pd.DataFrame({
        "sample_id": np.flatnonzero(one).astype(str), "subject_id": np.array(lines.groups)[one],
        "target": right, "said": said,
    })  # fmt: skip

    def values(table: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        matrix = metrics.confusion_matrix(
            table["target"].to_numpy(), table["said"].to_numpy(), len(LABELS), weights
        )
        each = metrics.f1(matrix)
        return np.stack([metrics.accuracy(matrix), metrics.macro(each),
                         metrics.weighted(each, matrix)], -1)  # fmt: skip

    found = with_interval(rows, values, ("accuracy", "macro_f1", "weighted_f1"))
    return {**found, "ece": (float(metrics.ece(probs[one].max(1), said == right)),)}


def several(lines: TextLines, probs: np.ndarray, threshold: float) -> dict[str, tuple[float, ...]]:
    """Macro F1 and its interval, where each label is given or not."""
    given, said = lines.targets > 0, probs > threshold
    rows = pd.DataFrame({"sample_id": np.arange(len(lines)).astype(str),
                         "subject_id": np.array(lines.groups)})  # fmt: skip

    def values(_: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        return np.atleast_1d(f1_of_labels(given, said, weights))[:, None]

    return with_interval(rows, values, ("macro_f1",))


def f1_of_labels(
    given: np.ndarray, said: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Mean over the labels of 2 TP / (2 TP + FP + FN).

    given, said: bool ``(N, K)``. weights: ``(N, R)``; with them ``(R,)``, else a scalar.
    """
    counts = np.ones((len(given), 1)) if weights is None else weights
    both, either = (x.astype(np.float64).T @ counts for x in (given & said, given ^ said))
    found = np.asarray((2 * both / np.maximum(2 * both + either, 1e-12)).mean(0))
    return found[0] if weights is None else found


def with_interval(
    rows: pd.DataFrame, values: Callable, names: Sequence[str]
) -> dict[str, tuple[float, ...]]:
    got, (low, high) = np.atleast_1d(values(rows, None).squeeze()), bootstrap(rows, values)
    ends = np.atleast_1d(low), np.atleast_1d(high)
    return {name: (float(got[i]), float(ends[0][i]), float(ends[1][i]))
            for i, name in enumerate(names)}  # fmt: skip


def best_threshold(lines: TextLines, probs: np.ndarray) -> float:
    scores = [f1_of_labels(lines.targets > 0, probs > value) for value in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(scores))])


def records(name: str, read: Read, dev: TextLines, tests: dict[str, TextLines]) -> Iterator[dict]:
    """tests: data set -> its test part."""
    threshold = best_threshold(dev, read(dev.texts))
    for data, lines in tests.items():
        probs = read(lines.texts)
        parts = {SINGLE: (int(lines.single().sum()), single(lines, probs))}
        if not lines.single().all():
            parts[ALL] = (len(lines), several(lines, probs, threshold))
        for protocol, (count, found) in parts.items():
            for metric, (value, *ends) in found.items():
                low, high = ends or (None, None)
                yield record(metric, value, low=low, high=high, data=data, protocol=protocol,
                             weights=name, n=count)  # fmt: skip


def network(source: str) -> Read:
    reader = TextReader.from_pretrained(source)
    return lambda texts: softmax(reader.logits(texts)[0])


def remixed(read: Read, learnt: TextLines, other: TextLines) -> Read:
    """Bayes' rule for another mix of labels than that which was learnt."""
    ratio = _mix(other) / _mix(learnt)

    def probs(texts: Sequence[str]) -> np.ndarray:
        found = read(texts) * ratio
        return np.asarray(found / found.sum(1, keepdims=True))

    return probs


def _mix(lines: TextLines) -> np.ndarray:
    return np.asarray(lines.targets.sum(0, dtype=np.float64) / lines.targets.sum())


def always(label: str) -> Read:
    return lambda texts: np.tile(np.eye(len(LABELS))[LABELS.index(label)], (len(texts), 1))


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--goemotions", required=True, type=Path, help="a folder or zip")
    add("--meld", required=True, type=Path, help="a folder or zip")
    add("--weights", required=True, help="embedded weights for text, or a folder")
    add("--out", required=True, type=Path, metavar="REPORT.json")
    args = parser.parse_args(arguments)
    parts = read_goemotions(args.goemotions)
    meld = read_meld(args.meld)
    tests = {"goemotions": parts["test"], "meld": meld["test"]}
    name, read = Path(args.weights).name, network(args.weights)
    readers = {name: read, PLAIN: plain(parts["train"], parts["dev"]), NEUTRAL: always("neutral")}
    found = [entry for known, each in readers.items()
             for entry in records(known, each, parts["dev"], tests)]  # fmt: skip
    mixed = remixed(read, parts["train"], meld["train"])
    found += records(f"{name}, {MIXED}", mixed, parts["dev"], {"meld": meld["test"]})
    write_report(args.out, "text", provenance("eval.text", arguments), found)
    for entry in found:
        print(f"{entry['data']:12} {entry['protocol']:28} {entry['weights']:28} "
              f"{entry['metric']:12} {entry['value']:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
