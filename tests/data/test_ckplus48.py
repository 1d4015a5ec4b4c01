"""CK+48: class folders with subject, sequence and frame in the file names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import noise, png

from fer_cbam.data import load
from fer_cbam.data.base import Dataset
from fer_cbam.errors import DataError

SEVEN = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
FILES = {
    "CK+48/surprise/S010_002_00000014.png": png(noise(0)),
    "CK+48/happy/S010_006_00000015.png": png(noise(1)),
    "CK+48/anger/S011_004_00000021.png": png(noise(2)),
    "CK+48/anger/S011_004_00000020.png": png(noise(3)),
}
JUNK = {
    "__MACOSX/CK+48/anger/._S011_004_00000020.png": b"\x00\x05\x16\x07",
    "CK+48/.DS_Store": b"\x00\x00\x00\x01Bud1",
    "CK+48/anger/._S011_004_00000021.png": b"\x00\x05\x16\x07",
    "CK+48/anger/Thumbs.db": b"x",
    "CK+48/README.txt": b"about the data",
}


@pytest.mark.parametrize("extra", [{}, JUNK], ids=["clean", "junk"])
def test_names_say_subject_and_sequence(extra: dict, write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree(FILES | extra))
    assert (dataset.name, dataset.label_names) == ("ckplus48", SEVEN)
    assert [(s.sample_id, s.label, s.subject_id, s.group) for s in dataset.samples] == [
        ("S010_002_00000014", "surprise", "S010", "S010_002"),
        ("S010_006_00000015", "happiness", "S010", "S010_006"),
        ("S011_004_00000020", "anger", "S011", "S011_004"),
        ("S011_004_00000021", "anger", "S011", "S011_004"),
    ]
    np.testing.assert_array_equal(dataset.pixels(), [noise(i) for i in (0, 1, 3, 2)])
    assert dataset.targets().tolist() == [6, 4, 0, 0]


def test_class_folders_need_no_folder_above(write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree({name.removeprefix("CK+48/"): c for name, c in FILES.items()}))
    assert dataset.name == "ckplus48"
    assert [s.label for s in dataset.samples] == ["surprise", "happiness", "anger", "anger"]


def test_colour_files_become_grey(write_tree: Callable[..., Path]) -> None:
    """Copies saved as RGB with three equal channels give the same pixels."""
    rgb = png(np.repeat(noise(1)[..., None], 3, axis=2))
    dataset = load(write_tree(FILES | {"CK+48/happy/S010_006_00000015.png": rgb}))
    np.testing.assert_array_equal(dataset.pixels()[1], noise(1))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("CK+48/anger/S011_4_00000022.png", png(noise(0)), "expected subject, sequence and frame"),
        ("CK+48/anger/face.png", png(noise(0)), r"face\.png: expected subject"),
        ("CK+48/fear/S011_004_00000019.png", png(noise(0)), "sequence S011_004 is"),
        ("CK+48/neutral/S010_001_00000001.png", png(noise(0)), "class 'neutral'; expected one of"),
        ("CK+48/bored/S010_001_00000001.png", png(noise(0)), "unknown emotion 'bored'"),
        ("CK+48/anger/S011_004_00000022.png", png(noise(0, (48, 49))), "49x48 pixels; expected 48"),
        ("CK+48/anger/S011_004_00000022.png", b"", r"00000022\.png: .*0 bytes"),
        ("CK+48/anger/S011_004_00000022.png", png(noise(0))[:700], "truncated"),
        ("CK+48/anger/notes.txt", b"x", r"notes\.txt: no image"),
        ("copy/anger/S011_004_00000020.png", png(noise(3)), "two samples have the id"),
        ("S011_004_00000022.png", png(noise(0)), "outside a class folder"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named(
    name: str, content: bytes, message: str, write_tree: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        load(write_tree(FILES | {name: content}))


def test_an_empty_class_folder_is_named(write_tree: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="CK\\+48/fear: a folder without images"):
        load(write_tree(FILES, folders=["CK+48/fear"]))


@pytest.mark.data
def test_the_real_archive(real_ckplus48: Dataset) -> None:
    assert Counter(s.label for s in real_ckplus48.samples) == {
        "anger": 135, "contempt": 54, "disgust": 177, "fear": 75, "happiness": 207,
        "sadness": 84, "surprise": 249,
    }  # fmt: skip
    assert Counter(Counter(s.group for s in real_ckplus48.samples).values()) == {3: 327}
    assert len({s.subject_id for s in real_ckplus48.samples}) == 118
    assert real_ckplus48.pixels().shape == (981, 48, 48)
