"""Pictures of one's own: labels of any name, from folders or a table, read when asked for."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_sets import noise, png

from fer_cbam.data import load
from fer_cbam.data.own import own_label
from fer_cbam.data.protocols import protocol_splits
from fer_cbam.errors import DataError

FILES = {
    "bored/1.png": png(noise(0, (30, 20))),
    "bored/anna/2.png": png(noise(1, (48, 48, 3))),
    "Happy/1.png": png(noise(2, (48, 48))),
    "in  pain/1.png": png(noise(3, (48, 48))),
}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_the_first_folder_is_the_class_and_emotions_come_first(tmp_path):
    dataset = load(written(tmp_path / "faces", FILES), labels="folders")
    assert dataset.label_names == ("happiness", "bored", "in pain")
    assert [(s.sample_id, s.label, s.subject_id) for s in dataset.samples] == [
        ("Happy/1.png", "happiness", None), ("bored/1.png", "bored", None),
        ("bored/anna/2.png", "bored", None), ("in  pain/1.png", "in pain", None),
    ]  # fmt: skip
    np.testing.assert_array_equal(dataset.samples[2].pixels, noise(1, (48, 48, 3)))


def test_a_zip_with_a_folder_around_it(tmp_path):
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"export/faces/{name}", content)
    dataset = load(path, labels="folders")
    assert dataset.label_names == ("happiness", "bored", "in pain")
    np.testing.assert_array_equal(dataset.samples[1].pixels, noise(0, (30, 20)))


def test_pictures_are_read_when_they_are_asked_for(tmp_path):
    files = {**FILES, "bored/broken.png": b"no picture"}
    dataset = load(written(tmp_path, files), labels="folders")  # no error: it is one of many
    broken = next(s for s in dataset.samples if "broken" in s.sample_id)
    with pytest.raises(ValueError, match="not a picture"):
        _ = broken.pixels


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_with_people(suffix, tmp_path):
    written(tmp_path / "faces", FILES)
    rows = {"File": ["bored/1.png", "Happy/1.png"], "Class": ["Bored", "JOY"], "person": ["a", 7]}
    table = tmp_path / f"labels.{suffix}"
    frame = pd.DataFrame(rows).astype(str)
    frame.to_csv(table, index=False) if suffix == "csv" else frame.to_parquet(table)
    dataset = load(tmp_path / "faces", labels=table)
    assert [(s.sample_id, s.label, s.subject_id) for s in dataset.samples] == [
        ("bored/1.png", "Bored", "a"), ("Happy/1.png", "happiness", "7"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "path,label\nbored/9.png,x\nbored/1.png,y\n",
            "9.png: no such picture; expected the paths",
        ),
        (
            "path,label\nbored/1.png,\n",
            "row 2: path 'bored/1.png', label '', .* none of them empty",
        ),
        ("path,label\nbored/1.png\n", "row 2: 1 fields; expected 2: path,label"),
        ("path,label\nbored/1.png,x\n", "pictures of x; expected two classes or more"),
        (
            "name,label\nbored/1.png,x\n",
            "columns name, label; expected one of path, file, filename",
        ),
        ("path,file,label\na,b,x\n", "columns path, file, label; expected one of path, file"),
        ("", "columns none; expected one of path"),
    ],
)
def test_tables_that_say_what_is_wrong(table, message, tmp_path):
    written(tmp_path / "faces", FILES)
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "faces", labels=tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"bored/1.txt": b"x"}, "no pictures; expected a folder of them for each class"),
        ({"1.png": b"x", "bored/1.png": b"x"}, "1.png: outside a class folder; expected <class>/1"),
        ({"bored/1.png": b"x"}, "pictures of bored; expected two classes or more"),
        ({"bored/1.png": b"x", "hapiness/1.png": b"x"}, "'hapiness' reads like 'happiness'"),
        ({"bored/1.png": b"x", "Suprised/1.png": b"x"}, "'Suprised' reads like 'surprised'"),
    ],
)
def test_folders_that_say_what_is_wrong(files, message, tmp_path):
    with pytest.raises(DataError, match=message):
        load(written(tmp_path / "faces", files), labels="folders")


@pytest.mark.parametrize(("name", "label"), [
    ("Happy", "happiness"), (" bored ", "bored"), ("Very  Bored", "Very Bored"), ("SAD", "sadness"),
])  # fmt: skip
def test_spelling(name, label):
    assert own_label(name) == label


def test_a_digest_is_of_names_labels_and_people(tmp_path):
    folder = written(tmp_path / "faces", FILES)
    first = load(folder, labels="folders")
    assert first.digest() == load(folder, labels="folders").digest()
    assert first.digest() == first.subset([3, 1, 0, 2]).digest()  # in any order
    assert first.digest() != first.subset([0, 1, 2]).digest()
    (folder / "bored" / "1.png").rename(folder / "Happy" / "9.png")
    assert load(folder, labels="folders").digest() != first.digest()


def own_set(tmp_path: Path, people: bool):
    """40 pictures of 10 people, two labels."""
    rows = [(f"{i}.png", "bored" if i % 2 else "engaged", f"p{i // 4}") for i in range(40)]
    written(tmp_path / "faces", {name: png(noise(0, (4, 4))) for name, _, _ in rows})
    columns = ["path", "label", "subject"] if people else ["path", "label"]
    frame = pd.DataFrame([row[: len(columns)] for row in rows], columns=columns)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return load(tmp_path / "faces", labels=tmp_path / "t.csv")


@pytest.mark.parametrize("people", [True, False])
def test_folds_test_every_picture_once_and_nobody_is_on_both_sides(people, tmp_path):
    dataset = own_set(tmp_path, people)
    splits = protocol_splits(dataset, "folds5")
    assert [split.name for split in splits] == [f"fold{k}" for k in range(5)]
    tested = np.concatenate([split.test for split in splits])
    assert sorted(tested) == list(range(40))
    for split in splits:
        labels = dataset.targets()[split.test]
        assert labels.mean() == 0.5  # as in the whole
        if people:
            sides = [{dataset.samples[i].subject_id for i in side}
                     for side in (split.train, split.test)]  # fmt: skip
            assert not sides[0] & sides[1] and len(sides[1]) == 2
    assert len(protocol_splits(dataset, "folds2")) == 2


def test_folds_that_cannot_be(tmp_path):
    dataset = own_set(tmp_path, True)
    with pytest.raises(DataError, match="10 subjects; expected at least 12, one a fold"):
        protocol_splits(dataset, "folds12")
    with pytest.raises(DataError, match=r"protocol 'folds21'; expected one of .*, or folds5"):
        protocol_splits(dataset, "folds21")
    with pytest.raises(DataError, match=r"1 samples of .*; expected at least 5"):
        protocol_splits(own_set(tmp_path / "b", False).subset([0, 1, 3, 5, 7, 9]), "folds5")
