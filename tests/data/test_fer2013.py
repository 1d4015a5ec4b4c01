"""FER2013: the CSV and the folders of images."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import FER2013_HEADER, csv_row, noise, png

from fer_cbam.data import load, tables
from fer_cbam.data.base import Dataset
from fer_cbam.errors import DataError

SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
# The code of each row is its index: the file's own numbering of the emotions.
CODE_LABELS = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
USAGES = ["Training", "Training", "Training", "PublicTest", "PublicTest", "PrivateTest", "Training"]
ROWS = [csv_row(code, noise(code), usage) for code, usage in enumerate(USAGES)]


def assert_is_the_tiny_set(dataset: Dataset) -> None:
    assert (dataset.name, dataset.label_names) == ("fer2013", SEVEN)
    assert [s.sample_id for s in dataset.samples] == [f"fer2013:{i}" for i in range(7)]
    assert [s.label for s in dataset.samples] == CODE_LABELS
    assert [s.split for s in dataset.samples] == USAGES
    for code, sample in enumerate(dataset.samples):
        np.testing.assert_array_equal(sample.pixels, noise(code))
        assert sample.subject_id is None
    assert dataset.targets().tolist() == [0, 1, 2, 3, 5, 6, 4]


def test_csv(write_csv: Callable[..., Path]) -> None:
    assert_is_the_tiny_set(load(write_csv([FER2013_HEADER, *ROWS])))


def test_csv_is_recognised_by_content_not_by_name(write_csv: Callable[..., Path]) -> None:
    assert_is_the_tiny_set(load(write_csv([FER2013_HEADER, *ROWS, ""], "faces.csv")))


def test_csv_with_columns_in_another_order(write_csv: Callable[..., Path]) -> None:
    """The header and order of the competition's icml_face_data.csv."""
    rows = [",".join((r.split(",")[0], r.split(",")[2], r.split(",")[1])) for r in ROWS]
    assert_is_the_tiny_set(load(write_csv(["emotion, Usage, pixels", *rows])))


def test_csv_with_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes("\r\n".join([FER2013_HEADER, *ROWS]).encode("utf-8-sig"))
    assert_is_the_tiny_set(load(path))


def test_csv_with_quoted_fields(write_csv: Callable[..., Path]) -> None:
    """As spreadsheets and pandas write it: some fields quoted, or all of them."""
    some = [row.replace(",", ',"', 1)[::-1].replace(",", ',"', 1)[::-1] for row in ROWS]
    assert some[0].count('"') == 2 and some[0].startswith('0,"')
    assert_is_the_tiny_set(load(write_csv([FER2013_HEADER, *some])))
    every = ['"' + row.replace(",", '","') + '"' for row in [FER2013_HEADER, *ROWS]]
    assert_is_the_tiny_set(load(write_csv(every)))
    assert_is_the_tiny_set(load(write_csv(['"emotion", "pixels", "Usage"', *ROWS])))


@pytest.mark.parametrize("row", ['"0,1 2 3,Training', '"0"x,1 2 3,Training'])
def test_a_quotation_mark_that_is_not_closed(row: str, write_csv: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"line 2: quotation marks: .*expected a row on one line"):
        load(write_csv([FER2013_HEADER, row]))


def test_zip_and_folder_that_hold_the_csv(write_tree: Callable[..., Path]) -> None:
    csv = "\n".join([FER2013_HEADER, *ROWS, ""]).encode()
    files = {"fer2013/fer2013.csv": csv, "fer2013/README": b"x", "train.csv": b"emotion,pixels\n"}
    assert_is_the_tiny_set(load(write_tree(files)))


GOOD = noise(9)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (csv_row(7, GOOD, "Training"), "emotion '7'; expected 0 to 6"),
        (csv_row("", GOOD, "Training"), "emotion ''; expected 0 to 6"),
        (csv_row("happy", GOOD, "Training"), "emotion 'happy'"),
        (csv_row(0, GOOD, "Test"), "Usage 'Test'; expected one of Training, PublicTest"),
        (csv_row(0, GOOD.ravel()[:-1], "Training"), "2303 pixels; expected 2304"),
        (csv_row(0, np.append(GOOD, 1), "Training"), "2305 pixels; expected 2304"),
        ("0,,Training", "0 pixels; expected 2304"),
        (csv_row(0, np.where(np.arange(2304) == 5, 256, GOOD.ravel().astype(int)), "Training"),
         "pixel 5 is 256; expected 0 to 255"),
        (csv_row(0, np.where(np.arange(2304) == 5, 10**30, GOOD.ravel().astype(object)),
                 "Training"), "pixel 5 is .*expected 0 to 255"),
        (csv_row(0, np.where(np.arange(2304) == 5, -1, GOOD.ravel().astype(int)), "Training"),
         "'-' among the pixels"),
        (csv_row(0, GOOD, "Training").replace(" ", " x", 1), "'x' among the pixels"),
        (csv_row(0, GOOD.astype(float), "Training"), r"'\.\.\..* among the pixels"),
        (csv_row(0, GOOD, "Training") + ",1", "4 fields; expected 3: emotion,pixels,Usage"),
        ("0", "1 fields; expected 3"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(row: str, message: str, write_csv: Callable[..., Path]) -> None:
    path = write_csv([FER2013_HEADER, ROWS[0], row, ROWS[1]])
    with pytest.raises(DataError, match=f"fer2013.csv, line 3: {message}"):
        load(path)


def test_a_gap_is_named(write_csv: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="line 3: empty; expected a row"):
        load(write_csv([FER2013_HEADER, ROWS[0], "", ROWS[1]]))


def test_an_endless_line_is_not_read_whole(write_csv: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="line 2: longer than 65536 bytes"):
        load(write_csv([FER2013_HEADER, "0," + "1 " * 100_000 + ",Training"]))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([FER2013_HEADER], "no rows after the header"),
        (["emotion,pixels", *ROWS], "line 1 is 'emotion,pixels'; expected fer2013.csv"),
        ([], "line 1 is ''; expected fer2013.csv"),
    ],
)
def test_a_csv_without_rows_or_header(
    lines: list[str], message: str, write_csv: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        load(write_csv(lines))


def test_two_tables_are_ambiguous(write_tree: Callable[..., Path]) -> None:
    csv = "\n".join([FER2013_HEADER, *ROWS]).encode()
    with pytest.raises(DataError, match=r"a\.csv, b\.csv all have the columns"):
        load(write_tree({"a.csv": csv, "b.csv": csv}))


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", "\n".join([FER2013_HEADER, *ROWS]))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"fer2013\.csv\.zip:fer2013\.csv"):
        load(path)
    path.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(DataError, match=r"fer2013\.csv\.zip"):
        load(path)


def test_a_table_above_the_limit_is_not_read(
    write_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 1000)
    with pytest.raises(DataError, match="expected at most 1000"):
        load(write_csv([FER2013_HEADER, *ROWS]))


FOLDERS = {
    "train/angry/Training_10.png": (0, "anger", "Training"),
    "train/happy/Training_3.png": (1, "happiness", "Training"),
    "test/happy/PublicTest_7.png": (2, "happiness", "PublicTest"),
    "test/neutral/PrivateTest_8.png": (3, "neutral", "PrivateTest"),
}


@pytest.mark.parametrize("above", ["", "archive/"])
def test_folders(above: str, write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree({above + n: png(noise(seed)) for n, (seed, *_) in FOLDERS.items()}))
    assert (dataset.name, dataset.label_names) == ("fer2013", SEVEN)
    found = {s.sample_id: s for s in dataset.samples}
    assert set(found) == {f"fer2013:{name.removesuffix('.png')}" for name in FOLDERS}
    for name, (seed, label, split) in FOLDERS.items():
        sample = found[f"fer2013:{name.removesuffix('.png')}"]
        assert (sample.label, sample.split) == (label, split)
        np.testing.assert_array_equal(sample.pixels, noise(seed))


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("test/happy/9.png", noise(0), r"test/happy/9\.png: expected PublicTest_\* or"),
        ("test/happy/Training_9.png", noise(0), r"expected PublicTest_\* or PrivateTest_\*"),
        ("train/happy/PrivateTest_9.png", noise(0), "expected no name of a test split in train"),
        ("train/contempt/Training_9.png", noise(0), "class 'contempt'; expected one of anger"),
        ("train/sleepy/Training_9.png", noise(0), "folder 'sleepy': unknown emotion"),
        ("train/happy/Training_9.png", noise(0, (48, 40)), "40x48 pixels; expected 48x48"),
        ("more/train/happy/Training_9.png", noise(0), "expected them in one place"),
    ],
)
def test_folders_that_are_wrong(
    name: str, pixels: np.ndarray, message: str, write_tree: Callable[..., Path]
) -> None:
    files = {n: png(noise(0)) for n in FOLDERS} | {name: png(pixels)}
    with pytest.raises(DataError, match=message):
        load(write_tree(files))


@pytest.mark.data
@pytest.mark.slow
def test_the_real_file(real_fer2013: Dataset) -> None:
    """Counts as published; the first pixels and the last as they stand in the file."""
    splits = Counter(s.split for s in real_fer2013.samples)
    assert splits == {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}
    # Goodfellow et al. 2013 and Kaggle's page give 547 images of disgust in all, 8,989 happy.
    assert Counter(s.label for s in real_fer2013.samples) == {
        "anger": 4953, "disgust": 547, "fear": 5121, "happiness": 8989, "sadness": 6077,
        "surprise": 4002, "neutral": 6198,
    }  # fmt: skip
    pixels = real_fer2013.pixels()
    assert pixels.shape == (35887, 48, 48)
    assert pixels[0, 0, :8].tolist() == [70, 80, 82, 72, 58, 58, 60, 63]
    assert pixels[-1, -1, -4:].tolist() == [146, 189, 199, 201]
