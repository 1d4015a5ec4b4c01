"""Protocols: which samples train and which are tested.

``paper``: stratified random 80/20 of the images (Joy & Obasi 2025); on CK+48 nearly every test
image has a frame of its sequence in training, see :func:`sequence_overlap`. ``subject10``: ten
folds of CK+48, nobody on both sides; the folds are frozen in ``ckplus48_subject10.json``, which

    python -m fer_cbam.data.protocols CKPLUS48 > fer_cbam/data/ckplus48_subject10.json

makes again from the data. ``public``, ``private``: FER2013's Training split against PublicTest or
PrivateTest; what is not tested is not trained on either, nor is an image of Training that has a
near-identical one in PublicTest or PrivateTest (:func:`twins_across`). ``cross``: a data set that
was not trained on; its own ``test`` split where it has one, else its ``val`` split, else all of it.
``folds5`` (or 2 to 20): pictures of one's own in so many parts, each of which is tested once;
nobody on both sides where subjects are known, else at random within labels.

scikit-learn is needed to make random splits, and is loaded only then.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_cbam.data import twins
from fer_cbam.data.base import Dataset
from fer_cbam.errors import DataError

Indices = npt.NDArray[np.int64]

SUBJECT10_FILE = Path(__file__).with_name("ckplus48_subject10.json")
CROSS = "cross"
FOLDS = re.compile(r"folds([2-9]|1\d|20)")
_FOLDS = 10
_TEST_FRACTION = 0.2


@dataclass(frozen=True, eq=False)
class Split:
    """One way to part a data set.

    train, test: positions in ``Dataset.samples``, int64, sorted, disjoint; train is empty under
    ``cross``. name: ``"seed3"``, ``"fold7"``, ``"public"``, ``"private"`` or ``"cross"``. index:
    the seed or fold, else 0.

    Raises:
        DataError: a side is empty that must not be, or a sample stands on both or twice.
    """

    train: Indices
    test: Indices
    name: str
    index: int = 0

    def __post_init__(self) -> None:
        for side in ("train", "test"):
            positions = np.sort(np.asarray(getattr(self, side), np.int64))
            if not positions.size and (side, self.name) != ("train", CROSS):
                raise DataError(f"split {self.name!r}: no {side} samples; expected some")
            object.__setattr__(self, side, positions)
        both = np.concatenate([self.train, self.test])
        if len(np.unique(both)) != len(both):
            raise DataError(f"split {self.name!r}: a sample comes twice; expected each once")


def protocol_splits(
    dataset: Dataset, protocol: str, *, seeds: Iterable[int] = range(5)
) -> tuple[Split, ...]:
    """The splits of a protocol: one for each seed (``paper``) or fold, or one.

    Raises:
        DataError: an unknown protocol, or a data set that it does not fit.
    """
    if protocol == "paper":
        return tuple(_paper_split(dataset, seed) for seed in seeds)
    if match := FOLDS.fullmatch(protocol):
        return _own_folds(dataset, int(match[1]))
    if protocol not in _FIXED:
        raise DataError(f"protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}, or folds5")
    return _FIXED[protocol](dataset)


def validation_part(
    dataset: Dataset,
    train_indices: npt.ArrayLike,
    fraction: float,
    seed: int,
    by_subject: bool,
) -> tuple[Indices, Indices]:
    """Part the training side into (train, validation), stratified by label, both sorted.

    fraction: share of the training side, in (0, 0.5], that goes to validation. by_subject: keep
    subjects whole; the share is then the nearest 1/k, and as near to it as subjects allow. Nothing
    but train_indices is looked at.

    Raises:
        DataError: the fraction is out of range, a class or the subjects are too few, or a subject
            is not known (by_subject).
    """
    if not 0 < fraction <= 0.5:
        raise DataError(f"validation fraction {fraction}; expected above 0 and at most 0.5")
    indices = np.sort(np.asarray(train_indices, np.int64))
    part = dataset.subset(indices)
    if by_subject:
        folds = round(1 / fraction)
        fold_of = subject_folds(part, folds=folds, seed=seed)
        held = np.array([fold_of[subject] == 0 for subject in _subjects(part)])
    else:
        held = _held_out(part, fraction, seed)
    if not held.any():
        raise DataError(
            f"{dataset.name}: no subject is left for validation; expected more subjects"
        )
    return indices[~held], indices[held]


def sequence_overlap(dataset: Dataset, split: Split) -> float:
    """Share of test samples, in [0, 1], whose group (sequence) also has a sample in train.

    Raises:
        DataError: a sample has no group.
    """
    groups = [sample.group for sample in dataset.samples]
    if None in groups:
        sample_id = dataset.samples[groups.index(None)].sample_id
        raise DataError(f"{dataset.name}: sample {sample_id!r} has no group; expected sequences")
    trained = {groups[i] for i in split.train}
    return float(np.mean([groups[i] in trained for i in split.test]))


def twins_across(dataset: Dataset) -> npt.NDArray[np.bool_]:
    """bool ``(N,)``: whether a group-mate of a sample stands on the other side of its split.

    One side is ``Training``, the other PublicTest and PrivateTest together. For a sample of
    Training it says that a test image is nearly the same, for a test image that Training holds
    nearly the same. Groups of FER2013 are those of the whole file: a twin that FER+ drops counts.
    """
    sides: dict[str, set[bool]] = {}
    for sample in dataset.samples:
        if sample.group is not None:
            sides.setdefault(sample.group, set()).add(sample.split == "Training")
    torn = {group for group, found in sides.items() if len(found) > 1} | twins.torn_groups()
    return np.array([sample.group in torn for sample in dataset.samples], bool)


def subject_folds(dataset: Dataset, *, folds: int = _FOLDS, seed: int = 0) -> dict[str, int]:
    """subject_id -> fold, whole subjects, classes as even as they allow; sorted by subject.

    scikit-learn's StratifiedGroupKFold, shuffled.

    Raises:
        DataError: a sample without a subject, or fewer subjects or samples of a class than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    subjects, targets = _subjects(dataset), dataset.targets()
    if len(set(subjects)) < folds:
        raise DataError(
            f"{dataset.name}: {len(set(subjects))} subjects; expected at least {folds}, one a fold"
        )
    _check_counts(dataset, targets, folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold_of: dict[str, int] = {}
    for fold, (_, test) in enumerate(splitter.split(targets, targets, subjects)):
        fold_of.update((subjects[i], fold) for i in test)
    return dict(sorted(fold_of.items()))


def _paper_split(dataset: Dataset, seed: int) -> Split:
    test = _held_out(dataset, _TEST_FRACTION, seed)
    return Split(np.flatnonzero(~test), np.flatnonzero(test), f"seed{seed}", seed)


def _held_out(dataset: Dataset, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """A stratified random share of the samples, bool ``(N,)``, as train_test_split does."""
    from sklearn.model_selection import train_test_split

    targets = dataset.targets()
    _check_counts(dataset, targets, 2)
    present = len(np.unique(targets))
    if min(fraction, 1 - fraction) * len(targets) < present:
        raise DataError(
            f"{dataset.name}: {len(targets)} samples of {present} classes; expected enough for one "
            f"of each class in a share of {fraction}"
        )
    _, test = train_test_split(
        np.arange(len(targets)), test_size=fraction, stratify=targets, random_state=seed
    )
    held = np.zeros(len(targets), bool)
    held[test] = True
    return held


def _check_counts(dataset: Dataset, targets: Indices, least: int) -> None:
    counts = np.bincount(targets, minlength=len(dataset.label_names))
    for label, count in zip(dataset.label_names, counts, strict=True):
        if 0 < count < least:
            raise DataError(
                f"{dataset.name}: {count} samples of {label!r}; expected at least {least}"
            )


def _subjects(dataset: Dataset) -> list[str]:
    subjects = []
    for sample in dataset.samples:
        if sample.subject_id is None:
            raise DataError(
                f"{dataset.name}: sample {sample.sample_id!r} has no subject; expected every "
                "sample to name one"
            )
        subjects.append(sample.subject_id)
    return subjects


def _subject10_splits(dataset: Dataset) -> tuple[Split, ...]:
    fold_of: Mapping[str, int] = json.loads(SUBJECT10_FILE.read_text(encoding="utf-8"))
    subjects = _subjects(dataset)
    for wrong, what in (
        (set(subjects) - set(fold_of), "not in the frozen folds"),
        (set(fold_of) - set(subjects), "of the frozen folds not in the data"),
    ):
        if wrong:
            names = ", ".join(sorted(wrong)[:5]) + (" and more" if len(wrong) > 5 else "")
            raise DataError(
                f"{dataset.name}: {len(wrong)} subjects {what} ({names}); expected exactly the "
                f"{len(fold_of)} subjects of CK+48"
            )
    folds = np.array([fold_of[subject] for subject in subjects])
    return tuple(
        Split(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold), f"fold{fold}", fold)
        for fold in range(_FOLDS)
    )


def _own_folds(dataset: Dataset, folds: int) -> tuple[Split, ...]:
    """Nobody on both sides where every sample says who it is, else stratified by label."""
    from sklearn.model_selection import StratifiedKFold

    targets = dataset.targets()
    if all(sample.subject_id is not None for sample in dataset.samples):
        fold_of = subject_folds(dataset, folds=folds)
        fold = np.array([fold_of[subject] for subject in _subjects(dataset)])
    else:
        _check_counts(dataset, targets, folds)
        fold = np.empty(len(targets), np.int64)
        splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
        for number, (_, test) in enumerate(splitter.split(targets, targets)):
            fold[test] = number
    return tuple(
        Split(np.flatnonzero(fold != k), np.flatnonzero(fold == k), f"fold{k}", k)
        for k in range(folds)
    )


def _cross_split(dataset: Dataset) -> tuple[Split, ...]:
    found = np.array([sample.split or "" for sample in dataset.samples])
    own = next((name for name in ("test", "val") if name in found), None)
    test = np.arange(len(found)) if own is None else np.flatnonzero(found == own)
    return (Split(np.empty(0, np.int64), test, CROSS),)


def _official(name: str, test_split: str) -> Callable[[Dataset], tuple[Split, ...]]:
    def splits(dataset: Dataset) -> tuple[Split, ...]:
        found = np.array([sample.split or "" for sample in dataset.samples])
        for wanted in ("Training", test_split):
            if wanted not in found:
                raise DataError(f"{dataset.name}: no sample of the split {wanted!r}, which the "
                                f"protocol {name!r} needs")  # fmt: skip
        train = np.flatnonzero((found == "Training") & ~twins_across(dataset))
        return (Split(train, np.flatnonzero(found == test_split), name),)

    return splits


_FIXED: dict[str, Callable[[Dataset], tuple[Split, ...]]] = {
    "subject10": _subject10_splits,
    "public": _official("public", "PublicTest"),
    "private": _official("private", "PrivateTest"),
    CROSS: _cross_split,
}
PROTOCOLS = ("paper", *_FIXED)


def protocol_name(text: str) -> str:
    """A protocol as an argument of a command.

    Raises:
        ValueError: there is none of that name.
    """
    if text not in PROTOCOLS and not FOLDS.fullmatch(text):
        raise ValueError(f"protocol {text!r}; expected one of {', '.join(PROTOCOLS)}, or folds5")
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the folds of ``subject10`` as JSON: ``python -m fer_cbam.data.protocols CKPLUS48``."""
    import argparse

    from fer_cbam.data import load

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("ckplus48", help="CK+48, folder or zip")
    path = parser.parse_args(arguments).ckplus48
    json.dump(subject_folds(load(path)), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
