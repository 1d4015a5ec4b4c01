"""A photo's faces with all that is said of them, and the same as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_cbam.errors import ImageError
from fer_cbam.explain.parts import PartLosses, part_losses
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.types import Face, Recognition, Saliency
from fer_cbam.words import sentences
from fer_cbam.words.cautions import cautions
from fer_cbam.words.regions import regions_of


@dataclass(frozen=True, eq=False)
class ExplainedFace:
    """A face of a photo with what there is to say of it.

    maps: label -> the map that is most to be trusted. gradcams: label -> Grad-CAM. losses: label ->
    what hiding each region of the face takes from it, None where the landmarks span no face.
    sentences: label -> the evidence for it. cautions: see :func:`fer_cbam.words.cautions.cautions`.
    """

    recognition: Recognition
    maps: Mapping[str, Saliency]
    gradcams: Mapping[str, Saliency]
    losses: Mapping[str, PartLosses] | None
    sentences: Mapping[str, str]
    cautions: tuple[str, ...] = ()


def explain_faces(
    recognizer: EmotionRecognizer, image: np.ndarray, faces: Sequence[Face]
) -> list[ExplainedFace]:
    """Recognise faces and explain every label of each; image is RGB uint8 ``(H, W, 3)``.

    The network is asked once for all of them, and then for each with parts of it hidden.
    """
    found = recognizer.recognize(image, faces)
    return [_explained(recognizer, image, recognition) for recognition in found]


def _explained(
    recognizer: EmotionRecognizer, image: np.ndarray, recognition: Recognition
) -> ExplainedFace:
    prediction = recognition.prediction
    gradcams = {label: recognition.saliency(label) for label in prediction.probs}
    maps = recognizer.explain_labels(recognition.crop, recognizer.label_names)
    losses = _losses(recognizer, recognition)
    words = {
        label: sentences.explanation(prediction, label, losses[label] if losses else None)
        for label in prediction.probs
    }
    return ExplainedFace(
        recognition, maps, gradcams, losses, words, cautions(image, recognition.face)
    )


def _losses(
    recognizer: EmotionRecognizer, recognition: Recognition
) -> dict[str, PartLosses] | None:
    x = recognizer.preprocess([recognition.crop])
    try:
        masks = regions_of(recognition, x.shape[-1])
    except ImageError:  # a head so turned that its landmarks lie on a line
        return None
    return part_losses(recognizer.backend, x, masks, recognizer.decision)


def photo_numbers(
    recognizer: EmotionRecognizer,
    image: np.ndarray,
    found: Sequence[Face],
    faces: Sequence[ExplainedFace],
) -> dict[str, Any]:
    """Everything of a photo that is a number or a word, ready for JSON.

    found: all faces of the photo, of which ``faces`` are explained. Boxes are ``[x1, y1, x2, y2]``
    and landmarks ``[x, y]`` in pixels of the upright photo. ``regions`` gives, for each label, what
    hiding each part of the face takes from its probability, at least (of two fills); it is null
    where the landmarks span no face.
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
        "regions": face.losses
        and {
            label: {part: round(own.least(part), 4) for part in next(iter(own.losses.values()))}
            for label, own in face.losses.items()
        },
    }
