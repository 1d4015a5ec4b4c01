"""The files of a data set, alike for a folder, a zip archive and a single file.

A zip is read in place: nothing is extracted, and a member's name never becomes a path on disk.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from fer_cbam.errors import DataError

# fer2013.csv has 301 MB; a face or a photograph is far below its limit. Python reads no more of a
# zip member than the size its directory declares, so checking that size is enough.
MAX_TABLE_BYTES = 1 << 30
MAX_IMAGE_BYTES = 64 << 20
_MAX_DEPTH = 6
_JUNK_NAMES = {"__macosx", "thumbs.db", "desktop.ini"}

#: What reading a damaged or unsupported zip member raises.
READ_ERRORS = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
)  # fmt: skip


class Files:
    """Names and content of the files below a path.

    path: the folder, zip or file that was asked for. names: relative file names with ``/``,
    sorted, without what operating systems leave behind (``__MACOSX``, hidden files,
    ``Thumbs.db``). folders: relative names of the folders, sorted.
    """

    def __init__(self, path: Path, names: list[str], folders: list[str]) -> None:
        self.path = path
        self.names = tuple(sorted(name for name in names if not _is_junk(name)))
        self.folders = tuple(sorted(folder for folder in folders if not _is_junk(folder)))

    def where(self, name: str) -> str:
        """How an error message names one of the files."""
        return str(self.path / name)

    def size(self, name: str) -> int:
        """Bytes of a file (uncompressed)."""
        return (self.path / name).stat().st_size

    def open(self, name: str, max_bytes: int) -> IO[bytes]:
        """Open a file for reading; its size must not be above max_bytes.

        Raises:
            DataError: too large.
        """
        size = self.size(name)
        if size > max_bytes:
            raise DataError(f"{self.where(name)}: {size} bytes; expected at most {max_bytes}")
        return self._open(name)

    def read(self, name: str, max_bytes: int) -> bytes:
        """The content of a file.

        Raises:
            DataError: too large, damaged or not readable.
        """
        try:
            with self.open(name, max_bytes) as file:
                return file.read()
        except READ_ERRORS as error:
            raise DataError(f"{self.where(name)}: cannot be read ({error})") from error

    def _open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb")


class _OneFile(Files):
    def where(self, name: str) -> str:
        return str(self.path)

    def size(self, name: str) -> int:
        return self.path.stat().st_size

    def _open(self, name: str) -> IO[bytes]:
        return self.path.open("rb")


class _ZipFiles(Files):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        folders = set()
        for info in archive.infolist():
            name = info.filename
            parts = name.rstrip("/").split("/")
            if "\\" in name or any(part in ("", ".", "..") for part in parts):
                raise DataError(f"{path}: member {name!r}; expected a plain relative name")
            if name in self._members:
                raise DataError(f"{path}: two members are named {name!r}")
            if not info.is_dir():
                self._members[name] = info
            folders |= {"/".join(parts[:end]) for end in range(1, len(parts))}
            if info.is_dir():
                folders.add("/".join(parts))
        super().__init__(path, list(self._members), list(folders))

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def _open(self, name: str) -> IO[bytes]:
        # A zip member's own readline is slow Python; the buffer makes it fast.
        return io.BufferedReader(self._archive.open(self._members[name]), 1 << 20)  # type: ignore[type-var]


@contextmanager
def open_files(path: str | os.PathLike[str]) -> Iterator[Files]:
    """The files of a folder, of a zip (told by its content), or one file alone.

    Raises:
        DataError: nothing there, not readable, a damaged zip, or folders nested too deep.
    """
    path = Path(path)
    if path.is_dir():
        yield _folder_files(path)
    elif not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    elif zipfile.is_zipfile(path):
        try:
            archive = zipfile.ZipFile(path)
        except READ_ERRORS as error:
            raise DataError(f"{path}: damaged zip ({error})") from error
        with archive:
            yield _ZipFiles(path, archive)
    else:
        yield _OneFile(path, [path.name], [])


def _folder_files(path: Path) -> Files:
    names: list[str] = []
    folders: list[str] = []

    def walk(folder: Path, prefix: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise DataError(f"{folder}: nested deeper than {_MAX_DEPTH} folders")
        for entry in folder.iterdir():
            name = prefix + entry.name
            if _is_junk(name):
                continue
            if entry.is_dir():
                folders.append(name)
                walk(entry, f"{name}/", depth + 1)
            else:
                names.append(name)

    try:
        walk(path, "", 0)
    except OSError as error:
        raise DataError(f"{path}: cannot be listed ({error})") from error
    return Files(path, names, folders)


def _is_junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part.lower() in _JUNK_NAMES for part in parts)
