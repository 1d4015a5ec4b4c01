"""How well do people agree? One FER+ rater against the other nine, as a line in the table.

    python -m eval.studies.raters --votes fer2013new.csv --out reports/ferplus/private

On the images that Microsoft's majority rule keeps, each of the ten votes in turn is held against
the emotion that most of the other nine chose. Where several emotions have as many, the rater meets
each of them in equal parts. A vote for "unknown" or "no face" is an error. Unlike a model, which is
held against all ten votes, a rater has no part in what it is held against.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import metrics as m
from eval.bootstrap import LEVEL, RESAMPLES, bootstrap
from eval.records import metric_records, provenance, write_report
from eval.report import STUDY
from fer_cbam.data import ferplus
from fer_cbam.data.files import open_files
from fer_cbam.errors import DataError, FerError
from fer_cbam.labels import FERPLUS_COLUMNS

NAME = "one_rater"
REPORT_FILE = f"{NAME}.json"
SPLITS = {"public": "PublicTest", "private": "PrivateTest"}
EMOTIONS = FERPLUS_COLUMNS[:8]
METRICS = ("accuracy", "balanced_accuracy")


def held_out_votes(counts: Sequence[int]) -> list[tuple[int, int, float]]:
    """(what the others say, the vote, its weight) of one image; the weights sum to the votes.

    counts: ten, in the order of FERPLUS_COLUMNS. The first is a position among the eight emotions,
    the second among all ten columns. A vote whose others name no emotion is left out.
    """
    rows = []
    for vote, count in enumerate(counts):
        if not count:
            continue
        others = [n - (i == vote) for i, n in enumerate(counts[: len(EMOTIONS)])]
        best = max(others)
        leading = [i for i, n in enumerate(others) if n == best and best > 0]
        rows += [(emotion, vote, count / len(leading)) for emotion in leading]
    return rows


def agreement(votes: Sequence[tuple[str, Sequence[int]]]) -> dict[str, Any]:
    """Accuracies and recalls of a rater, with intervals over images.

    votes: (image, ten counts); only images that the majority rule keeps are counted.

    Raises:
        DataError: it keeps none.
    """
    kept = [(name, c) for name, c in votes if c and ferplus.majority(c) is not None]
    if not kept:
        raise DataError("votes: no image with a clear winner; expected some")
    rows = [(name, *row) for name, counts in kept for row in held_out_votes(counts)]
    table = pd.DataFrame(rows, columns=["sample_id", "target", "vote", "weight"])
    table["subject_id"] = None
    targets, preds, weight = (table[c].to_numpy() for c in ("target", "vote", "weight"))

    def measured(_table: pd.DataFrame, resampled: np.ndarray | None) -> np.ndarray:
        weights = weight[:, None] * (1.0 if resampled is None else resampled)
        matrix = m.confusion_matrix(targets, preds, len(EMOTIONS), weights)
        values = np.column_stack([m.accuracy(matrix), m.balanced_accuracy(matrix)])
        return np.concatenate([values, m.recall(matrix)], axis=1)

    value = measured(table, None)[0]
    low, high = bootstrap(table, measured)
    entries = [dict(zip(("value", "low", "high"), ends, strict=True))
               for ends in zip(value, low, high, strict=True)]  # fmt: skip
    return {
        "n": len(kept),
        "interval": f"{LEVEL:g} % percentile bootstrap, {RESAMPLES} resamples of images, seed 0",
        "metrics": dict(zip(METRICS, entries, strict=False)),
        "classes": {label: {"recall": entry} for label, entry in
                    zip(EMOTIONS, entries[len(METRICS):], strict=True)},
    }  # fmt: skip


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.raters", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--votes", type=Path, required=True, help="fer2013new.csv")
    parser.add_argument("--protocol", default="private", choices=SPLITS)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        with open_files(args.votes) as files:
            rows = ferplus.read_votes(files)
        wanted = SPLITS[args.protocol]
        result = agreement([(where, counts) for where, split, counts in rows if split == wanted])
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    of = {"data": "ferplus", "protocol": args.protocol, "weights": NAME, "option": "plain"}
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval.studies.raters", arguments),
        metric_records(result["metrics"], result["classes"], n=result["n"], **of),
        interval=result["interval"],
    )  # fmt: skip
    print(f"{NAME} on {result['n']:,} images of {wanted}")
    for name, entry in result["metrics"].items():
        print(f"  {name:18} {entry['value']:.4f} ({entry['low']:.4f} to {entry['high']:.4f})")


if __name__ == "__main__":
    main()
