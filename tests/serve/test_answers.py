"""The page's questions and their answers, without a server."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.errors import FerError, WeightsError
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import heat_layer, layer_transform
from fer_cbam.serve import answers, page
from fer_cbam.types import Face
from fer_cbam.video import tracks
from fer_cbam.words import sentences

PHOTO = Path(page.__file__).parent / "assets" / "astronaut.jpg"
ASTRONAUT = page.file_data_url(PHOTO)


@pytest.fixture(scope="module")
def recognizer(untrained_weights) -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(untrained_weights["ckplus48"])


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector(max_side=320)


class NoFaces:
    def detect(self, image: np.ndarray) -> list[Face]:
        return []


def pixels(url: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def frame(image: str = ASTRONAUT, **rest) -> dict:
    return {"image": image, "time": 1.0, "memory": None} | rest


def test_a_frame_is_answered_with_its_face_and_a_memory(recognizer, detector):
    answer = answers.answer_frame(recognizer, detector, frame())
    assert json.loads(json.dumps(answer)) == json.loads(json.dumps(answer))
    assert answer["failed"] is False and answer["size"] == [512, 512]
    (shown,) = answer["faces"]
    image = pixels(ASTRONAUT)
    (found,) = recognizer.recognize(image, detector.detect(image))
    assert shown["box"] == pytest.approx(found.face.box, abs=0.06)
    assert shown["label"] == found.prediction.label
    assert shown["caption"].startswith(found.prediction.label)
    assert shown["probs"] == pytest.approx(found.prediction.probs, abs=1e-4)
    np.testing.assert_array_equal(pixels(shown["crop"]), found.crop)
    assert shown["transform"] == pytest.approx(layer_transform(found.affine))
    (remembered,) = tracks.from_json(answer["memory"]).faces
    assert remembered.track == shown["track"] == 1 and remembered.time == 1.0


def test_frames_are_smoothed_with_the_memory_they_bring(recognizer, detector):
    first = answers.answer_frame(recognizer, detector, frame())
    raw = first["memory"]["faces"][0]["probs"]
    certain = {label: float(label == "fear") for label in raw}
    face = first["memory"]["faces"][0] | {"probs": certain}
    memory = first["memory"] | {"faces": [face]}
    half = frame(memory=memory, time=1.0 + tracks.HALF_LIFE)
    answer = answers.answer_frame(recognizer, detector, half)
    for label, prob in answer["memory"]["faces"][0]["probs"].items():
        assert prob == pytest.approx((raw[label] + certain[label]) / 2, abs=1e-6)
    assert answer["faces"][0]["label"] == "fear" and answer["faces"][0]["track"] == 1
    # Nothing was kept on the server: the same question without memory has the first answer.
    assert answers.answer_frame(recognizer, detector, frame()) == first


def test_a_frame_without_a_face(recognizer):
    answer = answers.answer_frame(recognizer, NoFaces(), frame())
    assert answer["message"].startswith("No face in view.") and not answer["failed"]
    assert answer["faces"] == [] and answer["memory"]["faces"] == []


def test_what_to_be_careful_about_is_said_of_a_frame(recognizer, detector):
    image = pixels(ASTRONAUT)
    dark = page.data_url((image // 9).astype(np.uint8), quality=95)
    answer = answers.answer_frame(recognizer, YuNetDetector(0.5, max_side=640), frame(dark))
    assert answer["message"] == "More light: the face is very dark."
    twins = page.data_url(np.hstack([image, image]))
    answer = answers.answer_frame(recognizer, YuNetDetector(max_side=640), frame(twins))
    assert answer["message"].startswith("2 faces in view.")


@pytest.mark.parametrize(
    "question",
    [
        frame(image="data:image/jpeg;base64,AAAA"),
        frame(image=None),
        frame(memory="nothing"),
        frame(memory={"faces": [{"box": [0, 0, 1, 1]}], "next_track": 2}),
        frame(time="soon"),
        frame(time=float("nan")),
        {},
        None,
        [],
    ],
)
def test_frames_that_are_none(recognizer, detector, question):
    answer = answers.answer_frame(recognizer, detector, question)
    assert answer["failed"] is True
    assert "picture cannot be read" in answer["message"]


def explanation(recognizer, kind="gradcam", **rest) -> dict:
    (found,) = recognizer(PHOTO)
    face = {"crop": page.png_url(found.crop), "label": "fear"}
    return {"map": kind, "faces": [face]} | rest


def test_an_explanation_is_that_of_the_label_that_is_shown(recognizer):
    (found,) = recognizer(PHOTO, explain=True)
    answer = answers.answer_explanation(recognizer, explanation(recognizer))
    (layer,) = answer["layers"]
    expected = heat_layer(recognizer.explain(found.crop, "fear"))
    np.testing.assert_array_equal(pixels(layer), expected)
    answer = answers.answer_explanation(recognizer, explanation(recognizer, "spatial_attention"))
    attention = next(s for s in found.saliencies if s.kind == "spatial_attention")
    np.testing.assert_array_equal(pixels(answer["layers"][0]), heat_layer(attention))
    assert not np.array_equal(pixels(answer["layers"][0]), expected)


def test_weights_without_such_a_map_have_no_layer(recognizer, monkeypatch):
    forward = recognizer.backend.forward
    without = lambda x: replace(forward(x), attention=None)  # noqa: E731
    monkeypatch.setattr(recognizer.backend, "forward", without)
    answer = answers.answer_explanation(recognizer, explanation(recognizer, "spatial_attention"))
    assert answer == {"failed": False, "message": "", "layers": [None]}


@pytest.mark.parametrize(
    "change",
    [
        {"map": "everything"},
        {"faces": None},
        {"faces": [7]},
        {"faces": [{}] * 13},
        {"faces": [{"crop": "data:image/png;base64,AAAA", "label": "fear"}]},
        {"faces": [{"crop": page.png_url(np.zeros((600, 600, 3), np.uint8)), "label": "fear"}]},
        {"faces": [{"crop": page.png_url(np.zeros((9, 9, 3), np.uint8)), "label": "boredom"}]},
        {"faces": [{"crop": page.png_url(np.zeros((9, 9, 3), np.uint8)), "label": ["fear"]}]},
    ],
)
def test_explanations_that_cannot_be_asked_for(recognizer, change):
    answer = answers.answer_explanation(recognizer, explanation(recognizer) | change)
    assert answer["failed"] is True
    assert answer["message"].startswith("The explanation cannot be drawn:")


def test_a_photo_is_answered_with_a_panel_and_a_map_for_every_emotion(recognizer):
    answer = answers.answer_photo(recognizer, {"image": ASTRONAUT})
    assert answer["failed"] is False and answer["message"].startswith("One face found.")
    emotions = re.findall(r'<image [^>]*data-emotion="(\w+)"', answer["result"])
    assert emotions == list(recognizer.label_names)
    assert answer["result"].count('class="fer-face"') == 1
    (face,) = answer["numbers"]["faces"]
    assert face["sentence"] in answer["result"].replace("&gt;", ">").replace("&lt;", "<").replace(
        "&#x27;", "'"
    )


def test_the_numbers_of_a_photo_are_those_of_the_recogniser(recognizer):
    numbers = answers.photo_numbers(recognizer, PHOTO.read_bytes())
    assert numbers == answers.answer_photo(recognizer, {"image": ASTRONAUT})["numbers"]
    assert json.loads(json.dumps(numbers)) == numbers
    (found,) = recognizer(PHOTO)
    (face,) = numbers["faces"]
    assert numbers["labels"] == list(recognizer.label_names)
    assert numbers["image"] == {"width": 512, "height": 512} and numbers["faces_found"] == 1
    assert face["probs"] == pytest.approx(found.prediction.probs, abs=1e-6)
    assert face["label"] == found.prediction.label
    np.testing.assert_allclose(face["landmarks"], found.face.landmarks, atol=0.06)
    for shares in face["regions"].values():
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert face["cautions"] == []


def test_a_photo_without_a_face(recognizer):
    grey = page.data_url(np.full((200, 300, 3), 128, np.uint8))
    answer = answers.answer_photo(recognizer, {"image": grey})
    assert answer["failed"] is False and answer["message"] == sentences.NO_FACE
    assert answer["result"] == "" and answer["numbers"]["faces"] == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"no picture", "not a picture"),
        (PHOTO.read_bytes()[:20_000], "truncated"),
    ],
)
def test_photos_that_are_none(recognizer, data, message):
    url = "data:;base64," + base64.b64encode(data).decode()
    answer = answers.answer_photo(recognizer, {"image": url})
    assert answer["failed"] is True and answer["result"] == "" and answer["numbers"] is None
    assert answer["message"].startswith("This file cannot be read as a photo.")
    assert message in answer["message"]
    with pytest.raises(FerError, match=message):
        answers.photo_numbers(recognizer, data)


def test_photo_questions_of_another_shape(recognizer):
    for question in (None, {}, {"image": 7}, []):
        assert answers.answer_photo(recognizer, question)["failed"] is True


def test_a_crowd_is_answered_with_its_largest_faces(recognizer, monkeypatch):
    (face,) = recognizer.detector.detect(pixels(ASTRONAUT))
    x1, y1, x2, y2 = face.box

    class Crowd:
        def detect(self, image: np.ndarray) -> list[Face]:
            return [Face((x1, y1, x2 - i, y2 - i), 0.9, face.landmarks) for i in range(50)]

    monkeypatch.setattr(recognizer, "detector", Crowd())
    answer = answers.answer_photo(recognizer, {"image": ASTRONAUT})
    assert f"here are the {answers.MAX_FACES} largest" in answer["message"]
    assert answer["result"].count('class="fer-face"') == answers.MAX_FACES
    assert answer["numbers"]["faces_found"] == 50


def test_a_profile_whose_landmarks_lie_on_a_line_still_has_an_answer(recognizer, monkeypatch):
    (face,) = recognizer.detector.detect(pixels(ASTRONAUT))
    line = face.landmarks * [0.02, 1] + [220, 0]

    class Profile:
        def detect(self, image: np.ndarray) -> list[Face]:
            return [Face(face.box, 0.9, line.astype(np.float32))]

    monkeypatch.setattr(recognizer, "detector", Profile())
    (shown,) = answers.answer_photo(recognizer, {"image": ASTRONAUT})["numbers"]["faces"]
    assert sum(shown["probs"].values()) == pytest.approx(1, abs=1e-4)


def test_picking(recognizer):
    answer = answers.answer_pick(lambda source: recognizer, {"weights": "any"})
    assert answer["labels"] == list(recognizer.label_names)
    assert answer["colors"]["happiness"] == "rgb(240, 228, 66)"

    def refuse(source):
        raise WeightsError(f"weights {source!r}: no")

    answer = answers.answer_pick(refuse, {"weights": "bad"})
    assert answer == {"failed": True, "message": "These weights cannot be used. weights 'bad': no"}
