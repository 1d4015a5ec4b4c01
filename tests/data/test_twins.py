"""Near-identical images: the committed groups, and that nobody trains on what is tested."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from fer_cbam.data import fer2013, load, twins
from fer_cbam.data.base import Dataset
from fer_cbam.data.protocols import protocol_splits, twins_across
from fer_cbam.errors import DataError
from fer_cbam.types import Sample

PIXELS = np.zeros((1, 1), np.uint8)
TRAIN, PUBLIC, PRIVATE = fer2013.SPLITS


def grouped(*rows: tuple[str, str | None]) -> Dataset:
    """Samples of (split, group)."""
    samples = [
        Sample(str(i), PIXELS, "fear", split=split, group=group)
        for i, (split, group) in enumerate(rows)
    ]
    return Dataset("tiny", ("fear",), tuple(samples))


def test_committed_groups_are_groups() -> None:
    rows = [row for group in twins.twin_groups() for row in group]
    assert len(set(rows)) == len(rows)
    assert min(rows) >= 0 and max(rows) < twins.ROWS
    for group in twins.twin_groups():
        assert len(group) > 1 and list(group) == sorted(group)
    names = twins.group_names()
    assert set(names) == set(rows)
    assert len(set(names.values())) == len(twins.twin_groups())


def test_training_images_with_a_twin_in_any_test_split_are_not_trained_on() -> None:
    dataset = grouped(
        (TRAIN, "a"), (PUBLIC, "a"),            # 0, 1
        (TRAIN, "b"), (PRIVATE, "b"),           # 2, 3
        (TRAIN, "c"), (TRAIN, "c"),             # 4, 5: twins of each other only
        (TRAIN, None), (PUBLIC, None),          # 6, 7
        (PUBLIC, "d"), (PRIVATE, "d"),          # 8, 9: nothing of it in Training
    )  # fmt: skip
    assert np.flatnonzero(twins_across(dataset)).tolist() == [0, 1, 2, 3]
    for protocol, tested in (("public", [1, 7, 8]), ("private", [3, 9])):
        split = protocol_splits(dataset, protocol)[0]
        assert split.train.tolist() == [4, 5, 6]
        assert split.test.tolist() == tested


def test_a_twin_that_was_dropped_from_the_data_still_counts() -> None:
    name = min(twins.torn_groups())
    dataset = grouped((TRAIN, name), (TRAIN, None), (PRIVATE, None))
    assert protocol_splits(dataset, "private")[0].train.tolist() == [1]


@pytest.mark.data
@pytest.mark.slow
def test_real_groups_and_what_is_left_to_train_on(real_fer2013: Dataset, data_dir) -> None:
    splits = Counter(sample.split for sample in real_fer2013.samples)
    assert [sample.split for sample in real_fer2013.samples] == [
        split for split in fer2013.SPLITS for _ in range(splits[split])
    ]
    assert splits[TRAIN] == twins.TRAINING_ROWS
    across = twins_across(real_fer2013)
    public, private = (protocol_splits(real_fer2013, p)[0] for p in ("public", "private"))
    np.testing.assert_array_equal(public.train, private.train)
    trained = {real_fer2013.samples[i].group for i in public.train} - {None}
    for split in (public, private):
        assert not trained & {real_fer2013.samples[i].group for i in split.test}
    assert len(public.train) + across[: twins.TRAINING_ROWS].sum() == twins.TRAINING_ROWS
    ferplus = load(data_dir / "fer2013.csv.zip", votes=data_dir / "fer2013new.csv")
    kept = {sample.sample_id for sample in ferplus.samples}
    expected = [
        s.sample_id for i in public.train if (s := real_fer2013.samples[i]).sample_id in kept
    ]
    split = protocol_splits(ferplus, "public")[0]
    assert [ferplus.samples[i].sample_id for i in split.train] == expected


@pytest.mark.data
def test_the_order_of_the_rows_is_checked(real_fer2013: Dataset) -> None:
    pixels = real_fer2013.pixels()
    twins.check_order(pixels, "fer2013.csv")
    with pytest.raises(DataError, match=r"fer2013\.csv: .*expected above 0\.75, the rows in the"):
        twins.check_order(pixels[np.random.default_rng(0).permutation(len(pixels))], "fer2013.csv")


def test_a_part_of_fer2013_has_no_groups(tmp_path) -> None:
    rows = [f"0,{' '.join(['7'] * 2304)},{split}" for split in fer2013.SPLITS]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    dataset = load(tmp_path / "fer2013.csv")
    assert [sample.group for sample in dataset.samples] == [None] * 3
