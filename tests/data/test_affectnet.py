"""AffectNet: annotations beside images, and folders of numbers. Nothing is unpickled."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import noise, png

from fer_cbam.data import load
from fer_cbam.errors import DataError

CODED = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]


def npy(value: object, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(value, dtype=object if pickled else None), allow_pickle=pickled)
    return file.getvalue()


def tree(codes: dict[int, object], folder: str = "AffectNet/val_set") -> dict[str, bytes]:
    files = {f"{folder}/images/{i}.jpg": png(noise(i, (12, 12, 3))) for i in codes}
    for i, code in codes.items():
        files[f"{folder}/annotations/{i}_exp.npy"] = npy(code)
        files[f"{folder}/annotations/{i}_val.npy"] = npy("-0.25")
        files[f"{folder}/annotations/{i}_lnd.npy"] = npy(np.zeros(136))
    return files


@pytest.mark.parametrize("kind", [str, int, np.float32])
def test_annotations_as_text_or_number(kind: type, write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree(tree({i: kind(i) for i in range(8)})))
    assert dataset.name == "affectnet"
    assert dataset.label_names == tuple(sorted(CODED))
    assert {s.sample_id: s.label for s in dataset.samples} == {
        f"AffectNet/val_set/{i}.jpg": label for i, label in enumerate(CODED)
    }
    assert {s.split for s in dataset.samples} == {"val"}
    np.testing.assert_array_equal(dataset.samples[3].pixels, noise(3, (12, 12, 3)))


def test_two_splits_with_the_same_numbers(write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree(tree({0: "1", 1: "2"}) | tree({0: "6"}, "AffectNet/train_set")))
    assert [(s.label, s.split) for s in dataset.samples] == [
        ("anger", "train"), ("happiness", "val"), ("sadness", "val"),
    ]  # fmt: skip


def test_what_is_no_emotion_is_left_out(write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree(tree({0: "1", 1: "8", 2: "9", 3: "10"})))
    assert [s.label for s in dataset.samples] == ["happiness"]


@pytest.mark.parametrize("above", ["", "val/", "a/val_set/"])
def test_folders_of_numbers(above: str, write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree({f"{above}{i}/x{i}.png": png(noise(i)) for i in range(7)}))
    assert dataset.name == "affectnet" and "contempt" not in dataset.label_names
    assert [s.label for s in dataset.samples] == CODED[:7]
    assert {s.split for s in dataset.samples} == {"val" if above else None}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"annotations/0_exp.npy": npy({"a": 1}, pickled=True)}, "Object arrays cannot be loaded"),
        ({"annotations/0_exp.npy": npy("11")}, r"0\.jpg: code '11'; expected 0 to 10"),
        ({"annotations/0_exp.npy": npy([1, 2])}, r"int64 \(2,\); expected one code"),
        ({"annotations/0_exp.npy": npy(1)[:-4]}, r"0_exp\.npy: "),
        ({"annotations/0_exp.npy": b"\x80\x04N."}, r"0_exp\.npy: .*pickle"),
        ({"annotations/0_exp.npy": b""}, r"0_exp\.npy: .*expected an array with one code"),
        ({"annotations/0_exp.npy": npy(np.zeros(9999))}, r"expected at most 4096"),
        ({"annotations/7_exp.npy": npy("1")}, r"7_exp\.npy: expected images/<number>\.jpg and"),
        ({"images/7.jpg": png(noise(0))}, r"images/7\.jpg: expected images/<number>"),
        ({"images/0.jpg": b"x"}, r"images/0\.jpg: "),
    ],
)
def test_what_is_wrong_is_named(
    changed: dict, message: str, write_tree: Callable[..., Path]
) -> None:
    files = tree({0: "1", 1: "2"}) | {f"AffectNet/val_set/{n}": c for n, c in changed.items()}
    with pytest.raises(DataError, match=message):
        load(write_tree(files))
