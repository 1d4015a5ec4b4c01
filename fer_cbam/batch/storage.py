"""Files here and elsewhere: local ones by the operating system, URLs by fsspec."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fer_cbam.errors import BatchError

_URL = re.compile(r"[a-z][a-z0-9+.-]+://")


@dataclass(frozen=True)
class Stored:
    """A file. size: bytes. modified: when, or which version; text that is equal as long as the file
    is the same."""

    source: str
    size: int
    modified: str


def is_url(source: str) -> bool:
    """``s3://...`` and the like, and not the path of a file here."""
    return bool(_URL.match(source))


def open_binary(source: str) -> IO[bytes]:
    """A file to read and to seek in.

    Raises:
        OSError: it cannot be read.
        BatchError: a URL whose driver is not installed.
    """
    if not is_url(source):
        return Path(source).open("rb")
    system, path = _system(source)
    opened: IO[bytes] = system.open(path, "rb")
    return opened


def read_bytes(source: str) -> bytes:
    """The whole of a file; errors as :func:`open_binary`."""
    with open_binary(source) as file:
        return file.read()


def stored(source: str) -> Stored:
    """Size and version of one file; errors as :func:`open_binary`."""
    if is_url(source):
        system, path = _system(source)
        return _remote(source, system.info(path))
    found = Path(source).stat()
    return Stored(source, found.st_size, str(found.st_mtime_ns))


def is_folder(source: str) -> bool:
    """Errors as :func:`open_binary`."""
    if is_url(source):
        system, path = _system(source)
        return bool(system.isdir(path))
    return stat.S_ISDIR(Path(source).stat().st_mode)


def matches(pattern: str) -> list[str]:
    """What a pattern with ``*``, ``?`` or ``[...]`` stands for, in order; ``**`` reaches into
    folders."""
    if is_url(pattern):
        system, path = _system(pattern)
        return sorted(system.unstrip_protocol(name) for name in system.glob(path))
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  of a whole pattern


def walk(folder: str) -> Iterator[tuple[str, list[Stored] | OSError]]:
    """A folder and each one in it, with its files in order, or why they cannot be listed. Folders
    whose name begins with a dot or an underscore are left out."""
    if is_url(folder):
        yield from _walk_remote(folder)
        return
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    folders.append(entry)
                elif entry.is_file():
                    found = entry.stat()
                    files.append(Stored(entry.path, found.st_size, str(found.st_mtime_ns)))
    except OSError as error:
        yield folder, error
        return
    yield folder, files
    for entry in folders:
        if entry.name[0] not in "._" and not entry.is_symlink():  # a link may lead back
            yield from walk(entry.path)


def _walk_remote(folder: str) -> Iterator[tuple[str, list[Stored] | OSError]]:
    system, path = _system(folder)
    try:
        for where, _, files in system.walk(path, detail=True, on_error="raise"):
            named = [(system.unstrip_protocol(info["name"]), info) for info in files.values()]
            yield where, [_remote(name, info) for name, info in sorted(named, key=lambda n: n[0])]
    except OSError as error:
        yield folder, error


def _remote(source: str, info: dict[str, Any]) -> Stored:
    names = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated",
             "created")  # fmt: skip
    version = next((str(info[name]) for name in names if info.get(name)), "")
    return Stored(source, int(info.get("size") or 0), version)


def _system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:  # no such protocol is a ValueError
        raise BatchError(
            f"{url}: {error}; expected fsspec and the driver of this address to be installed, "
            "such as s3fs for s3://"
        ) from error
    return system, path
