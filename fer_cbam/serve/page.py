"""What the page draws of a face, ready for JSON: caption, colours, heat layers, close-up.

The page's scripts draw what stands here and decide nothing about words or colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_cbam.data_urls import jpeg_url, png_url
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import (
    box_color,
    caption,
    caption_colors,
    close_up,
    color_of,
    heat_layer,
    layer_transform,
)
from fer_cbam.serve import cards, titles
from fer_cbam.serve.photo import ExplainedFace
from fer_cbam.types import Recognition, Saliency
from fer_cbam.words.verdicts import verdict_note

FACE_SIDE = 288  # pixels of a close-up
#: Kind of a map -> what stands below it; no line ends within a name.
MAPS = {
    "gradcam": "Grad\u2011CAM",
    "spatial_attention": "Attention",
    "occlusion": "Occlusion",
    "occlusion_gradcam": "Occlusion and Grad\u2011CAM",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "integrated_gradients": "Integrated Gradients",
}


#: Name of a smoother that the page offers -> how it is called there.
OVER_TIME = {"filter": "Filter", "network": "Recurrent network", "none": "Each frame alone"}


def css_color(color: tuple[int, int, int]) -> str:
    """``rgb(240, 228, 66)``"""
    return "rgb({}, {}, {})".format(*color)


def label_colors(labels: Sequence[str]) -> dict[str, str]:
    """The CSS colour of each label, in their order."""
    return {label: css_color(color_of(label, labels)) for label in labels}


def weights_shown(recognizer: EmotionRecognizer) -> dict[str, Any]:
    """What the page needs to know of weights: their name and title, labels with their colours,
    whether a model card comes with them, whether their ``attention`` tells faces apart, and name
    and title of each way to answer over time, the default first."""
    return {
        "weights": recognizer.name,
        "title": titles.title_of(recognizer.name, len(recognizer.label_names)),
        "labels": list(recognizer.label_names),
        "colors": label_colors(recognizer.label_names),
        "card": cards.has_card(recognizer.name),
        "attention": recognizer.gate_neutral is not None,
        "smoothing": over_time(recognizer.smoothers),
    }


def over_time(smoothers: Sequence[str]) -> list[list[str]]:
    """Name and title of each smoother that the page offers, in their order; of weights that have
    but an average that too."""
    offered = [name for name in smoothers if name in OVER_TIME]
    titles = OVER_TIME if len(offered) > 1 else {"average": "Average", **OVER_TIME}
    return [[name, titles[name]] for name in smoothers if name in titles]


def face_tag(recognition: Recognition) -> dict[str, str]:
    """What is written at a box, the colours of the box, below the writing and of it, and a note
    where the verdict alone may be misread."""
    ground, ink = caption_colors(recognition)
    return {
        "caption": caption(recognition),
        "color": css_color(box_color(recognition)),
        "ground": css_color(ground),
        "ink": css_color(ink),
        "note": verdict_note(recognition.prediction),
    }


def heat_url(saliency: Saliency | None) -> str | None:
    """A PNG to lay over the crop, see :func:`fer_cbam.render.heat_layer`."""
    return None if saliency is None else png_url(heat_layer(saliency))


def photo_face(image: np.ndarray, face: ExplainedFace) -> dict[str, Any]:
    """A face of a photo under its maps: a close-up, the layers' transforms to it and, as ``place``,
    to the photo, a layer for each label of the map that comes first and of Grad-CAM, and one of the
    attention (None where the weights have none)."""
    view, moved = close_up(image, face.recognition, FACE_SIDE)
    return face_tag(face.recognition) | {
        "close_up": jpeg_url(view),
        "transform": layer_transform(moved.affine),
        "place": layer_transform(face.recognition.affine),
        "map": MAPS[next(iter(face.maps.values())).kind],
        "layers": {label: heat_url(found) for label, found in face.maps.items()},
        "gradcams": {label: heat_url(cam) for label, cam in face.gradcams.items()},
        "attention": heat_url(face.recognition.attention()),
        "sentences": dict(face.sentences),
    }
