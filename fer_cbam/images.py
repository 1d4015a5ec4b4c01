"""Any picture -> RGB uint8. The only place where images of users are decoded.

Read are JPEG, PNG, WebP, BMP, GIF (its first frame) and TIFF (its first page). Other formats are
refused by name before their decoder runs. Colour profiles are not applied.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from fer_cbam.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 50_000_000  # 150 MB as RGB; phones' pictures have 12 to 48 million

# What PIL raises on a damaged file; a bomb is an error or a warning by the caller's settings.
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, OverflowError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
_WIDE_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
_TO_RGB = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def decode_image(source: Any, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture, upright.

    source: path (``str`` or ``Path``), the bytes of a file, PIL image, or array: uint8 or float in
    [0, 1], ``(H, W)`` or ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA. max_pixels:
    files and PIL images with more are refused from their header, before anything is decoded.

    Returns RGB uint8 ``(H, W, 3)``, H and W at least 1; it may share memory with an array that is
    that already. The EXIF orientation is applied. 16-bit grey is scaled by 255 / 65535. Pixels
    that let through are laid over white: such pictures are made to be seen on a page, and the
    colour hidden under full transparency is arbitrary.

    Raises:
        ImageError: no file, no picture, a damaged or truncated one, more than max_pixels, or an
            array of another shape, dtype or range.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_pil(source, "PIL image", max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        if len(source) == 0:
            raise ImageError(f"image: got 0 bytes; expected a {_names()} file")
        return _open(io.BytesIO(source), f"image of {len(source)} bytes", max_pixels)
    if isinstance(source, str | os.PathLike):
        path = Path(os.fsdecode(source))
        if not path.is_file():
            raise ImageError(f"{path}: no such file; expected a {_names()} file")
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: got 0 bytes; expected a {_names()} file")
        return _open(path, str(path), max_pixels)
    raise ImageError(
        f"image: got {type(source).__name__}; expected a path, bytes, PIL image or array"
    )


def _open(file: Path | io.BytesIO, name: str, max_pixels: int) -> np.ndarray:
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture, or damaged; expected {_names()}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: {error} expected at most {max_pixels} pixels") from error
    except _DECODE_ERRORS as error:
        raise ImageError(f"{name}: {error}; expected a whole {_names()} file") from error
    with image:
        return _from_pil(image, name, max_pixels)


def _from_pil(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{name}: got {width}x{height}; expected at least one pixel")
    if width * height > max_pixels:
        raise ImageError(f"{name}: got {width}x{height}; expected at most {max_pixels} pixels")
    try:
        return _to_rgb(ImageOps.exif_transpose(image), image.format)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    except _DECODE_ERRORS as error:
        raise ImageError(f"{name}: damaged or truncated ({error}); expected a whole picture") from (
            error
        )


def _to_rgb(image: Image.Image, file_format: str | None) -> np.ndarray:
    # Pillow before 11 reads a 16-bit PNG as 32-bit integers.
    if image.mode in _WIDE_GREY or (image.mode == "I" and file_format == "PNG"):
        wide = np.asarray(image).astype(np.uint32)
        grey = ((wide * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in _ALPHA or "transparency" in image.info:
        return _over_white(np.asarray(image.convert("RGBA")))
    if image.mode in _TO_RGB:
        return np.array(image.convert("RGB"))
    raise ImageError(f"pixels are {image.mode!r}; expected 8-bit colour or 8- or 16-bit grey")


def _from_array(array: np.ndarray) -> np.ndarray:
    expected = "expected (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA"
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ImageError(f"image array: got shape {array.shape}; {expected}")
    if array.size == 0:
        raise ImageError(f"image array: got shape {array.shape}, which is empty; {expected}")
    array = _to_uint8(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return _over_white(array) if array.shape[2] == 4 else np.ascontiguousarray(array)


def _to_uint8(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return np.asarray(array)
    expected = "expected uint8, or float in [0, 1]"
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(f"image array: got dtype {array.dtype}; {expected}")
    if not np.isfinite(array).all():
        raise ImageError(f"image array: got NaN or infinite values; {expected}")
    low, high = array.min(), array.max()
    if low < 0 or high > 1:
        raise ImageError(f"image array: got {array.dtype} from {low:g} to {high:g}; {expected}")
    return np.rint(array.astype(np.float32) * 255).astype(np.uint8)


def _over_white(rgba: np.ndarray) -> np.ndarray:
    """RGBA uint8 ``(H, W, 4)`` -> RGB over white, to the nearest integer."""
    alpha = rgba[..., 3:].astype(np.uint32)
    over = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((over + 127) // 255).astype(np.uint8)


def _names() -> str:
    return ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
