"""CSV files with known columns, read line by line and held to account by line number."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from fer_cbam.data.files import MAX_TABLE_BYTES, READ_ERRORS, Files
from fer_cbam.errors import DataError

# A row of fer2013.csv has at most 9.3 kB.
_MAX_LINE = 1 << 16
_BOM = b"\xef\xbb\xbf"


def find_table(files: Files, columns: Sequence[str]) -> str | None:
    """The name of the one CSV with these columns (in any order), None where there is none.

    Raises:
        DataError: more than one has them, or one cannot be read.
    """
    found = [
        name
        for name in files.names
        if name.lower().endswith(".csv") and sorted(_header(files, name)) == sorted(columns)
    ]
    if len(found) > 1:
        raise DataError(
            f"{files.path}: {', '.join(found)} all have the columns {','.join(columns)}; "
            "expected one such file"
        )
    return found[0] if found else None


def require_table(files: Files, columns: Sequence[str], what: str) -> str:
    """Like :func:`find_table`, where there must be one. what: its name in the error message.

    Raises:
        DataError: says which header a lone CSV has instead.
    """
    name = find_table(files, columns)
    if name is not None:
        return name
    got = "no CSV with these columns"
    if len(files.names) == 1 and files.names[0].lower().endswith(".csv"):
        got = f"line 1 is {','.join(_header(files, files.names[0]))!r}"
    raise DataError(f"{files.path}: {got}; expected {what} with the columns {','.join(columns)!r}")


def table_rows(
    files: Files, name: str, columns: Sequence[str]
) -> Iterator[tuple[int, list[bytes]]]:
    """Line number (1-based; the header is line 1) and fields, in the order of columns.

    Raises:
        DataError: another number of fields, a quotation mark that is not closed, an empty line
            before the end, an overlong line, a damaged file.
    """
    header = _header(files, name)
    order = [header.index(column) for column in columns]
    blank = 0
    try:
        with files.open(name, MAX_TABLE_BYTES) as file:
            file.readline(_MAX_LINE)
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), 2):
                where = f"{files.where(name)}, line {number}"
                if len(line) == _MAX_LINE:
                    raise DataError(f"{where}: longer than {_MAX_LINE} bytes; expected one row")
                if not line.strip():
                    blank = blank or number
                    continue
                if blank:
                    raise DataError(f"{files.where(name)}, line {blank}: empty; expected a row")
                fields = _fields(line, where)
                if len(fields) != len(header):
                    raise DataError(
                        f"{where}: {len(fields)} fields; expected {len(header)}: {','.join(header)}"
                    )
                yield number, [fields[i].strip() for i in order]
    except READ_ERRORS as error:
        raise DataError(f"{files.where(name)}: cannot be read ({error})") from error


def shown(field: bytes) -> str:
    """A field as an error message shows it: quoted, and never long."""
    text = field.decode("utf-8", "replace")
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _header(files: Files, name: str) -> list[str]:
    try:
        with files.open(name, MAX_TABLE_BYTES) as file:
            line = file.readline(_MAX_LINE)
    except READ_ERRORS as error:
        raise DataError(f"{files.where(name)}: cannot be read ({error})") from error
    fields = _fields(line.removeprefix(_BOM), f"{files.where(name)}, line 1")
    return [column.decode("utf-8", "replace").strip() for column in fields]


def _fields(line: bytes, where: str) -> list[bytes]:
    """The fields of a row; quoted ones as RFC 4180 has them."""
    if b'"' not in line:
        return line.split(b",")
    try:
        (row,) = csv.reader([line.decode("latin-1").strip()], strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise DataError(f"{where}: quotation marks: {error}; expected a row on one line") from error
    return [field.encode("latin-1") for field in row]
