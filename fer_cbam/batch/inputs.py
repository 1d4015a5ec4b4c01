"""What a user names -> the files to read, with their sizes and times.

Folders are walked, patterns resolved, lists read; a folder that cannot be listed, a file that is
not there and a table without images are listed as what they are, so that each leaves a row.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from fer_cbam.batch.archives import IMAGE_COLUMNS, beside
from fer_cbam.batch.formats import kind_of
from fer_cbam.batch.storage import (
    Stored,
    is_folder,
    is_url,
    matches,
    open_binary,
    stored,
    walk,
)
from fer_cbam.batch.tasks import IMAGE
from fer_cbam.errors import DataError, FerError

STDIN = "-"
MARK = "_manifest.sqlite"  # a folder with it holds results, and is no input


@dataclass(frozen=True)
class Listed:
    """An input, or what cannot be one. kind: see :mod:`fer_cbam.batch.tasks`; None where there is
    an error instead."""

    stored: Stored
    kind: str | None
    error: Exception | None = None


class Listing:
    """The inputs that some names stand for. others: files of folders that were left alone, as they
    are neither images nor clips nor archives."""

    def __init__(self, names: Iterable[str], image_column: str | None = None) -> None:
        self.names = list(names)
        self.image_column = image_column
        self.others = 0

    def __iter__(self) -> Iterator[Listed]:
        """In order; a file that is named twice comes twice.

        Raises:
            BatchError: a URL whose driver is not installed.
        """
        for name in self.names:
            for item in self._read(name):
                yield item if item.error else _nameable(item)

    def _read(self, name: str) -> Iterator[Listed]:
        if name == STDIN:
            yield from self._paths(line.rstrip("\r\n") for line in sys.stdin)
            return
        if _is_pattern(name):
            found = matches(name)
            if not found:
                yield _failed(name, DataError(f"{name}: no such files; expected a pattern of some"))
            for match in found:
                yield from self._read_one(match, asked_for=False)
            return
        yield from self._read_one(name, asked_for=True)

    def _read_one(self, name: str, asked_for: bool) -> Iterator[Listed]:
        """asked_for: a file of an unknown ending is taken for an image, as its user named it."""
        try:
            if is_folder(name):
                yield from self._folder(name)
            elif PurePosixPath(name).suffix.lower() == ".csv":
                yield from self._table(name)
            else:
                yield from self._file(stored(name), asked_for)
        except (OSError, DataError) as error:
            yield _failed(name, error)

    def _folder(self, name: str) -> Iterator[Listed]:
        for folder, files in walk(name):
            if isinstance(files, OSError):
                yield _failed(folder, files)
                continue
            if any(PurePosixPath(file.source).name == MARK for file in files):
                continue
            for file in files:
                yield from self._file(file, asked_for=False)

    def _file(self, file: Stored, asked_for: bool) -> Iterator[Listed]:
        kind = kind_of(file.source) or (IMAGE if asked_for else None)
        if kind is None:
            self.others += 1
        else:
            yield Listed(file, kind)

    def _table(self, name: str) -> Iterator[Listed]:
        """The paths of a CSV file, from the folder that it lies in."""
        with io.TextIOWrapper(open_binary(name), encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            try:
                columns = rows.fieldnames or ()
                column = _path_column(columns, name, self.image_column)
                yield from self._paths(beside(name, row[column] or "") for row in rows)
            except (csv.Error, UnicodeDecodeError) as error:
                raise DataError(f"{name}: {error}; expected a CSV file in UTF-8") from error

    def _paths(self, paths: Iterable[str]) -> Iterator[Listed]:
        """Files, one a path; what a list names is read whatever its ending."""
        for path in paths:
            if not path.strip():
                continue
            try:
                yield from self._file(stored(path), asked_for=True)
            except (OSError, ValueError) as error:
                yield _failed(path, error)


def _failed(source: str, error: Exception) -> Listed:
    source = source.encode("utf-8", "backslashreplace").decode()
    return Listed(Stored(source, 0, ""), None, error)


def _nameable(item: Listed) -> Listed:
    """A table holds Unicode; a name in some other code is told with escapes, and cannot be read."""
    source = item.stored.source
    try:
        source.encode()
    except UnicodeEncodeError:
        shown = source.encode("utf-8", "backslashreplace").decode()
        return _failed(shown, DataError(f"{shown}: its name is not UTF-8; expected one that is"))
    return item


def _is_pattern(name: str) -> bool:
    """A file that is called so is a file."""
    if not any(sign in name for sign in "*?["):
        return False
    try:
        stored(name)
    except (OSError, ValueError):
        return True
    return is_url(name) and "*" in name


def _path_column(columns: Iterable[str], name: str, wanted: str | None) -> str:
    for candidate in (wanted,) if wanted else IMAGE_COLUMNS:
        if candidate in columns:
            return str(candidate)
    expected = repr(wanted) if wanted else "one of " + ", ".join(IMAGE_COLUMNS)
    raise DataError(f"{name}: columns {', '.join(columns) or 'none'}; expected {expected}, with "
                    "paths of images")  # fmt: skip


def error_kind(error: Exception) -> str:
    """The word that failures of one kind are counted under."""
    kind = getattr(error, "kind", None)
    if isinstance(kind, str):
        return kind
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, OSError):
        return "unreadable"
    return "damaged" if isinstance(error, FerError) else "failed"


def may_pass(error: Exception) -> bool:
    """Whether the same file may be readable another time."""
    return isinstance(error, OSError)
