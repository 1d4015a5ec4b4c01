"""What the page draws of a face, ready for JSON: caption, colours, heat layers, close-up.

The page's scripts draw what stands here and decide nothing about words or colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_cbam.render import caption, close_up, color_of, heat_layer, ink_on, layer_transform
from fer_cbam.serve.data_urls import jpeg_url, png_url
from fer_cbam.serve.photo import ExplainedFace
from fer_cbam.types import Recognition, Saliency

FACE_SIDE = 288  # pixels of a close-up


def css_color(color: tuple[int, int, int]) -> str:
    """``rgb(240, 228, 66)``"""
    return "rgb({}, {}, {})".format(*color)


def label_colors(labels: Sequence[str]) -> dict[str, str]:
    """The CSS colour of each label, in their order."""
    return {label: css_color(color_of(label)) for label in labels}


def face_tag(recognition: Recognition) -> dict[str, str]:
    """What is written at a box, and the colours of box and writing."""
    color = color_of(recognition.prediction.label)
    return {
        "caption": caption(recognition),
        "color": css_color(color),
        "ink": css_color(ink_on(color)),
    }


def heat_url(saliency: Saliency | None) -> str | None:
    """A PNG to lay over the crop, see :func:`fer_cbam.render.heat_layer`."""
    return None if saliency is None else png_url(heat_layer(saliency))


def photo_face(image: np.ndarray, face: ExplainedFace) -> dict[str, Any]:
    """A face of a photo under its maps: a close-up, one layer for each label and one for the
    attention (None where the weights have none), and the layers' transform to the close-up."""
    view, moved = close_up(image, face.recognition, FACE_SIDE)
    return face_tag(face.recognition) | {
        "close_up": jpeg_url(view),
        "transform": layer_transform(moved.affine),
        "layers": {label: heat_url(cam) for label, cam in face.gradcams.items()},
        "attention": heat_url(face.recognition.attention()),
        "sentences": dict(face.sentences),
    }
