"""Are some groups served worse than others? For any table of predictions with a group column.

    python -m eval audit --table predictions.csv --group age sex --out report

The table (CSV or parquet) has a row for each face: ``target`` and ``prediction`` (emotions), one
column for each ``--group``, and where they are known ``confidence`` (of the prediction, in [0, 1]),
``agreement`` (share of voters that gave the target) and ``unit`` (what is not independent: a
person, a sequence). ``predictions.parquet`` of ``python -m eval`` will do, with the groups in
another table (``--groups``) that has its ``sample_id``. Numbers of many values, each a mean over
its unit, become three bands of equal size. Groups are what people said of themselves or what was
measured: nothing here predicts them.

A group's accuracy depends on the emotions that its faces show. So rates are compared emotion by
emotion (recall), or standardised: weighed by the emotions of all faces (direct standardisation).
A gap (largest minus smallest) is never zero, so beside it stands the gap of shuffled groups, units
whole and within an emotion where a unit has one. It is called found where shuffling gives one as
large in less than 5 % of draws, corrected for the number of gaps looked at (Holm 1979). Cells below
`LEAST` faces are silent, with what they would need.

``spread``: root mean square of the groups' mean deviation from the recall of each face's emotion,
for many small groups such as persons; the rest of the names are in `Audit`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import table as predictions
from eval.records import Record, provenance, record, write_report
from fer_cbam.errors import DataError, FerError
from fer_cbam.labels import canonical_label

STUDY = "audit"
REPORT_FILE = f"{STUDY}.json"
LEAST = 50  # faces of a cell that may speak
SHUFFLES = 2000
LEVEL = 0.05
SOUGHT = 0.10  # the gap that needed_n is stated for
BANDS = ("low", "middle", "high")
MANY = 10  # distinct numbers above which a column is cut into bands


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of N faces.

    targets, said: label names, ``(N,)``. units: int ``(N,)``, faces that are not independent share
    one. confidence, agreement: float ``(N,)`` in [0, 1], None where unknown.
    """

    targets: np.ndarray
    said: np.ndarray
    units: np.ndarray
    confidence: np.ndarray | None = None
    agreement: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Audit:
    """One column.

    groups: names, in order, ``(G,)``. counts: faces of each. emotions: that occur, ``(T,)``.
    positives: faces of each group and emotion, int ``(G, T)``. values: metric -> a value for each
    group, ``(G,)``, NaN where it is silent: ``accuracy``, ``confidence``, ``agreement``;
    standardised by emotion ``standardised_accuracy``, ``calibration`` (confidence minus accuracy),
    ``selection_rate_<emotion>`` (how often it is said); ``recall_<emotion>``. gaps: metric ->
    largest minus smallest, over two groups or more that speak; ``spread`` as in the module.
    shuffled: the same of shuffled groups, ``(S,)``. p: metric -> share of shuffles with a gap as
    large, at least 1 / (S + 1). weights: emotion -> its weight in what is standardised, 0 where a
    group that is compared has too few of it. found: metrics whose gap is no chance.
    """

    groups: tuple[str, ...]
    counts: np.ndarray
    emotions: tuple[str, ...]
    positives: np.ndarray
    values: Mapping[str, np.ndarray]
    gaps: Mapping[str, float]
    shuffled: Mapping[str, np.ndarray]
    p: Mapping[str, float]
    weights: Mapping[str, float]
    found: tuple[str, ...] = field(default=())


def audit(
    answers: Answers, column: Sequence[Any], rng: np.random.Generator, shuffles: int = SHUFFLES
) -> Audit:
    """Compare the groups of a column, a value for each face; None or NaN: left out.

    Raises:
        DataError: fewer than two groups, or another number of values than faces.
    """
    if len(column) != len(answers.targets):
        raise DataError(f"groups: {len(column)} values; expected {len(answers.targets)}")
    known = np.array([not pd.isna(value) for value in column], bool)
    kept = np.flatnonzero(known)
    names, codes = _coded([value for value, k in zip(column, known, strict=True) if k])
    if len(names) < 2:
        raise DataError(f"groups: {', '.join(names) or 'none'}; expected two or more")
    own = _kept(answers, kept)
    emotions, targets = np.unique(own.targets, return_inverse=True)
    measure = _Measure(own, emotions, targets, codes, len(names))
    values, gaps = measure(codes)
    draws = [measure(drawn)[1] for drawn in _shuffled(codes, targets, own.units, rng, shuffles)]
    shuffled = {name: np.array([draw[name] for draw in draws]) for name in gaps}
    p = {name: (1 + np.sum(shuffled[name] >= gap - 1e-12)) / (1 + shuffles)
         for name, gap in gaps.items()}  # fmt: skip
    counts = np.bincount(codes, minlength=len(names))
    if own.agreement is not None:
        total = np.bincount(codes, own.agreement, len(names))
        values["agreement"] = _where(counts >= LEAST, total / counts)
    return Audit(names, counts, tuple(emotions), measure.positives, values, gaps, shuffled, p,
                 dict(zip(emotions, measure.weights, strict=True)), holm(p))  # fmt: skip


def holm(p: Mapping[str, float], level: float = LEVEL) -> tuple[str, ...]:
    """Names whose p stands after Holm's step-down correction (Scandinavian Journal of Statistics
    6, 1979), the smallest first."""
    kept = []
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        if p[name] > level / (len(p) - rank):
            break
        kept.append(name)
    return tuple(kept)


def needed_n(rate: float, gap: float = SOUGHT) -> int:
    """Faces of one emotion that each of two groups needs, so that a true gap in a rate (from rate
    down to rate - gap, in [0, 1]) is found in 80 % of samples at the 5 % level (Fleiss et al. 2003,
    "Statistical Methods for Rates and Proportions", without continuity correction)."""
    lower = max(rate - gap, 0.0) if rate > gap else rate + gap
    mean = (rate + lower) / 2
    root = 1.959964 * np.sqrt(2 * mean * (1 - mean)) + 0.841621 * np.sqrt(
        rate * (1 - rate) + lower * (1 - lower)
    )
    return int(np.ceil((root / (rate - lower)) ** 2))


def bands(values: Sequence[float] | np.ndarray) -> list[str | None]:
    """Thirds of equal size, from low to high; NaN is None."""
    numbers = np.asarray(values, np.float64)
    low, high = np.nanquantile(numbers, (1 / 3, 2 / 3))
    return [None if np.isnan(v) else BANDS[int(v > low) + int(v > high)] for v in numbers]


def unit_means(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Each value's mean over its unit, NaN left out: a unit stands in one band, not in several."""
    series = pd.Series(np.asarray(values, np.float64))
    return series.groupby(units).transform("mean").to_numpy()


class _Measure:
    """Values and gaps of one coding of the groups; which cells speak is fixed by the real one."""

    def __init__(
        self, answers: Answers, emotions: np.ndarray, targets: np.ndarray, codes: np.ndarray,
        groups: int,
    ) -> None:  # fmt: skip
        self.answers, self.emotions, self.targets, self.groups = answers, emotions, targets, groups
        self.hits = (answers.said == answers.targets).astype(np.float64)
        position = {emotion: i for i, emotion in enumerate(emotions)}
        self.said = np.array([position.get(said, len(emotions)) for said in answers.said])
        self.positives = self._cells(codes)
        self.speaks = self.positives >= LEAST
        commonest = int(np.bincount(targets).argmax())
        self.comparable = self.speaks[:, commonest]  # groups that are standardised
        # Emotions that they are weighed by.
        self.shared: np.ndarray = np.all(self.speaks[self.comparable], axis=0)
        share = np.bincount(targets, minlength=len(emotions)) * self.shared
        self.weights = share / max(share.sum(), 1)
        recall = np.bincount(targets, self.hits) / np.bincount(targets)
        self.deviation = self.hits - recall[targets]

    def _cells(self, codes: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
        """Counts, or sums of a value, of each group and emotion, ``(G, T)``."""
        size = self.groups * len(self.emotions)
        cells = np.bincount(codes * len(self.emotions) + self.targets, of, size)
        return cells.reshape(self.groups, len(self.emotions))

    def __call__(self, codes: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        count = np.bincount(codes, minlength=self.groups)
        cells = np.maximum(self._cells(codes), 1)
        recall = self._cells(codes, self.hits) / cells
        values = {"standardised_accuracy": self._standardised(recall)}
        if self.answers.confidence is not None:
            confident = self._cells(codes, self.answers.confidence) / cells
            values["calibration"] = self._standardised(confident - recall)
        for i, emotion in enumerate(self.emotions):
            values[f"recall_{emotion}"] = np.where(self.speaks[:, i], recall[:, i], np.nan)
            chosen = self._cells(codes, (self.said == i).astype(np.float64)) / cells
            if self.shared[i]:
                values[f"selection_rate_{emotion}"] = self._standardised(chosen)
        gaps = {
            name: float(np.nanmax(own) - np.nanmin(own))
            for name, own in values.items()
            if np.isfinite(own).sum() > 1
        }
        mean = np.bincount(codes, self.deviation, self.groups) / np.maximum(count, 1)
        gaps["spread"] = float(np.sqrt((count * mean**2).sum() / count.sum()))
        shown = count >= LEAST
        values["accuracy"] = _where(
            shown, np.bincount(codes, self.hits, self.groups) / np.maximum(count, 1)
        )
        if self.answers.confidence is not None:
            total = np.bincount(codes, self.answers.confidence, self.groups)
            values["confidence"] = _where(shown, total / np.maximum(count, 1))
        return values, gaps

    def _standardised(self, cells: np.ndarray) -> np.ndarray:
        if self.comparable.sum() < 2:
            return np.full(self.groups, np.nan)
        return _where(self.comparable, cells @ self.weights)


def _where(shown: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(shown, values, np.nan)


def _coded(column: Sequence[Any]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and codes; bands from low to high, all else by name."""
    texts = np.array([str(value) for value in column])
    names = sorted(set(texts), key=lambda n: (BANDS.index(n) if n in BANDS else len(BANDS), n))
    position = {name: i for i, name in enumerate(names)}
    return tuple(names), np.array([position[text] for text in texts], np.int64)


def _kept(answers: Answers, rows: np.ndarray) -> Answers:
    confidence, agreement = answers.confidence, answers.agreement
    return Answers(
        answers.targets[rows], answers.said[rows], answers.units[rows],
        None if confidence is None else confidence[rows],
        None if agreement is None else agreement[rows],
    )  # fmt: skip


def _shuffled(
    codes: np.ndarray, targets: np.ndarray, units: np.ndarray, rng: np.random.Generator, times: int
) -> Iterator[np.ndarray]:
    """Codes dealt out anew: to whole units, within an emotion where every unit has one.

    Where a unit stands in several groups (brightness within a sequence) faces are dealt out alone.
    """
    unit = np.unique(units, return_inverse=True)[1]
    if not _constant(codes, unit):
        unit = np.arange(len(codes))
    first = np.unique(unit, return_index=True)[1]
    of_unit = codes[first]
    strata = targets[first] if _constant(targets, unit) else np.zeros(len(first), np.int64)
    parts = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for _ in range(times):
        dealt = of_unit.copy()
        for part in parts:
            dealt[part] = rng.permutation(of_unit[part])
        yield dealt[unit]


def _constant(values: np.ndarray, unit: np.ndarray) -> bool:
    first = np.unique(unit, return_index=True)[1]
    return bool((values == values[first][unit]).all())


def audit_records(found: Audit, column: str, **common: Any) -> Iterator[Record]:
    """Records of one column (their condition); the group is that of the column.

    ``gap_<metric>`` with ``p_<metric>``, ``found_<metric>`` (1 or 0) and ``shuffled_gap_<metric>``
    (mean, and the range of 95 % of the shuffles). ``silent_<emotion>``: faces of the second largest
    group of an emotion of which no two groups speak. ``weight_<emotion>``: see `Audit`.
    ``needed``: `needed_n` from a recall of 0.8.
    """
    fields = {**common, "condition": column}
    for i, group in enumerate(found.groups):
        yield record("faces", int(found.counts[i]), group=group, **fields)
        for name, own in found.values.items():
            if np.isfinite(own[i]):
                yield record(name, own[i], group=group, n=int(found.counts[i]), **fields)
    for name, gap in found.gaps.items():
        low, high = np.percentile(found.shuffled[name], (2.5, 97.5))
        yield record(f"gap_{name}", gap, **fields)
        yield record(f"shuffled_gap_{name}", found.shuffled[name].mean(), low=low, high=high,
                     **fields)  # fmt: skip
        yield record(f"p_{name}", found.p[name], **fields)
        yield record(f"found_{name}", int(name in found.found), **fields)
    for i, emotion in enumerate(found.emotions):
        if f"recall_{emotion}" not in found.gaps:
            most = int(np.sort(found.positives[:, i])[-2])
            yield record(f"silent_{emotion}", most, **fields)
    for emotion, weight in found.weights.items():
        yield record(f"weight_{emotion}", weight, **fields)
    yield record("needed", needed_n(0.8), **fields)


def read_table(path: Path, groups: Path | None = None) -> pd.DataFrame:
    """A table with ``target``, ``prediction`` and what else it has; see the module.

    Raises:
        DataError: unreadable, or without these columns, or groups for other faces.
    """
    table = _read(path)
    if any(column.startswith(predictions.LOGIT) for column in table.columns):
        table = _of_predictions(path)
    if groups is not None:
        more = _read(groups)
        if "sample_id" not in more or "sample_id" not in table:
            raise DataError(f"{groups}: no column sample_id in both tables; expected it to join on")
        more["sample_id"] = more["sample_id"].astype(str)
        table = table.merge(more, on="sample_id", how="left", validate="one_to_one")
    missing = {"target", "prediction"} - set(table.columns)
    if missing:
        raise DataError(f"{path}: columns {', '.join(table.columns)}; expected also "
                        f"{', '.join(sorted(missing))}")  # fmt: skip
    for name in ("target", "prediction"):
        table[name] = [canonical_label(str(value)) for value in table[name]]
    return table


def _read(path: Path) -> pd.DataFrame:
    try:
        parquet = path.suffix.lower() == ".parquet"
        return pd.read_parquet(path) if parquet else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable CSV or parquet file ({error})") from error


def _of_predictions(path: Path) -> pd.DataFrame:
    """What `eval.predict` wrote, with what it says of each face."""
    whole = predictions.read(path)
    scored = predictions.scored(whole)
    table = whole[["sample_id", "subject_id", "group", "split", "target"]].copy()
    table["sample_id"] = table["sample_id"].astype(str)
    table["prediction"] = np.array(scored.label_names)[scored.preds]
    table["confidence"] = scored.confidence
    table["unit"] = whole["subject_id"].fillna(whole["group"]).fillna(whole["sample_id"])
    return table


def answers_of(table: pd.DataFrame) -> Answers:
    """The columns of `read_table` as arrays."""
    unit = table["unit"] if "unit" in table else pd.Series(range(len(table)))
    optional = {name: table[name].to_numpy(np.float64) if name in table else None
                for name in ("confidence", "agreement")}  # fmt: skip
    return Answers(table["target"].to_numpy(object), table["prediction"].to_numpy(object),
                   pd.factorize(unit)[0], **optional)  # fmt: skip


def column_of(table: pd.DataFrame, name: str) -> list[Any]:
    """A group column; numbers of more than `MANY` values as bands.

    Raises:
        DataError: there is no such column.
    """
    if name not in table:
        raise DataError(f"group {name!r}; expected one of: {', '.join(table.columns)}")
    own = table[name]
    if pd.api.types.is_numeric_dtype(own) and own.nunique() > MANY:
        units = table["unit"] if "unit" in table else np.arange(len(table))
        return list(bands(unit_means(own.to_numpy(np.float64), pd.factorize(units)[0])))
    return [None if pd.isna(value) else value for value in own]


def sentences(found: Audit) -> list[str]:
    """What holds of a column, one sentence each."""
    said = []
    for name in found.found:
        high = np.percentile(found.shuffled[name], 97.5)
        shown = f"{found.gaps[name]:.3f} (shuffled groups: up to {high:.3f})"
        own = found.values.get(name)
        if own is None:
            said.append(f"the groups differ: {name} {shown}")
        else:
            best, worst = found.groups[int(np.nanargmax(own))], found.groups[int(np.nanargmin(own))]
            said.append(f"{name}: {shown}, most for {best}, least for {worst}")
    return said or ["no gap that shuffled groups do not show as well"]


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval audit", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--table", type=Path, required=True, help="CSV or parquet, a row for each face")
    add("--groups", type=Path, help="another table with sample_id and the group columns")
    add("--group", nargs="+", required=True, metavar="COLUMN", help="columns to compare by")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    add("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    records: list[Record] = []
    try:
        table = read_table(args.table, args.groups)
        for name in args.group:
            rng = np.random.default_rng(args.seed)
            found = audit(answers_of(table), column_of(table, name), rng)
            records += audit_records(found, name)
            print(name)
            for sentence in (*sentences(found), *silence(found)):
                print(f"  {sentence}")
        made = provenance("eval", [STUDY, *arguments])
        write_report(args.out / REPORT_FILE, STUDY, made, records, faces=len(table))
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def silence(found: Audit) -> list[str]:
    """What is not said, and what it would need."""
    quiet = [e for e in found.emotions if f"recall_{e}" not in found.gaps]
    if not quiet:
        return []
    return [f"not said of {', '.join(quiet)}: fewer than two groups have {LEAST} faces of them. To "
            f"see a gap of {SOUGHT:.0%} below a recall of 80 %, each group needs "
            f"{needed_n(0.8)} faces of an emotion"]  # fmt: skip


if __name__ == "__main__":
    main()
