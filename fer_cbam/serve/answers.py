"""The page's questions and their answers: pure functions of a recogniser and one question.

Pictures travel inside questions and answers, so that none is ever written to disk, and what a live
picture has to remember travels with its frames, so that the server holds nothing of a visitor's
between two questions. A question comes from anybody's browser: nothing in it is taken on trust.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError
from fer_cbam.images import decode_image
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import caption, color_of, heat_layer, ink_on, layer_transform
from fer_cbam.serve import page
from fer_cbam.serve.photo import explain_faces, numbers
from fer_cbam.types import Saliency
from fer_cbam.video import tracks
from fer_cbam.words import sentences
from fer_cbam.words.cautions import cautions

MAX_FRAME_BYTES, MAX_FRAME_PIXELS = 2_000_000, 2_000_000
MAX_CROP_BYTES, MAX_CROP_PIXELS = 200_000, 512 * 512
MAX_PHOTO_BYTES = 25_000_000
MAPS = ("gradcam", "spatial_attention")
MAX_FACES = 12  # explained in one picture; of a crowd the largest

Answer = dict[str, Any]


def answer_frame(recognizer: EmotionRecognizer, detector: FaceDetector, question: Any) -> Answer:
    """One webcam frame: who is in it and what each resembles, smoothed over time. The page draws
    it; explanations are asked for apart, with the crops that come back, so that no label waits.

    question: ``image`` (data URL), ``time`` (seconds, any even clock), ``memory`` (from the last
    answer, None at first).
    """
    try:
        question = _as_dict(question)
        data = page.from_data_url(question.get("image"), MAX_FRAME_BYTES)
        time = question.get("time")
        if not tracks.is_number(time):
            raise FerError(f"time: got {time!r}; expected seconds")
        memory = tracks.from_json(question.get("memory"))
        image = decode_image(data, MAX_FRAME_PIXELS)
    except FerError as error:
        return _failed(f"The camera's picture cannot be read: {error}")
    faces = detector.detect(image)[:MAX_FACES]
    recognitions = recognizer.recognize(image, faces)
    tracked, memory = tracks.follow(memory, recognitions, float(time), recognizer.uncertain_below)
    kinds = [cautions(image, item.recognition.face) for item in tracked]
    largest = tracked[0].recognition.prediction if tracked else None
    return {
        "failed": False,
        "message": sentences.live_message(
            len(tracked), kinds[0] if kinds else (), bool(largest and largest.uncertain)
        ),
        "size": [image.shape[1], image.shape[0]],
        "faces": [_live_face(item) for item in tracked],
        "memory": tracks.to_json(memory),
    }


def _live_face(tracked: tracks.Tracked) -> Answer:
    recognition = tracked.recognition
    prediction = recognition.prediction
    color = color_of(prediction.label)
    return {
        "track": tracked.track,
        "box": [round(float(v), 1) for v in recognition.face.box],
        "label": prediction.label,
        "caption": caption(recognition),
        "color": page.css_color(color),
        "ink": page.css_color(ink_on(color)),
        "probs": {name: round(p, 4) for name, p in prediction.probs.items()},
        "crop": page.png_url(recognition.crop),
        "transform": layer_transform(recognition.affine),
    }


def answer_explanation(recognizer: EmotionRecognizer, question: Any) -> Answer:
    """What spoke for the labels of a frame's faces.

    question: ``map`` (``"gradcam"`` or ``"spatial_attention"``), ``faces``: a list of ``crop``
    (data URL, as it came with the frame) and ``label`` (the emotion that is shown there). Answers
    ``layers``: for each face a PNG to lay over its crop, None where the weights have no such map.
    """
    try:
        question = _as_dict(question)
        kind, faces = question.get("map"), question.get("faces")
        if kind not in MAPS:
            raise FerError(f"map: got {kind!r}; expected one of {', '.join(MAPS)}")
        if not isinstance(faces, list) or len(faces) > MAX_FACES:
            raise FerError(f"faces: expected a list of at most {MAX_FACES}")
        asked = [_asked_face(recognizer, face) for face in faces]
    except FerError as error:
        return _failed(f"The explanation cannot be drawn: {error}")
    saliencies = [_saliency(recognizer, kind, crop, label) for crop, label in asked]
    layers = [None if s is None else page.png_url(heat_layer(s)) for s in saliencies]
    return {"failed": False, "message": "", "layers": layers}


def _asked_face(recognizer: EmotionRecognizer, face: Any) -> tuple[np.ndarray, str]:
    face = _as_dict(face)
    label = face.get("label")
    if label not in recognizer.label_names:
        raise FerError(f"label: expected one of {', '.join(recognizer.label_names)}")
    data = page.from_data_url(face.get("crop"), MAX_CROP_BYTES)
    return decode_image(data, MAX_CROP_PIXELS), str(label)


def _saliency(
    recognizer: EmotionRecognizer, kind: str, crop: np.ndarray, label: str
) -> Saliency | None:
    if kind == "gradcam":
        return recognizer.explain(crop, label)
    _, [maps] = recognizer.classify([crop], explain=True)
    return next((saliency for saliency in maps if saliency.kind == kind), None)


def answer_photo(recognizer: EmotionRecognizer, question: Any) -> Answer:
    """A photo: its faces, what each resembles, and what spoke for every emotion.

    question: ``{"image": data URL}``. Answers ``result`` (HTML) and ``numbers``.
    """
    try:
        data = page.from_data_url(_as_dict(question).get("image"), MAX_PHOTO_BYTES)
        image = decode_image(data)
    except FerError as error:
        failed = _failed(f"This file cannot be read as a photo. {error}")
        return failed | {"result": "", "numbers": None}
    found = recognizer.detector.detect(image)
    faces = explain_faces(recognizer, image, found[:MAX_FACES])
    return {
        "failed": False,
        "message": sentences.photo_message(len(found), len(faces)),
        "result": page.photo_result(image, faces) if faces else "",
        "numbers": numbers(recognizer, image, found, faces),
    }


def photo_numbers(recognizer: EmotionRecognizer, data: bytes) -> Answer:
    """The same as numbers only, for programs.

    data: the bytes of a picture file.

    Raises:
        ImageError: they are none.
    """
    image = decode_image(data)
    found = recognizer.detector.detect(image)
    faces = explain_faces(recognizer, image, found[:MAX_FACES])
    return numbers(recognizer, image, found, faces)


def answer_pick(get: Callable[[object], EmotionRecognizer], question: Any) -> Answer:
    """Try to pick weights: ``{"weights": source}`` -> their name and labels, or why not."""
    try:
        recognizer = get(_as_dict(question).get("weights"))
    except FerError as error:
        return _failed(f"These weights cannot be used. {error}")
    return {
        "failed": False,
        "message": "",
        "weights": recognizer.name,
        "labels": list(recognizer.label_names),
        "colors": {name: page.css_color(color_of(name)) for name in recognizer.label_names},
    }


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _failed(message: str) -> Answer:
    return {"failed": True, "message": message}
