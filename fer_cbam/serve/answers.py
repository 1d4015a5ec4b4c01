"""The page's questions and their answers: pure functions of a recogniser and one question.

Pictures travel inside questions and answers, so that none is ever written to disk. What a live
picture has to remember stays here for a minute (:mod:`fer_cbam.serve.memories`), and a ticket for
it travels with the frames. A question comes from anybody's browser: nothing in it is taken on
trust.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_cbam.data_urls import from_data_url, jpeg_url
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError, TextError
from fer_cbam.images import decode_image
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import layer_transform, shrink
from fer_cbam.serve import page, photo
from fer_cbam.serve.listening import Heard, together_with
from fer_cbam.serve.memories import Memories
from fer_cbam.smoothing import SMOOTHERS
from fer_cbam.transcripts import Transcript, transcript, transcript_in
from fer_cbam.video import tracks
from fer_cbam.words import sentences
from fer_cbam.words.cautions import cautions

MAX_FRAME_BYTES, MAX_FRAME_PIXELS = 2_000_000, 2_000_000
MAX_PHOTO_BYTES = 25_000_000
MAX_TRANSCRIPT_BYTES, MAX_LINES = 2_000_000, 3000  # of ten minutes: five lines a second
PHOTO_SIDE = 1280  # longest side of the photo as shown
MAPS = ("gradcam", "spatial_attention", "none")
TOP = "top"  # explains of each face the label it resembles most
MISSED_FRAMES = 2.5  # that a face may be missed for, however slowly they come
MAX_FACES = 12  # explained in one picture; of a crowd the largest

Answer = dict[str, Any]


def answer_frame(
    recognizer: EmotionRecognizer, detector: FaceDetector, memories: Memories, question: Any,
    heard: Heard | None = None, reliability: float = 1.0,
) -> Answer:  # fmt: skip
    """One webcam frame: who is in it, what each resembles, smoothed over time, and why.

    question: ``image`` (data URL), ``time`` (seconds, any even clock), ``memory`` (the ticket of
    the last answer, None at first), ``last`` (the time of that frame, None at first), ``smoothing``
    (one of :data:`fer_cbam.smoothing.SMOOTHERS`, by default the weights' own), ``map`` (one
    of ``MAPS``), ``label`` (what the Grad-CAM explains: a label, or ``"top"`` for the one that is
    shown at each face). Each face has a ``layer``: a PNG to lay over the frame by ``transform``,
    None where none was asked for or the weights have no such map. heard: of the visitor's
    microphone. reliability: of the voice. With a voice, and one face in view, ``together`` is what
    they say together.
    """
    try:
        question = _as_dict(question)
        data = from_data_url(question.get("image"), MAX_FRAME_BYTES)
        time, last = question.get("time"), question.get("last")
        for seconds in (time, time if last is None else last):
            if not tracks.is_number(seconds):
                raise FerError(f"time: got {seconds!r}; expected seconds")
        kind, label = _asked_map(question, recognizer)
        smoother = recognizer.smoother(asked_smoothing(question))
        memory = memories.get(question.get("memory"))
        image = decode_image(data, MAX_FRAME_PIXELS)
    except FerError as error:
        return _failed(f"The camera's picture cannot be read: {error}")
    faces = detector.detect(image)[:MAX_FACES]
    recognitions = recognizer.recognize(image, faces)
    # Where frames come seldom, a face that is missing for one of them has not left.
    patience = max(tracks.FORGET_AFTER, MISSED_FRAMES * (time - (time if last is None else last)))
    tracked, memory = tracks.follow(
        memory, recognitions, float(time), recognizer.decision, smoother, patience
    )
    kinds = [cautions(image, item.recognition.face) for item in tracked]
    largest = tracked[0].recognition.prediction if tracked else None
    return {
        "failed": False,
        "message": sentences.live_message(
            len(tracked), kinds[0] if kinds else (), bool(largest and largest.uncertain)
        ),
        "size": [image.shape[1], image.shape[0]],
        "faces": [_live_face(item, kind, label) for item in tracked],
        "memory": memories.put(memory),
        "together": _together(recognizer, tracked, heard, reliability),
    }


def _together(
    recognizer: EmotionRecognizer, faces: Sequence[tracks.Tracked], heard: Heard | None,
    reliability: float,
) -> Answer | None:  # fmt: skip
    """Of one face alone: of several it is not known who speaks."""
    if heard is None or len(faces) != 1:
        return None
    prediction = faces[0].recognition.prediction
    return together_with(heard, prediction, recognizer.class_mix(), reliability)


def _asked_map(question: Answer, recognizer: EmotionRecognizer) -> tuple[str, str]:
    kind, label = question.get("map", MAPS[0]), question.get("label", TOP)
    if kind not in MAPS:
        raise FerError(f"map: got {kind!r}; expected one of {', '.join(MAPS)}")
    if label != TOP and label not in recognizer.label_names:
        raise FerError(f"label: expected one of {TOP}, {', '.join(recognizer.label_names)}")
    return kind, label


def asked_smoothing(question: Answer) -> str | None:
    """The smoother that a question names, None for the weights' own.

    Raises:
        FerError: it names something else.
    """
    name = question.get("smoothing")
    if name not in (None, *SMOOTHERS):
        raise FerError(f"smoothing: got {name!r}; expected one of {', '.join(SMOOTHERS)}")
    return None if name is None else str(name)


def asked_transcript(sent: object, max_seconds: float) -> Transcript:
    """A transcript that comes with a question, up to max_seconds.

    sent: ``name`` of its file, whose suffix tells the format, and ``data``, a data URL.

    Raises:
        TextError: it cannot be read, or has more than ``MAX_LINES`` lines.
        BackendError: subtitles, and what reads them is not installed.
    """
    asked = _as_dict(sent)
    name = str(asked.get("name"))[-80:]
    data = from_data_url(asked.get("data"), MAX_TRANSCRIPT_BYTES, name, TextError)
    found = transcript_in(data, name)
    lines = [line for line in found.lines if line.begin <= max_seconds]
    if len(lines) > MAX_LINES:
        raise TextError(f"{name}: {len(lines)} lines; expected at most {MAX_LINES}", "too large")
    return transcript(lines, name)


def _live_face(tracked: tracks.Tracked, kind: str, label: str) -> Answer:
    found = tracked.recognition
    saliency = None
    if found.prediction.no_face:
        kind = "none"  # what is no face is not explained
    if kind == "gradcam":
        saliency = found.saliency(None if label == TOP else label)
    elif kind == "spatial_attention":
        saliency = found.attention()
    return {
        **found.to_dict(digits=4),
        **page.face_tag(found),
        "track": tracked.track,
        "layer": page.heat_url(saliency),
        "transform": layer_transform(found.affine),
    }


def answer_photo(recognizer: EmotionRecognizer, question: Any) -> Answer:
    """A photo: its faces, what each resembles, and the evidence for every label.

    question: ``{"image": data URL}``. Answers ``numbers`` (as programs get them), ``faces`` (the
    same faces with what the page draws), ``photo`` (upright, as shown) and what
    :func:`fer_cbam.serve.page.weights_shown` says.
    """
    try:
        data = from_data_url(_as_dict(question).get("image"), MAX_PHOTO_BYTES)
        image = decode_image(data)
    except FerError as error:
        return _failed(f"This file cannot be read as a photo. {error}") | {"numbers": None}
    faces, numbers = _read_photo(recognizer, image)
    drawn = [page.photo_face(image, face) for face in faces]
    return {
        "failed": False,
        "message": numbers["message"],
        "photo": jpeg_url(shrink(image, [], PHOTO_SIDE)[0]),
        "faces": [face | more for face, more in zip(numbers["faces"], drawn, strict=True)],
        "numbers": numbers,
        **page.weights_shown(recognizer),
    }


def photo_numbers(recognizer: EmotionRecognizer, data: bytes) -> Answer:
    """The same as numbers only, for programs.

    data: the bytes of a picture file.

    Raises:
        ImageError: they are none.
    """
    return _read_photo(recognizer, decode_image(data))[1]


def _read_photo(
    recognizer: EmotionRecognizer, image: np.ndarray
) -> tuple[list[photo.ExplainedFace], Answer]:
    found = recognizer.detector.detect(image)
    faces = photo.explain_faces(recognizer, image, found[:MAX_FACES])
    return faces, photo.photo_numbers(recognizer, image, found, faces)


def answer_pick(get: Callable[[object], EmotionRecognizer], question: Any) -> Answer:
    """Try to pick weights: ``{"weights": source}`` -> what
    :func:`fer_cbam.serve.page.weights_shown` says of them, or why not."""
    try:
        recognizer = get(_as_dict(question).get("weights"))
    except FerError as error:
        return _failed(f"These weights cannot be used. {error}")
    return {"failed": False, "message": "", **page.weights_shown(recognizer)}


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _failed(message: str) -> Answer:
    return {"failed": True, "message": message}
