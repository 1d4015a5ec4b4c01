"""Any picture -> RGB uint8. The only place where images of users are decoded.

Read are JPEG, PNG, WebP, BMP, GIF (its first frame) and TIFF (its first page). Other formats are
refused by name before their decoder runs. Colour profiles are not applied.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_cbam.data_urls import from_data_url
from fer_cbam.errors import ImageError
from fer_cbam.remote_images import MAX_BYTES, fetch
from fer_cbam.side_data import pixels_alone

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 50_000_000  # 150 MB as RGB; phones' pictures have 12 to 48 million
MAX_SHOWN = 80  # characters of a text that is no path, in an error

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
_WIDE_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
_TO_RGB = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")

_ORIENTATION = 274  # TIFF 6.0; its values -> what turns the stored picture upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Sound files that people take for damaged, told by their bytes from an offset on.
_OTHER_FORMATS = (
    (4, rb"ftyp(hei|hev|mif1|msf1)", "HEIC"),
    (4, rb"ftypavi[fs]", "AVIF"),
    (0, rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (0, rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (0, rb".{0,200}<svg", "SVG"),
    (0, rb"8BPS", "Photoshop"),
    (4, rb"ftyp", "MP4 or MOV"),
    (0, rb"\x1a\x45\xdf\xa3", "WebM or MKV"),
)


def decode_image(
    source: Any, max_pixels: int = MAX_PIXELS, allow_remote: bool = False
) -> np.ndarray:
    """Decode a picture, upright.

    source: path (``str`` or ``Path``), the bytes of a file, PIL image, or array: uint8 or float in
    [0, 1], ``(H, W)`` or ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA. max_pixels:
    files and PIL images with more are refused from their header, before anything is decoded.
    allow_remote: source may also be an ``http`` or ``https`` address of the public internet, see
    :mod:`fer_cbam.remote_images`, or a data URL with base64; both of at most 25 MB.

    Returns RGB uint8 ``(H, W, 3)``, H and W at least 1; it may share memory with an array that is
    that already. The EXIF orientation is applied; whatever else lies beside the pixels (comments,
    other tags, colour profiles) is left alone, and does not matter where it is damaged. Floats
    less than half a grey level outside [0, 1] are taken for rounding errors. 16-bit grey is scaled
    by 255 / 65535. Pixels that let through are laid over white: such pictures are made to be seen
    on a page, and the colour hidden under full transparency is arbitrary.

    Raises:
        ImageError: no file, no picture, a damaged or truncated one, more than max_pixels, or an
            array of another shape, dtype or range.
    """
    if allow_remote and isinstance(source, str):
        source = _remote(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_pil(source, "PIL image", max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        if len(source) == 0:
            raise ImageError(f"image: got 0 bytes; expected a {_names()} file", "empty")
        return _open(io.BytesIO(source), f"image of {len(source)} bytes", max_pixels)
    if isinstance(source, str | os.PathLike):
        return _open(_existing(os.fsdecode(source)), str(Path(os.fsdecode(source))), max_pixels)
    raise ImageError(
        f"image: got {type(source).__name__}; expected a path, bytes, PIL image or array"
    )


def _remote(text: str) -> str | bytes:
    """The bytes at an address, or in a data URL; any other text as it is."""
    if text.startswith("data:"):
        return from_data_url(text, MAX_BYTES)
    address = _ADDRESS.match(text)
    return fetch(text) if address and address[1].lower() in ("http", "https") else text


def _existing(text: str) -> Path:
    """The path of a file that is there and not empty. A text that is something else is named, and
    not repeated where it is long."""
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)"
    expected = f"expected a {_names()} file"
    try:
        size = Path(text).stat().st_size if Path(text).is_file() else None
    except PermissionError as error:
        text = f"{shown}: may not be read ({error.strerror}); {expected}"
        raise ImageError(text, "missing") from None
    except (OSError, ValueError):  # too long, a null byte, ...
        size = None
    if size:
        return Path(text)
    if size == 0:
        raise ImageError(f"{shown}: got 0 bytes; {expected}", "empty")
    asked = "or allow_remote=True"
    if text.startswith("data:"):
        raise ImageError(f"{shown}: a data URL; expected a path, the decoded bytes, {asked}")
    address = _ADDRESS.match(text)  # a Path has lost one of the slashes
    if address:
        rest = shown.removeprefix(address[0])
        raise ImageError(f"{address[1]}://{rest}: an address; expected a path, {asked}")
    if text.startswith("~"):
        raise ImageError(f"{shown}: no such file, and ~ is not expanded; expected a whole path")
    raise ImageError(f"{shown}: no such file; {expected}")


def _open(file: Path | io.BytesIO, name: str, max_pixels: int) -> np.ndarray:
    try:
        return _decode(file, name, max_pixels)
    except ImageError:
        bare = pixels_alone(_read(file, 8 * max_pixels))
        if bare is None:
            raise
        try:
            return _decode(io.BytesIO(bare), name, max_pixels)
        except ImageError:
            pass  # the first error says more
        raise


def _decode(file: Path | io.BytesIO, name: str, max_pixels: int) -> np.ndarray:
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.UnidentifiedImageError:
        found, kind = _unidentified(file)
        raise ImageError(f"{name}: {found}; expected {_names()}", kind) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        text = f"{name}: {error} expected at most {max_pixels} pixels"
        raise ImageError(text, "too large") from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        text = f"{name}: {error}; expected a whole {_names()} file"
        raise ImageError(text, "damaged") from error
    with image:
        return _from_pil(image, name, max_pixels)


def _unidentified(file: Path | io.BytesIO) -> tuple[str, str]:
    """What a file is that Pillow does not know, and the kind of error that it is."""
    head = _read(file, 256)
    for offset, pattern, kind in _OTHER_FORMATS:
        if re.match(pattern, head[offset:], re.DOTALL):
            return f"{kind}, which is not read here; save it as JPEG or PNG", "other format"
    return "not a picture, or damaged", "not a picture"


def _read(file: Path | io.BytesIO, size: int) -> bytes:
    """The first bytes of a file."""
    if isinstance(file, io.BytesIO):
        return file.getvalue()[:size]
    with file.open("rb") as opened:
        return opened.read(size)


def _from_pil(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{name}: got {width}x{height}; expected at least one pixel", "empty")
    if width * height > max_pixels:
        text = f"{name}: got {width}x{height}; expected at most {max_pixels} pixels"
        raise ImageError(text, "too large")
    try:
        return _to_rgb(_upright(image), image.format)
    except ImageError as error:
        raise ImageError(f"{name}: {error}", error.kind) from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        text = f"{name}: damaged or truncated ({error}); expected a whole picture"
        raise ImageError(text, "damaged") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned by its EXIF orientation. Pillow's ``exif_transpose`` also writes all other tags anew,
    and fails on a photo that has one that cannot be written."""
    image.load()
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a tag that cannot be read is as good as none
        turn = None
    return image if turn is None else image.transpose(turn)


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
    levels = np.rint(array.astype(np.float32) * 255)
    if levels.min() < 0 or levels.max() > 255:
        low, high = array.min(), array.max()
        raise ImageError(f"image array: got {array.dtype} from {low:g} to {high:g}; {expected}")
    return levels.astype(np.uint8)


def _over_white(rgba: np.ndarray) -> np.ndarray:
    """RGBA uint8 ``(H, W, 4)`` -> RGB over white, to the nearest integer."""
    alpha = rgba[..., 3:].astype(np.uint32)
    over = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((over + 127) // 255).astype(np.uint8)


def _names() -> str:
    return ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
