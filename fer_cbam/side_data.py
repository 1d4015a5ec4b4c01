"""What lies beside the pixels of a picture file: comments, profiles, previews, editors' notes.

None of it may decide whether the pixels are read. Pillow reads it first, and refuses a whole
picture for a comment of more than 1 MB or one with a wrong checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator


def pixels_alone(data: bytes) -> bytes | None:
    """A PNG or JPEG file without its side data, but for EXIF, which holds the orientation; None for
    any other file. What is cut off stays cut off."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data[:8] + b"".join(_png_chunks(data))
    if data.startswith(b"\xff\xd8\xff"):
        return data[:2] + b"".join(_jpeg_segments(data))
    return None


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """The chunks that decide over the pixels, and a sound ``eXIf`` (PNG, third edition,
    https://www.w3.org/TR/png-3/, section 5.4: a capital letter first is critical)."""
    at = 8
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        chunk, kind = data[at:end], data[at + 4 : at + 8]
        sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if kind[:1].isupper() or kind == b"tRNS" or (kind == b"eXIf" and sound):
            yield chunk
        at = end


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """Of the segments before the first scan those that decide over the pixels, and EXIF; then all
    the rest (ITU-T T.81, annex B). APP0 and Adobe's APP14 tell how colours are stored."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        beside = marker == 0xFE or (0xE1 <= marker <= 0xEF and marker != 0xEE)
        if not beside or data[at + 4 : at + 10] == b"Exif\0\0":
            yield data[at:end]
        at = end
    yield data[at:]
