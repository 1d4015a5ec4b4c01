"""The words and the HTML of the app's page, from what the recogniser returns.

Plain strings; gradio is not needed. Everything that comes from outside is escaped: label names are
read from weights that anyone may have made.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.render import annotate, caption, close_up, color_of, overlay, percent, shrink
from fer_cbam.types import Recognition, Saliency

PHOTO_SIDE = 1280  # longest side of the photo as shown
FACE_SIDE = 288  # side of a close-up
SMALL_FACE = 40  # pixels; below this a face is less than the network's input
NO_FACE = (
    "No face found. Faces in profile, covered, very dark or smaller than about 24 pixels are "
    "often missed."
)


def data_url(image: np.ndarray, quality: int = 85) -> str:
    """RGB uint8 ``(H, W, 3)`` -> JPEG as a data URL."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return _jpeg_url(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def file_data_url(path: Path) -> str:
    """A JPEG file as a data URL, as it is."""
    return _jpeg_url(path.read_bytes())


def _jpeg_url(encoded: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()


def from_data_url(url: object, max_bytes: int) -> bytes:
    """The bytes in a data URL.

    Raises:
        ImageError: it is none, or holds more than max_bytes.
    """
    head, comma, body = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise ImageError("image: expected a data URL with base64")
    if len(body) > 4 * (max_bytes + 2) // 3:
        raise ImageError(f"image: expected at most {max_bytes / 1e6:.0f} MB")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ImageError(f"image: not base64 ({error})") from error


def bars(probs: Mapping[str, float]) -> str:
    """Labelled bars in the order of the labels: in a live picture rows must not change places."""
    return f'<ul class="fer-bars">{"".join(_bar(*item) for item in probs.items())}</ul>'


def pick_bars(probs: Mapping[str, float], pick: str) -> str:
    """Labelled bars, the most probable first, each a button; pick: the one that is pressed."""
    ranked = sorted(probs.items(), key=lambda item: -item[1])
    return f'<ul class="fer-bars">{"".join(_bar(*item, pick) for item in ranked)}</ul>'


def _bar(label: str, prob: float, pick: str | None = None) -> str:
    name = escape(label)
    color = "rgb({}, {}, {})".format(*color_of(label))
    row = (
        f'<span class="fer-name">{name}</span>'
        f'<span class="fer-track"><span class="fer-fill" '
        f'style="width: {100 * prob:.1f}%; background: {color}"></span></span>'
        f'<span class="fer-percent">{escape(percent(prob))}</span>'
    )
    if pick is None:
        return f'<li><span class="fer-bar">{row}</span></li>'
    pressed = "true" if label == pick else "false"
    return (
        f'<li><button type="button" class="fer-bar" data-emotion="{name}" '
        f'aria-pressed="{pressed}">{row}</button></li>'
    )


def title_of(recognition: Recognition) -> str:
    """The caption as HTML; what belongs to the number stays with it."""
    name, space, number = escape(caption(recognition)).partition(" ")
    return name + space + number.replace(" ", "&nbsp;")


def live_faces(recognitions: Sequence[Recognition], most: int = 3) -> str:
    """The bars of the largest faces of a frame."""
    shown = recognitions[:most]
    cards = []
    for number, recognition in enumerate(shown, 1):
        title = f"Face {number}" if len(recognitions) > 1 else "Your expression"
        cards.append(
            f'<section class="fer-card"><h3>{title}: {title_of(recognition)}</h3>'
            f"{bars(recognition.prediction.probs)}</section>"
        )
    return "".join(cards)


def photo_message(found: int, shown: int) -> str:
    """What was found, in a sentence."""
    if found == 0:
        return NO_FACE
    if found > shown:
        return f"{found} faces found, too many to explain each: here are the {shown} largest."
    if found == 1:
        return "One face found. Pick an emotion to see what spoke for it."
    return f"{found} faces found. Pick a face, then an emotion to see what spoke for it."


def photo_result(
    image: np.ndarray,
    recognitions: Sequence[Recognition],
    gradcams: Sequence[Mapping[str, Saliency]],
) -> str:
    """The photo with a button over each face, and a panel for each face.

    gradcams: for each face, emotion -> Grad-CAM.
    """
    small, moved = shrink(image, recognitions, PHOTO_SIDE)
    height, width = small.shape[:2]
    buttons = "".join(_face_button(i, r, width, height) for i, r in enumerate(moved))
    panels = "".join(
        _face_panel(i, len(recognitions), image, r, cams)
        for i, (r, cams) in enumerate(zip(recognitions, gradcams, strict=True))
    )
    return (
        f'<div class="fer-picture"><img src="{data_url(annotate(small, moved))}" '
        f'width="{width}" height="{height}" alt="The photo, its faces marked">{buttons}</div>'
        f'<div class="fer-panels">{panels}</div>'
    )


def _face_button(number: int, recognition: Recognition, width: int, height: int) -> str:
    x1, y1, x2, y2 = recognition.face.box
    left, top = max(x1, 0) / width, max(y1, 0) / height
    right, bottom = min(x2, width) / width, min(y2, height) / height
    style = (
        f"left: {left:.2%}; top: {top:.2%}; width: {right - left:.2%}; height: {bottom - top:.2%}"
    )
    return (
        f'<button type="button" class="fer-face" data-face="{number}" style="{style}" '
        f'aria-pressed="{"false" if number else "true"}" '
        f'aria-label="Face {number + 1}: {title_of(recognition)}"></button>'
    )


def _face_panel(
    number: int,
    count: int,
    image: np.ndarray,
    recognition: Recognition,
    gradcams: Mapping[str, Saliency],
) -> str:
    view, moved = close_up(image, recognition, FACE_SIDE)
    top = recognition.prediction.label
    heat = "".join(
        _picture(overlay(view, moved, cam), f"Grad-CAM for {label}", label, hidden=label != top)
        for label, cam in gradcams.items()
    )
    figures = [
        _figure(_picture(view, "The face"), "Face"),
        _figure(heat, f'Grad-CAM for <b class="fer-picked">{escape(top)}</b>'),
    ]
    figures += [
        _figure(_picture(overlay(view, moved, saliency), "Spatial attention"), "Attention")
        for saliency in recognition.saliencies
        if saliency.kind == "spatial_attention"
    ]
    title = f"Face {number + 1} of {count}: " if count > 1 else ""
    size = round(recognition.face.size)
    note = (
        f'<p class="fer-note">This face is only {size} pixels wide; trust the answer less.</p>'
        if size < SMALL_FACE
        else ""
    )
    return (
        f'<section class="fer-card fer-panel" data-face="{number}"{" hidden" if number else ""}>'
        f"<h3>{title}{title_of(recognition)}</h3>{note}"
        f'<div class="fer-views">{"".join(figures)}</div>{HEAT_SCALE}'
        f"{pick_bars(recognition.prediction.probs, top)}</section>"
    )


HEAT_SCALE = (
    '<p class="fer-scale"><span>spoke little</span><i aria-hidden="true"></i>'
    "<span>spoke most</span></p>"
)


def _figure(pictures: str, title: str) -> str:
    return f"<figure>{pictures}<figcaption>{title}</figcaption></figure>"


def _picture(image: np.ndarray, alt: str, emotion: str | None = None, hidden: bool = False) -> str:
    data = "" if emotion is None else f' data-emotion="{escape(emotion)}"'
    return (
        f'<img src="{data_url(image)}" width="{image.shape[1]}" height="{image.shape[0]}" '
        f'alt="{escape(alt)}"{data}{" hidden" if hidden else ""}>'
    )
