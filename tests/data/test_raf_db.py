"""RAF-DB: the list of labels with aligned pictures or photographs, and numbered folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import noise, png

from fer_cbam.data import load
from fer_cbam.errors import DataError

LIST = "basic/EmoLabel/list_patition_label.txt"
CODED = {"surprise": 1, "fear": 2, "disgust": 3, "happiness": 4, "sadness": 5, "anger": 6,
         "neutral": 7}  # fmt: skip
NAMES = [f"train_0000{i}" for i in range(4)] + [f"test_000{i}" for i in range(3)]
LABELS = dict(zip(NAMES, CODED, strict=True))
LINES = "".join(f"{name}.jpg {CODED[label]}\n" for name, label in LABELS.items()).encode()
PIXELS = {name: noise(i, (10, 10, 3)) for i, name in enumerate(NAMES)}
ALIGNED = {f"basic/Image/aligned/{n}_aligned.jpg": png(p) for n, p in PIXELS.items()}
FILES = {LIST: LINES, **ALIGNED}


def check(path: Path) -> None:
    dataset = load(path)
    assert dataset.name == "raf_db"
    assert set(dataset.label_names) == set(CODED)
    assert {s.sample_id: s.label for s in dataset.samples} == LABELS
    assert {s.split for s in dataset.samples if s.sample_id.startswith("test")} == {"test"}
    assert sum(s.split == "train" for s in dataset.samples) == 4
    for sample in dataset.samples:
        np.testing.assert_array_equal(sample.pixels, PIXELS[sample.sample_id])


def test_aligned_pictures_and_the_list(write_tree: Callable[..., Path]) -> None:
    check(write_tree(FILES))


def test_aligned_pictures_come_before_photographs(write_tree: Callable[..., Path]) -> None:
    photos = {f"basic/Image/original/{n}.jpg": png(noise(99, (30, 20, 3))) for n in NAMES}
    check(write_tree(FILES | photos))


def test_photographs_alone(write_tree: Callable[..., Path]) -> None:
    check(
        write_tree({LIST: LINES} | {f"Image/original/{n}.jpg": png(p) for n, p in PIXELS.items()})
    )


def test_numbered_folders(write_tree: Callable[..., Path]) -> None:
    check(write_tree({
        f"DATASET/{name.partition('_')[0]}/{CODED[label]}/{name}_aligned.jpg": png(PIXELS[name])
        for name, label in LABELS.items()
    }))  # fmt: skip


def test_a_split_without_pictures_is_left_out(write_tree: Callable[..., Path]) -> None:
    kept = {n: c for n, c in FILES.items() if "train_" not in n}
    assert [s.sample_id for s in load(write_tree(kept)).samples] == NAMES[4:]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({LIST: LINES.replace(b" 4", b" 8")}, r"line 4: 'train_00003\.jpg 8'; expected a name and"),
        ({LIST: LINES.replace(b"train_00000.jpg", b"x.jpg")}, r"line 1: 'x\.jpg 1'"),
        ({LIST: LINES + b"test_0009.jpg 1\n"}, r"no picture test_0009_aligned\.jpg"),
        ({LIST: LINES.partition(b"\n")[2]}, r"train_00000_aligned\.jpg: not in list_patition"),
        ({"basic/Image/aligned/face.jpg": png(noise(0))}, r"face\.jpg: expected a name such as"),
        ({"old/list_patition_label.txt": LINES}, "expected one list_patition_label.txt"),
        ({"copy/test_0000_aligned.jpg": png(noise(0))}, "expected test_0000 once"),
        ({"basic/Image/aligned/test_0000_aligned.jpg": b"x"}, r"test_0000_aligned\.jpg: "),
    ],
)
def test_what_is_wrong_is_named(
    changed: dict, message: str, write_tree: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        load(write_tree(FILES | changed))


def test_a_list_alone(write_tree: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="a list but no pictures"):
        load(write_tree({LIST: LINES}))
