"""What a section of the report is, and what it is given."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from eval.predict import decision
from eval.records import DECIMALS, Record, record
from fer_cbam.backends.base import Backend
from fer_cbam.decide import Decision
from fer_cbam.types import Sample

FACES = 950  # that costly sections look at
QUICK_FACES = 100
T = TypeVar("T")
#: ``fields`` of a record, and of N faces ``sample_ids``, ``subject_ids`` (None where a person is
#: not known) and ``values``.
FaceValues = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Subject:
    """Weights, and the faces that they are looked at with; the same for every section.

    backend: the weights, opened. data, protocol, weights: names for the records. table: what the
    weights said of each of N test faces, see :mod:`eval.table`; with ``quick`` of `QUICK_FACES`
    only. samples: the same faces with pixels and labels, in the order of the table. votes: int
    ``(N, 10)``, FER+'s counts in the order of :data:`~fer_cbam.labels.FERPLUS_COLUMNS`; None where
    there are none. seed: of all that is drawn. train: the faces that the protocol trains on and
    never tests, for methods to compare with; empty where it has none. runtime: the same weights for
    who asks them often, on ONNX Runtime where that is possible; None for ``backend``. kept: what
    sections leave for a comparison, see `keep`. shuffled: a network of the same architecture that
    learnt shuffled labels (:mod:`eval.studies.shuffled_labels`), opened as ``backend`` is.
    store: a folder for what a section has done of itself, see `done`; None for none.
    """

    backend: Backend
    data: str
    protocol: str
    weights: str
    table: pd.DataFrame
    samples: Sequence[Sample]
    votes: np.ndarray | None = None
    quick: bool = False
    seed: int = 0
    train: Sequence[Sample] = ()
    runtime: Backend | None = None
    kept: list[FaceValues] = field(default_factory=list)
    shuffled: Backend | None = None
    store: Path | None = None

    @property
    def fast(self) -> Backend:
        """The same weights with the same answers, on what runs them fastest."""
        return self.runtime or self.backend

    @property
    def crops(self) -> list[np.ndarray]:
        """Of each face, uint8 ``(h, w)`` or ``(h, w, 3)``."""
        return [sample.pixels for sample in self.samples]

    @property
    def targets(self) -> np.ndarray:
        """int64 ``(N,)``: place of the true label in the logits; -1 for one that the weights do not
        know."""
        known = {label: i for i, label in enumerate(self.backend.label_names)}
        return np.array([known.get(sample.label, -1) for sample in self.samples], np.int64)

    @property
    def decision(self) -> Decision:
        """How logits become calibrated probabilities and a label."""
        return decision(self.backend)

    def rng(self, name: str) -> np.random.Generator:
        """A generator of a section's own: what it draws does not depend on what ran before."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def some(self, count: int = FACES) -> np.ndarray:
        """Positions of at most that many faces, sorted, as many of each emotion as there are."""
        return evenly([s.label for s in self.samples], count, self.rng("faces"))

    def record(self, metric: str, value: Any, **fields: Any) -> Record:
        """A record of these weights, see :func:`eval.records.record`."""
        own = {"data": self.data, "protocol": self.protocol, "weights": self.weights}
        return record(metric, value, **{**own, **fields})

    def keep(self, rows: pd.DataFrame, metric: str, values: np.ndarray, **fields: Any) -> None:
        """Leave the value of each face behind a mean, so that two sets of weights can be compared
        on the same faces (:mod:`eval.trust.compare`).

        rows: of the table, N of them. values: ``(N,)``. metric, fields: those of the record.
        """
        persons = rows["subject_id"].astype(object)
        self.kept.append({
            "fields": {**fields, "metric": metric},
            "sample_ids": list(rows["sample_id"]),
            "subject_ids": list(persons.where(persons.notna(), None)),
            "values": [round(float(v), DECIMALS) for v in values],
        })  # fmt: skip

    def done(self, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """What ``make()`` gives, or gave in an earlier run of the same section that was stopped.

        name: of this part of the section; a file's name. make: it may not change anything else, nor
        draw from a generator that is used after it.
        """
        if self.store is None:
            return make()
        path = self.store / f"{name}.npz"
        if path.is_file():
            with np.load(path) as known:
                return dict(known)
        found = make()
        self.store.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part")
        with aside.open("wb") as file:
            np.savez(file, **found)  # type: ignore[arg-type, unused-ignore]
        aside.replace(path)
        return found

    def progress(self, items: Iterable[T], what: str) -> Iterable[T]:
        """The same items, under a progress bar where there is a terminal."""
        return tqdm(items, desc=what, leave=False, disable=None)


class Section(Protocol):
    """One question. A module is one, by its names.

    name: of its file of records, and its anchor in the page. title: its heading.
    """

    name: str
    title: str

    def measure(self, subject: Subject) -> list[Record]:
        """Records, each made with ``subject.record``; the same for the same subject."""
        ...

    def compared(self, record: Record) -> bool:
        """Whether a comparison of two weights shows this record."""
        ...

    def html(self, records: Sequence[Record]) -> str:
        """What the page says of them, from the records alone: HTML without any reference to another
        file, see :mod:`eval.trust.page` for its parts."""
        ...


def evenly(labels: Sequence[str], count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most ``count`` items, sorted: drawn in turns from each label until one turn
    more would be too many or nothing is left."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    seen: dict[str, int] = {}
    for position in order:
        turn[position] = seen[labels[position]] = seen.get(labels[position], -1) + 1
    by_turn = order[np.argsort(turn[order], kind="stable")]
    return np.sort(by_turn[:count])
