"""Pictures and other files as data URLs: so they travel in questions and answers, and none is
written to disk."""

from __future__ import annotations

import base64
import binascii

import cv2
import numpy as np

from fer_cbam.errors import FerError, ImageError


def jpeg_url(image: np.ndarray, quality: int = 85) -> str:
    """RGB uint8 ``(H, W, 3)`` -> JPEG as a data URL."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return to_data_url(encoded.tobytes(), "jpeg")


def png_url(image: np.ndarray) -> str:
    """RGB or RGBA uint8 ``(H, W, 3 or 4)`` -> PNG as a data URL."""
    code = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return to_data_url(cv2.imencode(".png", cv2.cvtColor(image, code))[1].tobytes(), "png")


def to_data_url(encoded: bytes, kind: str) -> str:
    """An encoded picture, as it is. kind: ``"jpeg"`` or ``"png"``."""
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"


def from_data_url(
    url: object, max_bytes: int, what: str = "image", kind: type[FerError] = ImageError
) -> bytes:
    """The bytes in a data URL. what: for messages. kind: of the error.

    Raises:
        ImageError, or another ``kind``: it is none, or holds more than max_bytes.
    """
    head, comma, body = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise kind(f"{what}: expected a data URL with base64")
    if len(body) > 4 * (max_bytes + 2) // 3:
        raise kind(f"{what}: expected at most {max_bytes / 1e6:.0f} MB")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise kind(f"{what}: not base64 ({error})") from error
