"""What a folder of results holds, counted block by block: memory does not grow with it."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_cbam.batch.rows import PROB
from fer_cbam.errors import BatchError

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 10  # of the confidence


@dataclass
class Counts:
    """What is counted of a table.

    said: label -> faces. uncertain: of those. expected, variance: label -> sum of p and p (1 - p)
    over the faces, p being the calibrated probability. confidences: faces in tenths of confidence.
    failed: kind -> rows, with an example.
    """

    images: int = 0
    faces: int = 0
    none: int = 0
    no_face: int = 0
    said: Counter[str] = field(default_factory=Counter)
    uncertain: Counter[str] = field(default_factory=Counter)
    expected: dict[str, float] = field(default_factory=dict)
    variance: dict[str, float] = field(default_factory=dict)
    confidences: np.ndarray = field(default_factory=lambda: np.zeros(BINS, int))
    cautions: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)


@dataclass(order=True)
class Example:
    """A face that may be shown; those of the smallest ranks are, which are as good as drawn by
    lot, and always the same."""

    rank: int
    row: dict[str, Any] = field(compare=False)


def read_counts(folder: Path, examples: int = 0) -> tuple[Counts, dict[str, list[Example]]]:
    """Counts of all rows, and of each label so many faces that may be shown.

    Raises:
        BatchError: no results there.
    """
    import pyarrow.dataset as ds

    if not any(folder.glob("part-*.parquet")):
        raise BatchError(f"{folder}: no results; expected a folder that 'fer-cbam batch' wrote")
    table = ds.dataset(sorted(map(str, folder.glob("part-*.parquet"))), format="parquet")
    probs = [name for name in table.schema.names if name.startswith(PROB)]
    columns = ["source", "member", "frame", "face", "x1", "y1", "x2", "y2", "label", "confidence",
               "uncertain", "no_face", "cautions", "error_kind", "error", *probs]  # fmt: skip
    counts = Counts()
    chosen: dict[str, list[Example]] = {}
    for batch in table.to_batches(columns=columns):
        _count(counts, batch, probs)
        if examples:
            _choose(chosen, batch, examples)
    return counts, chosen


def _count(counts: Counts, batch: pa.RecordBatch, probs: list[str]) -> None:
    face, kinds = batch["face"], batch["error_kind"].to_pylist()
    failed = [kind for kind in kinds if kind]
    counts.failed.update(failed)
    for kind, source, error in zip(
        kinds, batch["source"].to_pylist(), batch["error"].to_pylist(), strict=True
    ):
        if kind and kind not in counts.examples:
            counts.examples[kind] = f"{source}: {error}"
    counts.images += face.null_count + face.to_pylist().count(0)
    counts.faces += len(batch) - face.null_count
    counts.none += face.null_count - len(failed)
    counts.no_face += batch["no_face"].to_pylist().count(True)
    for label, uncertain in zip(
        batch["label"].to_pylist(), batch["uncertain"].to_pylist(), strict=True
    ):
        if label:
            counts.said[label] += 1
            counts.uncertain[label] += bool(uncertain)
    counts.cautions.update(
        reason for reasons in batch["cautions"].to_pylist() if reasons for reason in reasons
    )
    sure = _known(batch["confidence"])
    counts.confidences += np.histogram(sure, BINS, (0, 1))[0]
    for name in probs:
        p, label = _known(batch[name]), name.removeprefix(PROB)
        counts.expected[label] = counts.expected.get(label, 0.0) + float(p.sum())
        counts.variance[label] = counts.variance.get(label, 0.0) + float((p * (1 - p)).sum())


def _known(column: pa.Array) -> np.ndarray:
    values: np.ndarray = column.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def _choose(chosen: dict[str, list[Example]], batch: pa.RecordBatch, examples: int) -> None:
    for row in batch.to_pylist():
        if row["label"] is None or row["frame"] is not None:  # a clip is not searched for a frame
            continue
        key = f"{row['source']}\0{row['member']}\0{row['face']}".encode()
        rank = -int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
        of_label = chosen.setdefault(row["label"], [])
        add = heapq.heappush if len(of_label) < examples else heapq.heappushpop
        add(of_label, Example(rank, row))
