"""A photo's faces with all that is said of them, and the same as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve.page import ExplainedFace
from fer_cbam.types import Face, Recognition, Saliency
from fer_cbam.words import sentences
from fer_cbam.words.cautions import cautions
from fer_cbam.words.regions import REGIONS, region_shares


def explain_faces(
    recognizer: EmotionRecognizer, image: np.ndarray, faces: Sequence[Face]
) -> list[ExplainedFace]:
    """Recognise faces and explain every emotion of each; image is RGB uint8 ``(H, W, 3)``."""
    explained = []
    for recognition in recognizer.recognize(image, faces, explain=True):
        gradcams = {label: recognition.saliency(label) for label in recognizer.label_names}
        shares = {label: _shares(cam, recognition) for label, cam in gradcams.items()}
        words = {
            label: sentences.explanation(recognition.prediction, label, shares[label])
            for label in gradcams
        }
        kinds = cautions(image, recognition.face)
        explained.append(ExplainedFace(recognition, gradcams, shares, words, kinds))
    return explained


def _shares(cam: Saliency, recognition: Recognition) -> dict[str, float]:
    try:
        return region_shares(cam, recognition)
    except ImageError:  # a head so turned that its landmarks lie on a line
        return dict.fromkeys(REGIONS, 0.0)


def numbers(
    recognizer: EmotionRecognizer,
    image: np.ndarray,
    found: Sequence[Face],
    faces: Sequence[ExplainedFace],
) -> dict[str, Any]:
    """Everything of a photo that is a number or a word, ready for JSON.

    Boxes are ``[x1, y1, x2, y2]`` and landmarks ``[x, y]`` in pixels of the upright photo.
    ``regions`` gives, for each emotion, how much of its Grad-CAM lies in each part of the face.
    """
    return {
        "weights": recognizer.name,
        "labels": list(recognizer.label_names),
        "image": {"width": image.shape[1], "height": image.shape[0]},
        "message": sentences.photo_message(len(found), len(faces)),
        "faces_found": len(found),
        "faces": [_face_numbers(face) for face in faces],
    }


def _face_numbers(face: ExplainedFace) -> dict[str, Any]:
    return {
        **face.recognition.to_dict(),
        "sentence": face.words[face.recognition.prediction.label],
        "cautions": sentences.caution_sentences(face.cautions),
        "regions": {
            label: {name: round(share, 4) for name, share in shares.items()}
            for label, shares in face.shares.items()
        },
    }
