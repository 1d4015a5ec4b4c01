"""Pictures of one's own with labels of one's own: a folder for each class, or a table of paths.

Class names may be any ("bored", "pain"); those of :mod:`fer_cbam.labels` are taken in any spelling.
Pictures are read from the disk whenever they are asked for: a thousand photographs are not held.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fer_cbam.data.base import Dataset
from fer_cbam.data.files import MAX_TABLE_BYTES, Files
from fer_cbam.data.image_files import EncodedSample, FileSample, image_names
from fer_cbam.errors import DataError
from fer_cbam.labels import ALIASES, EMOTIONS
from fer_cbam.types import Sample

NAME = "folder"
FOLDERS = "folders"
#: What a column of a table may be called.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "emotion", "expression"),
    "subject": ("subject", "subject_id", "person", "participant"),
}
ALIKE = 0.85  # from which a name is taken for a mistyped emotion
LEAST_CLASSES = 2


def read(files: Files, labels: str | os.PathLike[str] = FOLDERS) -> Dataset:
    """Pictures and their labels.

    files: a folder, or a zip. labels: ``"folders"``, the name of the first folder below it is the
    class; or a CSV or Parquet file with the columns path (relative to the folder, or absolute),
    label and, where people are known, subject. label_names: emotions in the order of
    :data:`~fer_cbam.labels.EMOTIONS`, then the others by name.

    Raises:
        DataError: no pictures, fewer than two classes, a table that cannot be read or names a file
            that is not there, or a name that is an emotion but for a slip.
    """
    by_folder = str(labels) == FOLDERS
    rows = list(_of_folders(files) if by_folder else _of_table(files, Path(labels)))
    names = sorted({label for _, label, _ in rows}, key=_place)
    if len(names) < LEAST_CLASSES:
        raise DataError(f"{files.path}: pictures of {', '.join(names) or 'no class'}; expected two "
                        "classes or more")  # fmt: skip
    _check_spelling(files, names)
    samples = (_sample(files, *row) for row in rows)
    return Dataset(NAME, tuple(names), tuple(samples))


def own_label(name: str) -> str:
    """A label as it is written in a folder's name or a table: emotions under their one name."""
    key = " ".join(name.split())
    known = ALIASES.get(key.lower(), key.lower())
    return known if known in EMOTIONS else key


def _place(label: str) -> tuple[int, str]:
    return (EMOTIONS.index(label) if label in EMOTIONS else len(EMOTIONS), label)


def _check_spelling(files: Files, names: Sequence[str]) -> None:
    for name in names:
        if name in EMOTIONS:
            continue
        if near := difflib.get_close_matches(name.lower(), [*EMOTIONS, *ALIASES], 1, ALIKE):
            raise DataError(f"{files.path}: class {name!r} reads like {near[0]!r}; expected that, "
                            "or a name that cannot be taken for it")  # fmt: skip


def _of_folders(files: Files) -> Iterator[tuple[str, str, None]]:
    names = image_names(files)
    if not names:
        raise DataError(f"{files.path}: no pictures; expected a folder of them for each class")
    above = _common_folder(names)
    for name in names:
        folder, slash, _ = name.removeprefix(above).partition("/")
        if not slash:
            raise DataError(f"{files.where(name)}: outside a class folder; expected "
                            f"<class>/{folder}")  # fmt: skip
        yield name, own_label(folder), None


def _common_folder(names: Sequence[str]) -> str:
    """``faces/`` where everything is in there, and classes below it: as zips are packed."""
    above = ""
    while True:
        firsts = {name.removeprefix(above).partition("/")[0] for name in names}
        if len(firsts) > 1 or any(n.removeprefix(above).count("/") < 2 for n in names):
            return above
        above += f"{firsts.pop()}/"


def _of_table(files: Files, path: Path) -> Iterator[tuple[str, str, str | None]]:
    columns = table_columns(path)
    subjects: Iterable[str | None] = columns.get("subject") or [None] * len(columns["path"])
    rows = zip(columns["path"], columns["label"], subjects, strict=True)
    for number, (name, label, subject) in enumerate(rows, 2):
        if not name or not label or subject == "":
            raise DataError(f"{path}, row {number}: path {name!r}, label {label!r}, subject "
                            f"{subject!r}; expected none of them empty")  # fmt: skip
        yield name, own_label(label), subject


def table_columns(path: Path) -> dict[str, list[str]]:
    """The columns path, label and, where it is there, subject, under these names.

    Raises:
        DataError: not readable, or without path and label.
    """
    rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    by_name = {name.strip().lower(): values for name, values in rows.items()}
    found = {}
    for column, names in COLUMNS.items():
        own = [name for name in names if name in by_name]
        if len(own) > 1 or (not own and column != "subject"):
            raise DataError(f"{path}: columns {', '.join(rows) or 'none'}; expected one of "
                            f"{', '.join(names)}, for the {column}")  # fmt: skip
        if own:
            found[column] = [str(value).strip() for value in by_name[own[0]]]
    return found


def _csv(path: Path) -> dict[str, list[str]]:
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes; expected at most "
                            f"{MAX_TABLE_BYTES}")  # fmt: skip
        text = path.read_text(encoding="utf-8-sig")
        header, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV ({error})") from error
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(header):
            raise DataError(f"{path}, row {number}: {len(row)} fields; expected {len(header)}: "
                            f"{','.join(header)}")  # fmt: skip
    kept = [row for row in rows if row]
    return {name: [row[i] for row in kept] for i, name in enumerate(header)}


def _parquet(path: Path) -> dict[str, list[str]]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise DataError(f"{path}: reading Parquet needs pyarrow; expected: pip install pyarrow, or "
                        "a CSV") from error  # fmt: skip
    try:
        found: dict[str, list[str]] = parquet.read_table(path).to_pydict()
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise DataError(f"{path}: not a readable Parquet file ({error})") from error
    return {
        name: ["" if v is None else str(v) for v in values] for name, values in found.items()
    }  # fmt: skip


def _sample(files: Files, name: str, label: str, subject: str | None) -> Sample:
    if files.path.is_dir():
        path = files.path / name  # an absolute name stands for itself
        if not path.is_file():
            raise DataError(f"{path}: no such picture; expected the paths of the table relative to "
                            f"{files.path}")  # fmt: skip
        return FileSample(name, path, label, subject)
    if name not in files.names:
        raise DataError(f"{files.where(name)}: no such picture")
    return EncodedSample(name, files.read(name, MAX_TABLE_BYTES), label, subject)
