"""Dataset: arrays, subsets and other label orders."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_sets import noise

from fer_cbam.data.base import Dataset
from fer_cbam.errors import DataError
from fer_cbam.types import Sample

SAMPLES = (
    Sample("a", noise(0, (4, 4)), "fear"),
    Sample("b", noise(1, (4, 4)), "neutral",
           label_probs={"neutral": 0.5, "fear": 0.25, "anger": 0.25}),
    Sample("c", noise(2, (4, 4)), "anger"),
)  # fmt: skip
DATASET = Dataset("tiny", ("anger", "fear", "neutral"), SAMPLES)


def test_arrays_follow_the_label_names() -> None:
    assert DATASET.targets().tolist() == [1, 2, 0]
    assert DATASET.targets().dtype == np.int64
    probs = DATASET.target_probs()
    assert probs.dtype == np.float32
    assert probs.tolist() == [[0, 1, 0], [0.25, 0.25, 0.5], [1, 0, 0]]
    pixels = DATASET.pixels()
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, [s.pixels for s in SAMPLES])


def test_pixels_are_a_copy() -> None:
    before = SAMPLES[0].pixels.copy()
    DATASET.pixels()[...] = 0
    np.testing.assert_array_equal(SAMPLES[0].pixels, before)


def test_pixels_of_mixed_sizes_name_the_odd_one() -> None:
    mixed = Dataset("tiny", ("anger",), (
        Sample("x", noise(0, (4, 4)), "anger"), Sample("y", noise(0, (4, 5)), "anger"),
    ))  # fmt: skip
    with pytest.raises(DataError, match=r"'y' has the shape \(4, 5\); expected \(4, 4\)"):
        mixed.pixels()
    with pytest.raises(DataError, match="no samples"):
        mixed.subset([]).pixels()


def test_subset_keeps_the_order_asked_for() -> None:
    subset = DATASET.subset(np.array([2, 0]))
    assert [s.sample_id for s in subset.samples] == ["c", "a"]
    assert subset.label_names == DATASET.label_names
    assert subset.targets().tolist() == [0, 1]


@pytest.mark.parametrize("indices", [[3], [-1], [0.0, 1.0], [True, False, True]])
def test_subset_rejects_what_is_no_position(indices: list) -> None:
    with pytest.raises(DataError, match="indices"):
        DATASET.subset(indices)


def test_with_labels_moves_targets_and_probs() -> None:
    moved = DATASET.with_labels(("neutral", "contempt", "fear", "anger"))
    assert moved.targets().tolist() == [2, 0, 3]
    assert moved.target_probs()[1].tolist() == [0.5, 0, 0.25, 0.25]


def test_with_labels_drops_only_when_told_to() -> None:
    with pytest.raises(DataError, match="'c' has the label 'anger'"):
        Dataset("tiny", DATASET.label_names, SAMPLES[2:]).with_labels(("fear", "neutral"))
    dropped = DATASET.with_labels(("fear", "neutral"), drop_others=True)
    assert [s.sample_id for s in dropped.samples] == ["a", "b"]
    # 0.25 of anger goes; fear 0.25 and neutral 0.5 are scaled to 1.
    assert dropped.target_probs().tolist() == [[1, 0], pytest.approx([1 / 3, 2 / 3])]


@pytest.mark.parametrize(
    ("names", "samples", "message"),
    [
        (("anger", "anger"), (), "expected each once"),
        (("anger",), (SAMPLES[2], SAMPLES[2]), "two samples have the id 'c'"),
        (("fear",), (SAMPLES[2],), "label 'anger'; expected one of fear"),
        (("neutral", "fear"), (SAMPLES[1],), "'b' has the label 'anger'"),
    ],
)
def test_a_dataset_checks_itself(names: tuple, samples: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset("tiny", names, samples)
