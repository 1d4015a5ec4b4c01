"""Protocols: who trains, who is tested, and that nobody does both."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from fer_cbam.data import protocols
from fer_cbam.data.base import Dataset
from fer_cbam.data.protocols import (
    Split,
    protocol_splits,
    sequence_overlap,
    subject_folds,
    validation_part,
)
from fer_cbam.errors import DataError
from fer_cbam.types import Sample

PIXELS = np.zeros((1, 1), np.uint8)
FROZEN = json.loads(protocols.SUBJECT10_FILE.read_text())
LABELS = ("anger", "disgust", "fear", "happiness")


def sequences(subjects: list[str], labels: tuple[str, ...] = LABELS) -> Dataset:
    """Three frames of one sequence for each label but one, for each subject."""
    samples = []
    for number, subject in enumerate(subjects):
        for sequence, label in enumerate(labels):
            if sequence == number % (2 * len(labels)):
                continue
            group = f"{subject}_{sequence:03d}"
            samples += [
                Sample(f"{group}_{frame}", PIXELS, label, subject_id=subject, group=group)
                for frame in range(3)
            ]
    return Dataset("ckplus48", labels, tuple(samples))


def labelled(counts: dict[str, int], split: str | None = None) -> Dataset:
    """Samples with nothing but a label (and a split)."""
    samples = [
        Sample(f"{split}{label}{i}", PIXELS, label, split=split)
        for label, count in counts.items() for i in range(count)
    ]  # fmt: skip
    return Dataset("tiny", tuple(counts), tuple(samples))


def test_split_sorts_and_checks_itself() -> None:
    split = Split(np.array([3, 0]), np.array([2, 1]), "x")
    assert (split.train.tolist(), split.test.tolist()) == ([0, 3], [1, 2])
    assert split.train.dtype == split.test.dtype == np.int64
    for train, test in (([0, 1], [1]), ([0, 0], [1])):
        with pytest.raises(DataError, match="comes twice"):
            Split(np.array(train), np.array(test), "x")
    with pytest.raises(DataError, match="no test samples"):
        Split(np.array([0]), np.array([]), "x")
    with pytest.raises(DataError, match="no train samples"):
        Split(np.array([]), np.array([0]), "x")


@pytest.mark.parametrize(
    ("splits", "tested"),
    [
        ((None, None), [0, 1]),
        (("train", "test", "val"), [1]),
        (("val", "train", "val"), [0, 2]),
        (("straight", "half_left"), [0, 1]),
    ],
)
def test_cross_tests_what_a_data_set_keeps_for_tests(splits: tuple, tested: list[int]) -> None:
    samples = [Sample(str(i), PIXELS, "fear", split=s) for i, s in enumerate(splits)]
    (split,) = protocol_splits(Dataset("tiny", ("fear",), tuple(samples)), "cross")
    assert (split.name, split.train.tolist(), split.test.tolist()) == ("cross", [], tested)


def test_paper_splits_are_stratified_repeatable_and_differ_by_seed() -> None:
    counts = {"anger": 135, "contempt": 54, "disgust": 177, "fear": 75}
    dataset = labelled(counts)
    splits = protocol_splits(dataset, "paper", seeds=(0, 1, 7))
    assert [(s.name, s.index) for s in splits] == [("seed0", 0), ("seed1", 1), ("seed7", 7)]
    for split in splits:
        assert sorted([*split.train, *split.test]) == list(range(441))
        assert len(split.test) == 89  # 0.2 * 441 = 88.2, rounded up
        tested = Counter(dataset.samples[i].label for i in split.test)
        assert all(abs(tested[label] - 0.2 * count) < 1 for label, count in counts.items())
    again = protocol_splits(dataset, "paper", seeds=(7,))[0]
    np.testing.assert_array_equal(again.test, splits[2].test)
    assert set(splits[0].test) != set(splits[1].test)
    assert len(protocol_splits(dataset, "paper")) == 5


def test_paper_needs_enough_of_each_class() -> None:
    with pytest.raises(DataError, match="1 samples of 'fear'; expected at least 2"):
        protocol_splits(labelled({"anger": 20, "fear": 1}), "paper")
    with pytest.raises(DataError, match="9 samples of 3 classes; expected enough"):
        protocol_splits(labelled({"anger": 3, "fear": 3, "disgust": 3}), "paper")


def test_subject10_follows_the_frozen_folds() -> None:
    dataset = sequences(sorted(FROZEN))
    splits = protocol_splits(dataset, "subject10")
    assert [(s.name, s.index) for s in splits] == [(f"fold{i}", i) for i in range(10)]
    for split in splits:
        tested = {dataset.samples[i].subject_id for i in split.test}
        trained = {dataset.samples[i].subject_id for i in split.train}
        assert tested == {subject for subject, fold in FROZEN.items() if fold == split.index}
        assert tested.isdisjoint(trained)
        assert sequence_overlap(dataset, split) == 0
    tested_at = np.concatenate([split.test for split in splits])
    assert sorted(tested_at) == list(range(len(dataset)))


def test_frozen_folds_are_ten_of_118_subjects() -> None:
    assert len(FROZEN) == 118
    assert list(FROZEN) == sorted(FROZEN)
    sizes = Counter(FROZEN.values())
    assert set(sizes) == set(range(10))
    assert all(10 <= size <= 14 for size in sizes.values())


def test_subject10_wants_exactly_the_subjects_it_knows() -> None:
    known = sorted(FROZEN)
    with pytest.raises(DataError, match=r"1 subjects not in the frozen folds \(S000\)"):
        protocol_splits(sequences([*known, "S000"]), "subject10")
    with pytest.raises(DataError, match=r"2 subjects of the frozen folds not in the data \(S005"):
        protocol_splits(sequences(known[2:]), "subject10")
    with pytest.raises(DataError, match="has no subject"):
        protocol_splits(labelled({"anger": 20}), "subject10")


@pytest.mark.parametrize(
    ("protocol", "tested"), [("public", "PublicTest"), ("private", "PrivateTest")]
)
def test_official_splits_are_not_swapped(protocol: str, tested: str) -> None:
    order = ["PrivateTest", "Training", "PublicTest", "Training", "PrivateTest"]
    samples = [Sample(str(i), PIXELS, "fear", split=split) for i, split in enumerate(order)]
    (split,) = protocol_splits(Dataset("fer2013", ("fear",), tuple(samples)), protocol)
    assert (split.name, split.train.tolist()) == (protocol, [1, 3])
    assert split.test.tolist() == [i for i, name in enumerate(order) if name == tested]


@pytest.mark.parametrize("protocol", ["public", "private"])
def test_official_splits_need_both_sides(protocol: str) -> None:
    with pytest.raises(DataError, match=r"no sample of the split 'P.*Test'"):
        protocol_splits(labelled({"anger": 3}, "Training"), protocol)
    with pytest.raises(DataError, match="no sample of the split 'Training'"):
        protocol_splits(labelled({"anger": 3}, "PublicTest"), protocol)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(DataError, match="'loso'; expected one of paper, subject10, public, privat"):
        protocol_splits(labelled({"anger": 3}), "loso")


def test_sequence_overlap_by_hand() -> None:
    samples = [Sample(str(i), PIXELS, "fear", group=g) for i, g in enumerate("aabbc")]
    dataset = Dataset("tiny", ("fear",), tuple(samples))
    # Tested are a, b and c; trained on a and b: two of three.
    split = Split(np.array([0, 2]), np.array([1, 3, 4]), "x")
    assert sequence_overlap(dataset, split) == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="has no group"):
        sequence_overlap(labelled({"anger": 5}), split)


def test_validation_part_of_images() -> None:
    dataset = labelled({"anger": 100, "fear": 50})
    outer = protocol_splits(dataset, "paper", seeds=(0,))[0]
    train, validation = validation_part(dataset, outer.train, 0.25, seed=3, by_subject=False)
    assert sorted([*train, *validation]) == outer.train.tolist()
    # Of 80 anger and 40 fear on the training side, a quarter each.
    assert Counter(dataset.samples[i].label for i in validation) == {"anger": 20, "fear": 10}
    again = validation_part(dataset, outer.train[::-1], 0.25, seed=3, by_subject=False)
    np.testing.assert_array_equal(again[1], validation)
    other = validation_part(dataset, outer.train, 0.25, seed=4, by_subject=False)
    assert set(other[1]) != set(validation)


def test_validation_part_of_subjects() -> None:
    dataset = sequences(sorted(FROZEN))
    outer = protocol_splits(dataset, "subject10")[3]
    train, validation = validation_part(dataset, outer.train, 0.1, seed=0, by_subject=True)
    assert sorted([*train, *validation]) == outer.train.tolist()
    subjects = [
        {dataset.samples[i].subject_id for i in part} for part in (train, validation, outer.test)
    ]
    assert not subjects[0] & subjects[1]
    assert not subjects[1] & subjects[2]
    assert 0.07 < len(validation) / len(outer.train) < 0.13
    per_label = Counter(dataset.samples[i].label for i in validation)
    whole = Counter(dataset.samples[i].label for i in outer.train)
    assert all(abs(per_label[label] - 0.1 * whole[label]) <= 6 for label in whole)
    other = validation_part(dataset, outer.train, 0.1, seed=1, by_subject=True)
    assert set(other[1]) != set(validation)


def test_validation_part_says_what_is_too_little() -> None:
    dataset = sequences(["S001", "S002", "S003"])
    everything = np.arange(len(dataset))
    with pytest.raises(DataError, match="3 subjects; expected at least 10"):
        validation_part(dataset, everything, 0.1, 0, by_subject=True)
    for fraction in (0, 0.6, float("nan")):
        with pytest.raises(DataError, match=r"expected above 0 and at most 0\.5"):
            validation_part(dataset, everything, fraction, 0, by_subject=False)
    with pytest.raises(DataError, match="has no subject"):
        validation_part(labelled({"anger": 30}), np.arange(30), 0.2, 0, by_subject=True)


def test_subject_folds_do_not_depend_on_the_order_of_samples() -> None:
    dataset = sequences(sorted(FROZEN))
    mixed = dataset.subset(np.random.default_rng(0).permutation(len(dataset)))
    assert subject_folds(mixed) == subject_folds(dataset)


@pytest.mark.data
def test_frozen_folds_are_what_the_generator_makes(data_dir, capsys) -> None:
    protocols.main([str(data_dir / "ckplus48.zip")])
    assert capsys.readouterr().out == protocols.SUBJECT10_FILE.read_text()


@pytest.mark.data
def test_real_folds_are_even_and_keep_people_apart(real_ckplus48: Dataset) -> None:
    targets = real_ckplus48.targets()
    subjects = np.array([s.subject_id for s in real_ckplus48.samples])
    whole = np.bincount(targets)
    splits = protocol_splits(real_ckplus48, "subject10")
    for split in splits:
        assert not set(subjects[split.train]) & set(subjects[split.test])
        assert 96 <= len(split.test) <= 102
        # Within four frames, little more than one sequence, of a tenth of each class.
        assert (abs(np.bincount(targets[split.test], minlength=7) - whole / 10) < 4).all()
    assert sorted(np.concatenate([s.test for s in splits])) == list(range(981))


@pytest.mark.data
def test_the_leak_of_the_paper_protocol(real_ckplus48: Dataset) -> None:
    """Independent of the code: three frames, two chances of 784 / 980 to have one in train."""
    shares = [sequence_overlap(real_ckplus48, s) for s in protocol_splits(real_ckplus48, "paper")]
    assert np.mean(shares) == pytest.approx(1 - (196 / 980) * (195 / 979), abs=0.02)
