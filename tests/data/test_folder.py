"""Any folder of class folders, and what every reader rests on: zips, sizes, paths."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_sets import noise, png

from fer_cbam.data import files as data_files
from fer_cbam.data import image_files as images
from fer_cbam.data import load
from fer_cbam.errors import DataError

FILES = {
    "faces/Surprised/1.png": png(noise(0, (30, 20))),
    "faces/Happy/2.PNG": png(noise(1, (48, 48, 3))),
    "faces/anger/1.png": png(noise(2, (5, 7))),
    "faces/LICENSE": b"text beside the class folders is left alone",
}


@pytest.mark.parametrize("above", ["faces/", "", "a/b/"])
def test_labels_come_from_names(above: str, write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree({n.replace("faces/", above): c for n, c in FILES.items()}))
    assert (dataset.name, dataset.label_names) == ("folder", ("anger", "happiness", "surprise"))
    assert [(s.sample_id, s.label) for s in dataset.samples] == [
        ("Happy/2.PNG", "happiness"), ("Surprised/1.png", "surprise"), ("anger/1.png", "anger"),
    ]  # fmt: skip
    assert dataset.targets().tolist() == [1, 2, 0]
    for sample, pixels in zip(
        dataset.samples, (noise(1, (48, 48, 3)), noise(0, (30, 20)), noise(2, (5, 7))), strict=True
    ):
        np.testing.assert_array_equal(sample.pixels, pixels)
    with pytest.raises(DataError, match="one size for all"):
        dataset.pixels()


def test_label_set_by_name_and_by_names(write_tree: Callable[..., Path]) -> None:
    path = write_tree(FILES)
    assert load(path, label_set="ferplus").targets().tolist() == [4, 7, 0]
    names = ("surprise", "anger", "happiness")
    assert load(path, label_set=names).targets().tolist() == [2, 0, 1]
    with pytest.raises(DataError, match="label set 'affectnet'; expected one of ckplus48"):
        load(path, label_set="affectnet")
    with pytest.raises(DataError, match="label 'happiness'; expected one of anger"):
        load(path, label_set=("anger", "surprise"))


def test_a_photograph_stands_upright(write_tree: Callable[..., Path], tmp_path: Path) -> None:
    """EXIF orientation 6: the camera was turned, the first row is the right-hand column."""
    stored = np.zeros((16, 24), np.uint8)
    stored[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.fromarray(stored).save(path, exif=exif)
    pixels = load(write_tree({"fear/turned.jpg": path.read_bytes()})).samples[0].pixels
    assert pixels.shape == (24, 16)
    assert (pixels[:, 8:] > 250).all()
    assert (pixels[:, :8] < 5).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("faces/bored/1.png", png(noise(0)), r"bored/1\.png: folder 'bored': unknown emotion"),
        ("faces/1.png", png(noise(0)), "folder 'faces': unknown emotion"),
        ("1.png", png(noise(0)), r"1\.png: outside a class folder; expected <class>/1\.png"),
        ("faces/anger/2.jpg", b"not an image", r"anger/2\.jpg: .*not a picture"),
        ("faces/anger/2.png", png(noise(0))[:-40], r"anger/2\.png: .*truncated"),
        ("faces/anger/2.mp4", b"film", r"2\.mp4: no image; expected a class folder to hold only"),
        ("train/anger/2.png", png(noise(0)), "class folders below 'faces', 'train'; expected"),
        (
            "faces/anger/2.png",
            png(np.zeros((1, 50_000_001), np.uint8)),
            "50000001x1; expected at most",
        ),
    ],
)
def test_a_wrong_file_is_named(
    name: str, content: bytes, message: str, write_tree: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        load(write_tree(FILES | {name: content}))


@pytest.mark.parametrize(
    ("files", "folders", "message"),
    [
        ({}, (), "no files"),
        ({}, ("happy",), "no files"),
        ({"notes.txt": b"x"}, (), r"no known data set \(found notes\.txt\)"),
        ({"1.png": png(noise(0))}, (), "no known data set"),
        ({"happy/1.png": png(noise(0))}, ("sad",), "sad: a folder without images"),
        ({"happy/1.png": png(noise(0))}, ("happy/more",), "happy/more: a folder without images"),
    ],
)
def test_nothing_to_read(
    files: dict, folders: tuple, message: str, write_tree: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=message):
        load(write_tree(files, folders))


def test_no_such_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such file or folder"):
        load(tmp_path / "absent")


def test_folders_without_end_are_not_walked(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "loop").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(DataError, match="nested deeper than 6"):
        load(tmp_path)


@pytest.mark.parametrize(
    "name", ["../happy/1.png", "/happy/1.png", "happy/../../1.png", "happy//1.png"]
)
def test_a_member_that_leaves_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, png(noise(0)))
    with pytest.raises(DataError, match="expected a plain relative name"):
        load(path)
    assert [p.name for p in tmp_path.rglob("*")] == ["set.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("happy/1.png", png(noise(0)))
        archive.writestr("happy/1.png", png(noise(1)))
    with pytest.raises(DataError, match=r"two members are named 'happy/1\.png'"):
        load(path)


def test_a_large_member_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 GB of zeros packs into 1 MB; the declared size is enough to say no."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("happy/1.png", bytes(data_files.MAX_IMAGE_BYTES + 1))
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *_: pytest.fail("was unpacked"))
    with pytest.raises(DataError, match=f"expected at most {images.MAX_IMAGE_BYTES}"):
        load(path)


@pytest.mark.parametrize("folders", ["ab", "17"])  # 1 to 7: RAF-DB's, but not its names
def test_what_is_no_layout_is_told_which_are(folders: str, write_tree: Callable[..., Path]) -> None:
    files = {f"{folder}/x.png": png(noise(0)) for folder in folders}
    found = ", ".join(files).replace(".", r"\.")
    with pytest.raises(DataError, match=rf"found {found}\).*RAF-DB .*AffectNet .*JAFFE .*KDEF"):
        load(write_tree(files))
