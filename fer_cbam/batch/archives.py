"""Images that lie together in one file: tar shards, and columns of Parquet files."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from fer_cbam.batch.formats import IMAGE_SUFFIXES, kind_of
from fer_cbam.batch.storage import is_url, open_binary, read_bytes
from fer_cbam.batch.tasks import TAR
from fer_cbam.errors import DataError, ImageError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

#: Columns that may hold images or their paths, the most likely first.
IMAGE_COLUMNS = ("image", "jpg", "jpeg", "png", "webp", "img", "bytes", "image_bytes", "path",
                 "file", "filename", "file_name", "image_path", "url")  # fmt: skip
ROWS_AT_ONCE = 32  # of a Parquet file: images are large
ROW_DIGITS = 9  # of a row's number, so that their order is that of texts too


def tar_images(source: str, skip: Container[str] = ()) -> Iterator[tuple[str, bytes | Exception]]:
    """Name and content of the images of a tar file. What is not an image (a WebDataset's labels)
    is left out; a second member of one name is ``name#2``.

    Where the file breaks off, the last one is an error under the name "".
    """
    names: Counter[str] = Counter()
    with open_binary(source) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    suffix = PurePosixPath(member.name).suffix.lower()
                    if not member.isfile() or suffix not in IMAGE_SUFFIXES:
                        continue
                    names[member.name] += 1
                    count = names[member.name]
                    name = member.name if count == 1 else f"{member.name}#{count}"
                    if name not in skip:
                        yield name, _content(tar, member)
                _check_end(file, tar.offset)
        except tarfile.TarError as error:
            text = f"{source}: {error}; what lies before this place was read"
            yield "", DataError(f"{text}; expected a whole tar file that is not compressed")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | Exception:
    try:
        opened = tar.extractfile(member)
        return opened.read() if opened else b""
    except tarfile.TarError as error:
        text = f"{member.name}: {error}; expected {member.size} bytes, the tar file is cut short"
        return ImageError(text, "damaged")


def _check_end(file: IO[bytes], offset: int) -> None:
    """The module takes whatever is no header for the end; a whole file has a block of zeros there
    (POSIX pax, "ustar Interchange Format")."""
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no end mark at byte {offset}")


def parquet_file(source: str) -> pq.ParquetFile:
    """An opened Parquet file.

    Raises:
        OSError: it cannot be read.
        DataError: no Parquet file, or a damaged one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(open_binary(source))
    except pa.ArrowInvalid as error:
        raise DataError(f"{source}: {error}; expected a whole Parquet file") from error


def image_column(file: pq.ParquetFile, source: str, name: str | None = None) -> str:
    """The column that holds images or paths.

    name: as the user asks for; by default the first of ``IMAGE_COLUMNS`` that there is.

    Raises:
        DataError: there is none.
    """
    columns = file.schema_arrow.names
    wanted = (name,) if name else IMAGE_COLUMNS
    for candidate in wanted:
        if candidate in columns:
            return candidate
    expected = repr(name) if name else f"one of {', '.join(IMAGE_COLUMNS)}, or its name"
    raise DataError(f"{source}: columns {', '.join(columns)}; expected {expected} with the images")


def parquet_images(
    source: str, row_group: int, column: str | None = None, skip: Container[str] = ()
) -> Iterator[tuple[str, bytes | Exception]]:
    """Number of the row, as text, and content of the images of one group of rows."""
    file = parquet_file(source)
    with file:
        name = image_column(file, source, column)
        row = sum(file.metadata.row_group(i).num_rows for i in range(row_group))
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[row_group], columns=[name]):
            for value in batch.column(0):
                number = f"{row:0{ROW_DIGITS}d}"
                row += 1
                if number not in skip:
                    yield number, _image_of(value.as_py(), source)


def _image_of(value: Any, source: str) -> bytes | Exception:
    """Bytes, a path, or both as the hub's data sets have them: ``{"bytes": ..., "path": ...}``."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return read_bytes(beside(source, value))
        except Exception as error:
            return error
    return ImageError(
        f"image column: got {type(value).__name__}; expected bytes or a path", "not a picture"
    )


def content(source: str, member: str = "") -> bytes:
    """The bytes of one image: of a file, or of a member as :func:`tar_images` and
    :func:`parquet_images` number it.

    Raises:
        OSError, DataError, ImageError: it cannot be read.
    """
    if not member:
        return read_bytes(source)
    if kind_of(source) == TAR:
        found = (data for name, data in tar_images(source) if name == member)
    else:
        with parquet_file(source) as file:
            groups = file.num_row_groups
        found = (
            data
            for group in range(groups)
            for name, data in parquet_images(source, group)
            if name == member
        )
    data = next(found, DataError(f"{source}: no {member}; expected it to be there still"))
    if isinstance(data, Exception):
        raise data
    return data


def beside(source: str, path: str) -> str:
    """A path in a table: as it is, or from the folder of that table."""
    if is_url(path) or os.path.isabs(path):  # noqa: PTH117  a URL's folder is no Path
        return path
    folder = source.rpartition("/")[0] if is_url(source) else os.path.dirname(source)  # noqa: PTH120
    return f"{folder}/{path}" if folder else path
