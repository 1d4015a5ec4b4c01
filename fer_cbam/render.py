"""Drawing on the original pixels: boxes with captions, heatmaps over faces, close-ups.

Unless it is asked to, nothing here changes its input; every function returns an RGB uint8 image.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_cbam.types import Face, Recognition, Saliency

# Okabe and Ito's colours, told apart with any colour vision (https://jfly.uni-koeln.de/color/).
COLORS: dict[str, tuple[int, int, int]] = {
    "anger": (213, 94, 0),
    "contempt": (204, 121, 167),
    "disgust": (0, 158, 115),
    "fear": (86, 180, 233),
    "happiness": (240, 228, 66),
    "neutral": (187, 187, 187),
    "sadness": (0, 114, 178),
    "surprise": (230, 159, 0),
}
GOLDEN = (5**0.5 - 1) / 2
_BLACK, WHITE = (0, 0, 0), (255, 255, 255)
OPACITY = 0.65  # of a heatmap where its saliency is 1

Rectangle = tuple[int, int, int, int]


def color_of(label: str, labels: Iterable[str] = ()) -> tuple[int, int, int]:
    """RGB of an emotion; of another label a light colour, by its place among those in labels, all
    that the weights know."""
    if label in COLORS:
        return COLORS[label]
    others = [name for name in labels if name not in COLORS]
    place = others.index(label) if label in others else 0
    hue = (0.58 + place * GOLDEN) % 1  # the next is always far from those before
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.68, 0.65))
    return red, green, blue


@lru_cache(maxsize=64)
def ink_on(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever is easier to read on a colour.

    By the contrast ratio of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
    """
    srgb = np.asarray(color) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return _BLACK if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else WHITE


def percent(prob: float) -> str:
    """``97 %``; at the ends ``< 1 %`` and ``> 99 %``, as no answer is certain."""
    if prob < 0.01:
        return "< 1 %"
    return "> 99 %" if prob >= 0.995 else f"{math.floor(100 * prob + 0.5)} %"


def caption(recognition: Recognition) -> str:
    """``happiness 97 %``; ``happiness? 60 %`` below the weights' threshold; or ``no face``."""
    prediction = recognition.prediction
    if prediction.no_face:
        return prediction.said
    doubt = "?" if prediction.uncertain else ""
    return f"{prediction.label}{doubt} {percent(prediction.confidence)}"


def box_color(recognition: Recognition) -> tuple[int, int, int]:
    """RGB of the box around a face: that of what is said of it, white where it is no face."""
    prediction = recognition.prediction
    return WHITE if prediction.no_face else color_of(prediction.label, prediction.probs)


def caption_colors(
    recognition: Recognition,
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """RGB below a caption and of its letters. White where the answer is uncertain: the colour of an
    emotion says that it was recognised."""
    ground = WHITE if recognition.prediction.uncertain else box_color(recognition)
    return ground, ink_on(ground)


def annotate(
    image: np.ndarray, recognitions: Sequence[Recognition], numbers: Sequence[int] | None = None,
    saliencies: Sequence[Saliency | None] = (), in_place: bool = False,
) -> np.ndarray:  # fmt: skip
    """Boxes and captions on a copy of the image, RGB uint8 ``(H, W, 3)``.

    numbers: one for each face, such as its track; the caption starts with it. saliencies: none at
    all, or one for each face (None for no map), drawn below its box as :func:`overlay` does.
    in_place: draw on the image itself, as copying a large one costs more than the drawing.
    """
    canvas = image if in_place else image.copy()
    for recognition, saliency in zip(recognitions, saliencies, strict=bool(saliencies)):
        if saliency is not None:
            _blend(canvas, recognition.affine, saliency.values, OPACITY)
    longest = max(image.shape[:2])
    thickness = max(1, round(longest / 320))
    for recognition in recognitions:
        x1, y1, x2, y2 = (round(v) for v in recognition.face.box)
        color = box_color(recognition)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), _BLACK, thickness + 2)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, thickness)
    taken: list[Rectangle] = []
    for i, recognition in enumerate(recognitions):  # captions last: no box runs through one
        # About as wide as its face, but never unreadable.
        width = recognition.face.box[2] - recognition.face.box[0]
        size = max(11, round(np.clip(width / 7, longest / 64, longest / 36)))
        number = None if numbers is None else numbers[i]
        taken.append(_draw_caption(canvas, recognition, size, taken, number))
    return canvas


def _draw_caption(
    canvas: np.ndarray,
    recognition: Recognition,
    size: int,
    taken: Sequence[Rectangle] = (),
    number: int | None = None,
) -> Rectangle:
    """A caption at its box, see :func:`caption_place`, which this returns. Where the image is too
    narrow for it, the end of the text is lost."""
    text = caption(recognition) if number is None else f"{number}: {caption(recognition)}"
    ground, ink = caption_colors(recognition)
    patch = _caption_patch(text, size, ground, ink)
    x1, y1, x2, y2 = (round(v) for v in recognition.face.box)
    image_size = canvas.shape[1], canvas.shape[0]
    wanted = patch.shape[1], patch.shape[0]
    place = x, y, width, height = caption_place((x1, y1, x2, y2), *wanted, image_size, taken)
    canvas[y : y + height, x : x + width] = patch[:height, :width]
    return place


@lru_cache(maxsize=128)  # in a clip most captions were there in the frame before
def _caption_patch(
    text: str, size: int, ground: tuple[int, int, int], ink: tuple[int, int, int]
) -> np.ndarray:
    """The letters on their ground, RGB uint8 ``(h, w, 3)``."""
    font = _font(size)
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    pad = max(2, size // 4)
    picture = Image.new("RGB", (right - left + 2 * pad, bottom - top + 2 * pad), ground)
    ImageDraw.Draw(picture).text((pad - left, pad - top), text, fill=ink, font=font)
    patch = np.asarray(picture)
    patch.flags.writeable = False  # shared by all callers
    return patch


def caption_place(
    box: Rectangle, width: int, height: int, image: tuple[int, int],
    others: Sequence[Rectangle] = (),
) -> Rectangle:  # fmt: skip
    """Where a caption of a width and height goes: above its box ``(x1, y1, x2, y2)``, below it, at
    its upper edge, or a line or more farther up or down, whichever is the first within the image
    that covers none of the ``others``. Where all cover one, the first.

    image: its width and height. Returns x, y, width, height. The page places its captions with the
    same rule in ``faces.mjs``; a test holds both against each other.
    """
    width, height = min(width, image[0]), min(height, image[1])
    x1, y1, _, y2 = box
    x = min(max(x1, 0), image[0] - width)
    lowest = image[1] - height
    at_edge = min(max(y1, 0), lowest)
    # Upper and lower ends of what is in the way of that column of places.
    busy = [(b, b + h) for a, b, w, h in others if a < x + width and x < a + w]
    first = None
    for away in range(0, image[1], height):
        for y in (y1 - height - away, y2 + away) if away else (y1 - height, y2, at_edge):
            if not 0 <= y <= lowest:
                continue
            if not any(top < y + height and y < bottom for top, bottom in busy):
                return x, y, width, height
            first = y if first is None else first
    return x, at_edge if first is None else first, width, height


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def heat_colors(values: np.ndarray) -> np.ndarray:
    """Saliency in [0, 1], any shape -> RGB uint8 of that shape plus 3 (OpenCV's Turbo map)."""
    grey = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    colors: np.ndarray = cv2.applyColorMap(grey.reshape(-1, 1), _turbo())
    return colors.reshape(*values.shape, 3)


@lru_cache(maxsize=1)
def _turbo() -> np.ndarray:
    """Uint8 ``(256, 1, 3)``: RGB of each level."""
    bgr = cv2.applyColorMap(np.arange(256, dtype=np.uint8).reshape(-1, 1), cv2.COLORMAP_TURBO)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def overlay(
    image: np.ndarray, recognition: Recognition, saliency: Saliency, alpha: float = OPACITY
) -> np.ndarray:
    """A heatmap over one face, where the crop lies in the image.

    alpha: opacity in [0, 1] where the saliency is 1. It falls with the saliency, so that the face
    stays to be seen where nothing spoke. Only pixels of the crop change; at its border the map
    fades out.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha: got {alpha}; expected a number in [0, 1]")
    canvas = image.copy()
    _blend(canvas, recognition.affine, saliency.values, alpha)
    return canvas


def _blend(canvas: np.ndarray, affine: np.ndarray, values: np.ndarray, alpha: float) -> None:
    """Draw a heatmap into the part of the canvas that its crop covers."""
    side = values.shape[0]
    x, y, w, h = _extent(affine, side, canvas.shape[1], canvas.shape[0])
    if w <= 0 or h <= 0:
        return
    to_region = affine.copy()
    to_region[:, 2] -= (x, y)
    heat = cv2.warpAffine(values, to_region, (w, h), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(_soft_edge(side), to_region, (w, h), flags=cv2.INTER_LINEAR)
    weight = alpha * (mask * np.clip(heat, 0, 1))
    region = canvas[y : y + h, x : x + w]
    # region * (1 - weight) + colors * weight, which OpenCV does in a third of NumPy's time.
    hot = cv2.multiply(heat_colors(heat), cv2.merge([weight] * 3), dtype=cv2.CV_32F)
    kept = cv2.multiply(region, cv2.merge([1 - weight] * 3), dtype=cv2.CV_32F)
    cv2.add(kept, hot, dst=region, dtype=cv2.CV_8U)


def heat_layer(saliency: Saliency) -> np.ndarray:
    """A saliency as a picture to lay over its crop: RGBA uint8 ``(S, S, 4)``, transparent where
    nothing spoke. Laid over with an opacity of alpha it gives what :func:`overlay` draws."""
    values = np.clip(saliency.values, 0, 1)
    alpha = np.rint(255 * values * _soft_edge(values.shape[0])).astype(np.uint8)
    return np.dstack([heat_colors(values), alpha])


def layer_transform(affine: np.ndarray) -> tuple[float, float, float, float, float, float]:
    """A crop's affine as canvas and SVG take it: ``(a, b, c, d, e, f)``, for coordinates that are
    counted by the edges of pixels instead of their centres."""
    linear = affine[:, :2]
    e, f = affine[:, 2] + 0.5 - linear @ (0.5, 0.5)
    (a, c), (b, d) = linear
    return float(a), float(b), float(c), float(d), float(e), float(f)


def _extent(affine: np.ndarray, side: int, width: int, height: int) -> tuple[int, int, int, int]:
    """The crop's bounding box in the image, clipped: x, y, width, height."""
    edge = side - 0.5
    corners = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]])
    points = corners @ affine[:, :2].T + affine[:, 2]
    x1, y1 = np.clip(np.floor(points.min(0)), 0, (width, height)).astype(int)
    x2, y2 = np.clip(np.ceil(points.max(0)) + 1, 0, (width, height)).astype(int)
    return int(x1), int(y1), int(x2 - x1), int(y2 - y1)


@lru_cache(maxsize=8)
def _soft_edge(side: int, border: float = 0.06) -> np.ndarray:
    """Float32 ``(side, side)``: 1 inside, falling to 0 over the outer ``border`` of the side."""
    ramp = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (border * side)
    ramp = np.clip(ramp, 0, 1).astype(np.float32)
    edge = np.outer(ramp, ramp)
    edge.flags.writeable = False  # shared by all callers
    return edge


def shrink(
    image: np.ndarray, recognitions: Sequence[Recognition], max_side: int
) -> tuple[np.ndarray, list[Recognition]]:
    """The image with its longest side at most ``max_side``, and the recognitions in its pixels."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image.copy(), list(recognitions)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scales = size[0] / width, size[1] / height
    return small, [_moved(r, (0, 0), scales) for r in recognitions]


def close_up(
    image: np.ndarray, recognition: Recognition, side: int = 320, margin: float = 1.25
) -> tuple[np.ndarray, Recognition]:
    """A square cut-out around one face, ``(side, side, 3)``, and the face in its pixels.

    margin: side of the cut-out over that of the crop. At the border of the image the cut-out is
    shifted inwards, and it is never larger than the image.
    """
    height, width = image.shape[:2]
    crop_side = recognition.crop.shape[0]
    a, b = recognition.affine[:, 0]
    length = float(np.hypot(a, b)) * crop_side * margin
    cut = int(np.clip(round(length), 1, min(height, width)))
    centre = recognition.affine @ ((crop_side - 1) / 2, (crop_side - 1) / 2, 1)
    x, y = (
        int(np.clip(round(c - (cut - 1) / 2), 0, limit - cut))
        for c, limit in zip(centre, (width, height), strict=True)
    )
    enlarges = cut < side
    view = cv2.resize(
        image[y : y + cut, x : x + cut], (side, side),
        interpolation=cv2.INTER_CUBIC if enlarges else cv2.INTER_AREA,
    )  # fmt: skip
    return view, _moved(recognition, (x, y), (side / cut, side / cut))


def _moved(
    recognition: Recognition, origin: tuple[int, int], scales: tuple[float, float]
) -> Recognition:
    """A recognition in the pixels of a cut-out: shifted by its origin, then scaled.

    Boxes are numbered by pixel edges; landmarks and the affine by pixel centres.
    """
    scale, shift = np.array(scales), np.array(origin)
    box = np.asarray(recognition.face.box).reshape(2, 2)
    x1, y1, x2, y2 = ((box - shift) * scale).ravel().tolist()
    landmarks = (recognition.face.landmarks - shift + 0.5) * scale - 0.5
    affine = recognition.affine * scale[:, None]
    affine[:, 2] = (recognition.affine[:, 2] - shift + 0.5) * scale - 0.5
    face = Face((x1, y1, x2, y2), recognition.face.score, landmarks.astype(np.float32))
    return replace(recognition, face=face, affine=affine)
