"""A photo's faces with all that is said of them, and the same as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.types import Face, Recognition, Saliency
from fer_cbam.words import sentences
from fer_cbam.words.cautions import cautions
from fer_cbam.words.regions import REGIONS, region_shares


@dataclass(frozen=True, eq=False)
class ExplainedFace:
    """A face of a photo with what there is to say of it.

    gradcams: label -> Grad-CAM. shares: label -> region of the face -> share of that Grad-CAM.
    sentences: label -> what carried it. cautions: see :func:`fer_cbam.words.cautions.cautions`.
    """

    recognition: Recognition
    gradcams: Mapping[str, Saliency]
    shares: Mapping[str, Mapping[str, float]]
    sentences: Mapping[str, str]
    cautions: tuple[str, ...] = ()


def explain_faces(
    recognizer: EmotionRecognizer, image: np.ndarray, faces: Sequence[Face]
) -> list[ExplainedFace]:
    """Recognise faces and explain every label of each; image is RGB uint8 ``(H, W, 3)``.

    The network is asked once for all of them.
    """
    return [_explained(image, found) for found in recognizer.recognize(image, faces)]


def _explained(image: np.ndarray, recognition: Recognition) -> ExplainedFace:
    prediction = recognition.prediction
    gradcams = {label: recognition.saliency(label) for label in prediction.probs}
    shares = {label: _shares(cam, recognition) for label, cam in gradcams.items()}
    words = {
        label: sentences.explanation(prediction, label, share) for label, share in shares.items()
    }
    return ExplainedFace(recognition, gradcams, shares, words, cautions(image, recognition.face))


def _shares(cam: Saliency, recognition: Recognition) -> dict[str, float]:
    try:
        return region_shares(cam, recognition)
    except ImageError:  # a head so turned that its landmarks lie on a line
        return dict.fromkeys(REGIONS, 0.0)


def photo_numbers(
    recognizer: EmotionRecognizer,
    image: np.ndarray,
    found: Sequence[Face],
    faces: Sequence[ExplainedFace],
) -> dict[str, Any]:
    """Everything of a photo that is a number or a word, ready for JSON.

    found: all faces of the photo, of which ``faces`` are explained. Boxes are ``[x1, y1, x2, y2]``
    and landmarks ``[x, y]`` in pixels of the upright photo. ``regions`` gives, for each label, how
    much of its Grad-CAM lies in each part of the face.
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
        "sentence": face.sentences[face.recognition.prediction.label],
        "cautions": sentences.caution_sentences(face.cautions),
        "regions": {
            label: {name: round(share, 4) for name, share in shares.items()}
            for label, shares in face.shares.items()
        },
    }
