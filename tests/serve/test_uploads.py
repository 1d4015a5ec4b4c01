"""Only what was uploaded is read, and it is gone afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fer_cbam.errors import FerError
from fer_cbam.serve import uploads


@pytest.fixture
def folder(tmp_path) -> Path:
    """``uploads/abc/photo.jpg`` beside ``secret.txt``."""
    (tmp_path / "uploads" / "abc").mkdir(parents=True)
    (tmp_path / "uploads" / "abc" / "photo.jpg").write_bytes(b"pixels")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "uploads"


def test_an_upload_is_read_once_and_leaves_nothing(folder):
    path = uploads.uploaded({"path": str(folder / "abc" / "photo.jpg")}, folder)
    assert uploads.read_and_delete(path, 100) == b"pixels"
    assert list(folder.iterdir()) == []


def test_one_that_is_too_large_leaves_nothing_either(folder):
    with pytest.raises(FerError, match="expected at most"):
        uploads.read_and_delete(folder / "abc" / "photo.jpg", 3)
    assert list(folder.iterdir()) == []


def test_kept_for_a_while_unless_it_is_sent_again(folder):
    path = folder / "abc" / "photo.jpg"
    written = path.stat().st_mtime_ns
    uploads.discard(path, written + 1)
    assert path.is_file()  # written anew since then
    assert uploads.read_and_delete(path, 100, keep=0.05) == b"pixels"
    assert path.is_file()
    deadline = time.monotonic() + 10
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(folder.iterdir()) == []
    uploads.discard(path, written)  # gone already


def test_other_files_beside_it_stay(folder):
    (folder / "abc" / "other.jpg").write_bytes(b"")
    uploads.discard(folder / "abc" / "photo.jpg")
    assert [path.name for path in (folder / "abc").iterdir()] == ["other.jpg"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt", "abc/../../secret.txt", "/etc/passwd", "abc", "", ".", "missing.jpg",
        "link", "abc/photo.jpg\0.txt",
    ],
)  # fmt: skip
def test_what_lies_elsewhere_is_refused_in_the_same_words(folder, path):
    (folder / "link").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(FerError, match="file: expected") as refused:
        uploads.uploaded({"path": f"{folder / path}" if path else ""}, folder)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("file", [None, "photo.jpg", {}, {"path": 7}, {"path": ["a"]}, []])
def test_what_is_no_file(folder, file):
    with pytest.raises(FerError, match="expected an uploaded file"):
        uploads.uploaded(file, folder)
