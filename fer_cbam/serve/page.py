"""The words and the HTML of the app's page, from what the recogniser returns.

Plain strings; gradio is not needed. Everything that comes from outside is escaped: label names are
read from weights that anyone may have made.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.render import (
    annotate,
    caption,
    close_up,
    color_of,
    heat_layer,
    layer_transform,
    percent,
    shrink,
)
from fer_cbam.types import Recognition, Saliency
from fer_cbam.words.sentences import caution_sentences

PHOTO_SIDE = 1280  # longest side of the photo as shown
FACE_SIDE = 288  # side of a close-up


@dataclass(frozen=True, eq=False)
class ExplainedFace:
    """A face of a photo with what there is to say of it.

    gradcams: emotion -> Grad-CAM. shares: emotion -> region of the face -> share of that map.
    words: emotion -> a sentence. cautions: see :func:`fer_cbam.words.cautions.cautions`.
    """

    recognition: Recognition
    gradcams: Mapping[str, Saliency]
    shares: Mapping[str, Mapping[str, float]]
    words: Mapping[str, str]
    cautions: tuple[str, ...] = ()


def data_url(image: np.ndarray, quality: int = 85) -> str:
    """RGB uint8 ``(H, W, 3)`` -> JPEG as a data URL."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return _jpeg_url(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def file_data_url(path: Path) -> str:
    """A JPEG file as a data URL, as it is."""
    return _jpeg_url(path.read_bytes())


def png_url(image: np.ndarray) -> str:
    """RGB or RGBA uint8 ``(H, W, 3 or 4)`` -> PNG as a data URL."""
    code = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    encoded = cv2.imencode(".png", cv2.cvtColor(image, code))[1].tobytes()
    return "data:image/png;base64," + base64.b64encode(encoded).decode()


def css_color(color: tuple[int, int, int]) -> str:
    """``rgb(240, 228, 66)``"""
    return "rgb({}, {}, {})".format(*color)


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


def pick_bars(probs: Mapping[str, float], pick: str) -> str:
    """Labelled bars, the most probable first, each a button; pick: the one that is pressed."""
    ranked = sorted(probs.items(), key=lambda item: -item[1])
    return f'<ul class="fer-bars">{"".join(_bar(*item, pick) for item in ranked)}</ul>'


def _bar(label: str, prob: float, pick: str) -> str:
    name = escape(label)
    pressed = "true" if label == pick else "false"
    return (
        f'<li><button type="button" class="fer-bar" data-emotion="{name}" '
        f'aria-pressed="{pressed}"><span class="fer-name">{name}</span>'
        f'<span class="fer-track"><span class="fer-fill" '
        f'style="width: {100 * prob:.1f}%; background: {css_color(color_of(label))}"></span></span>'
        f'<span class="fer-percent">{escape(percent(prob))}</span></button></li>'
    )


def title_of(recognition: Recognition) -> str:
    """The caption as HTML; what belongs to the number stays with it."""
    name, space, number = escape(caption(recognition)).partition(" ")
    return name + space + number.replace(" ", "&nbsp;")


def photo_result(image: np.ndarray, faces: Sequence[ExplainedFace]) -> str:
    """The photo with a button over each face, and a panel for each face."""
    small, moved = shrink(image, [face.recognition for face in faces], PHOTO_SIDE)
    height, width = small.shape[:2]
    buttons = "".join(_face_button(i, r, width, height) for i, r in enumerate(moved))
    panels = "".join(_face_panel(i, len(faces), image, face) for i, face in enumerate(faces))
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


def _face_panel(number: int, count: int, image: np.ndarray, face: ExplainedFace) -> str:
    recognition = face.recognition
    top = recognition.prediction.label
    title = f"Face {number + 1} of {count}: " if count > 1 else ""
    notes = "".join(
        f'<p class="fer-note">{escape(text)}</p>' for text in caution_sentences(face.cautions)
    )
    return (
        f'<section class="fer-card fer-panel" data-face="{number}"{" hidden" if number else ""}>'
        f"<h3>{title}{title_of(recognition)}</h3>{_sentences(face.words, top)}{notes}"
        f"{_views(image, face)}{HEAT_SCALE}"
        f"{pick_bars(recognition.prediction.probs, top)}{DOWNLOADS}</section>"
    )


def _sentences(words: Mapping[str, str], shown: str) -> str:
    return '<div class="fer-words" aria-live="polite">' + "".join(
        f'<p data-emotion="{escape(label)}"{"" if label == shown else " hidden"}>{escape(text)}</p>'
        for label, text in words.items()
    ) + "</div>"  # fmt: skip


def _views(image: np.ndarray, face: ExplainedFace) -> str:
    """The face as it is, under its Grad-CAMs, and under the attention map."""
    top = face.recognition.prediction.label
    view, moved = close_up(image, face.recognition, FACE_SIDE)
    plain, place = data_url(view), layer_transform(moved.affine)
    cams = "".join(
        _layer(cam, place, label, hidden=label != top) for label, cam in face.gradcams.items()
    )
    figures = [
        _figure(_svg(plain, "", "The face"), "Face"),
        _figure(_svg(plain, cams, "Grad-CAM over the face"),
                f'Grad-CAM: <b class="fer-picked">{escape(top)}</b>'),
    ]  # fmt: skip
    figures += [
        _figure(_svg(plain, _layer(saliency, place), "Attention over the face"), "Attention")
        for saliency in face.recognition.saliencies
        if saliency.kind == "spatial_attention"
    ]
    return f'<div class="fer-views">{"".join(figures)}</div>'


HEAT_SCALE = (
    '<div class="fer-scale"><span>little</span><i aria-hidden="true"></i><span>most</span>'
    '<label class="fer-opacity">Overlay <input type="range" min="0" max="100" value="65" '
    'data-do="opacity" aria-label="Strength of the overlay, per cent"></label></div>'
)
HIDDEN = ' hidden=""'
DOWNLOADS = (
    '<p class="fer-downloads"><button type="button" class="fer-secondary" data-do="figure">'
    'Figure (PNG)</button><button type="button" class="fer-secondary" data-do="numbers">'
    "Numbers (JSON)</button></p>"
)


def _svg(plain: str, layers: str, title: str) -> str:
    """A close-up with layers over it, in the close-up's pixels whatever the size on the screen."""
    return (
        f'<svg viewBox="0 0 {FACE_SIDE} {FACE_SIDE}" role="img" aria-label="{title}">'
        f'<image href="{plain}" width="{FACE_SIDE}" height="{FACE_SIDE}"/>'
        f'<g class="fer-heat">{layers}</g></svg>'
    )


def _layer(
    saliency: Saliency, place: Sequence[float], emotion: str | None = None, hidden: bool = False
) -> str:
    side = saliency.values.shape[0]
    data = "" if emotion is None else f' data-emotion="{escape(emotion)}"'
    matrix = " ".join(f"{value:.4f}" for value in place)
    return (
        f'<image href="{png_url(heat_layer(saliency))}" width="{side}" height="{side}" '
        f'transform="matrix({matrix})" preserveAspectRatio="none"{data}'
        f"{HIDDEN if hidden else ''}/>"
    )


def _figure(pictures: str, title: str) -> str:
    return f"<figure>{pictures}<figcaption>{title}</figcaption></figure>"
