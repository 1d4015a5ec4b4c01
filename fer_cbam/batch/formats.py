"""What a file is, told by its name."""

from __future__ import annotations

from pathlib import PurePosixPath

from fer_cbam.batch.tasks import IMAGE, PARQUET, TAR, VIDEO

# Some of them are refused when they are read, by name: a row that says so is better than none.
IMAGE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff",
    ".heic", ".heif", ".avif", ".jxl", ".jp2",
))  # fmt: skip
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".avi", ".mpg", ".mpeg",
    ".ts", ".mts", ".m2ts", ".ogv", ".flv",
))  # fmt: skip
_KINDS = {
    ".tar": TAR,
    ".parquet": PARQUET,
    **dict.fromkeys(IMAGE_SUFFIXES, IMAGE),
    **dict.fromkeys(VIDEO_SUFFIXES, VIDEO),
}


def kind_of(source: str) -> str | None:
    """One of the kinds of :mod:`fer_cbam.batch.tasks`, or None for what is left alone."""
    return _KINDS.get(PurePosixPath(source).suffix.lower())
