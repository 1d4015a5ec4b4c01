"""Writers of tiny data sets, and the real ones where they are at hand."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from fer_cbam.data import load
from fer_cbam.data.base import Dataset


@pytest.fixture(params=["folder", "zip"])
def write_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Write files (name -> content) and empty folders as a folder and, again, as a zip."""

    def write(files: Mapping[str, bytes], folders: Iterable[str] = ()) -> Path:
        if request.param == "zip":
            path = tmp_path / "set.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
                for folder in folders:
                    archive.writestr(f"{folder}/", b"")
            return path
        path = tmp_path / "set"
        path.mkdir()
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        for folder in folders:
            (path / folder).mkdir(parents=True)
        return path

    return write


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    """Write lines as a CSV."""

    def write(lines: Iterable[str], name: str = "fer2013.csv") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture(scope="session")
def real_fer2013(data_dir: Path) -> Dataset:
    """The real FER2013, read once."""
    return load(data_dir / "fer2013.csv.zip")


@pytest.fixture(scope="session")
def real_ckplus48(data_dir: Path) -> Dataset:
    """The real CK+48, read once."""
    return load(data_dir / "ckplus48.zip")
