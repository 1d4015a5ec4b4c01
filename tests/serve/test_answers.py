"""The page's questions and their answers, without a server."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fer_cbam.data_urls import jpeg_url, to_data_url
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.errors import FerError, TextError, WeightsError
from fer_cbam.explain.parts import part_losses
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import caption, heat_layer, layer_transform
from fer_cbam.serve import answers
from fer_cbam.serve.memories import Memories
from fer_cbam.serve.server import ASSETS
from fer_cbam.smoothing.average import HALF_LIFE
from fer_cbam.types import Face
from fer_cbam.words.phrases import phrase
from fer_cbam.words.regions import regions_of

PHOTO = ASSETS / "astronaut.jpg"
ASTRONAUT = to_data_url(PHOTO.read_bytes(), "jpeg")


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


def ask(recognizer, detector, question, memories: Memories | None = None) -> dict:
    memories = Memories() if memories is None else memories
    return answers.answer_frame(recognizer, detector, memories, question)


def certain_of(label: str, memories: Memories, answer: dict) -> str:
    """The ticket of an answer's memory in which the one face is all of a label."""
    memory = memories.get(answer["memory"])
    (face,) = memory.faces
    state = tuple(float(name == label) for name in face.smoother[1:])
    return memories.put(replace(memory, faces=(replace(face, state=state),)))


def test_a_frame_is_answered_with_its_face_and_a_memory(recognizer, detector):
    memories = Memories()
    answer = ask(recognizer, detector, frame(), memories)
    assert json.loads(json.dumps(answer)) == json.loads(json.dumps(answer))
    assert answer["failed"] is False and answer["size"] == [512, 512]
    (shown,) = answer["faces"]
    image = pixels(ASTRONAUT)
    (found,) = recognizer.recognize(image, detector.detect(image))
    assert shown["box"] == pytest.approx(found.face.box, abs=0.06)
    assert shown["label"] == found.prediction.label
    assert shown["caption"].startswith(found.prediction.label)
    assert shown["probs"] == pytest.approx(found.prediction.probs, abs=1e-4)
    assert shown["transform"] == pytest.approx(layer_transform(found.affine))
    (remembered,) = memories.get(answer["memory"]).faces
    assert remembered.track == shown["track"] == 1 and remembered.time == 1.0


def test_frames_are_smoothed_with_what_is_remembered(recognizer, detector):
    memories = Memories()
    first = ask(recognizer, detector, frame(), memories)
    raw = np.array(memories.get(first["memory"]).faces[0].state)
    half = frame(memory=certain_of("fear", memories, first), time=1.0 + HALF_LIFE)
    answer = ask(recognizer, detector, half, memories)
    expected = (raw + np.array([label == "fear" for label in recognizer.label_names])) / 2
    assert memories.get(answer["memory"]).faces[0].state == pytest.approx(expected)
    assert answer["faces"][0]["label"] == "fear" and answer["faces"][0]["track"] == 1
    # A question without a ticket, or with a stranger's guess, has the first answer.
    for guess in (None, "guess", 7, {"faces": []}):
        again = ask(recognizer, detector, frame(memory=guess), memories)
        assert again | {"memory": 0} == first | {"memory": 0}


def test_nothing_of_a_face_but_what_is_shown_goes_to_the_browser(recognizer, detector):
    memories = Memories()
    answer = ask(recognizer, detector, frame(), memories)
    assert isinstance(answer["memory"], str) and len(answer["memory"]) == 22
    assert len(memories) == 1


def test_each_frame_on_its_own_where_that_is_asked_for(recognizer, detector):
    memories = Memories()
    first = ask(recognizer, detector, frame(smoothing="none"), memories)
    ticket = certain_of("fear", memories, first)
    alone = ask(recognizer, detector, frame(memory=ticket, smoothing="none", time=1.1), memories)
    assert alone["faces"][0]["probs"] == first["faces"][0]["probs"]


def test_a_face_keeps_its_number_where_frames_come_seldom(recognizer, detector):
    memories = Memories()
    memory = ask(recognizer, detector, frame(), memories)["memory"]
    for last, track in ((1.0, 1), (5.9, 2)):  # the frame before; or the last of many without it
        later = frame(memory=memory, time=6.0, last=last)
        (face,) = ask(recognizer, detector, later, memories)["faces"]
        assert face["track"] == track


def test_a_frame_without_a_face(recognizer):
    answer = ask(recognizer, NoFaces(), frame())
    assert answer["message"].startswith("No face in view.") and not answer["failed"]
    assert answer["faces"] == []


def test_what_to_be_careful_about_is_said_of_a_frame(recognizer, detector):
    image = pixels(ASTRONAUT)
    dark = jpeg_url((image // 9).astype(np.uint8), quality=95)
    answer = ask(recognizer, YuNetDetector(0.5, max_side=640), frame(dark))
    assert answer["message"] == "More light: the face is very dark."
    twins = jpeg_url(np.hstack([image, image]))
    answer = ask(recognizer, YuNetDetector(max_side=640), frame(twins))
    assert answer["message"].startswith("2 faces in view.")


@pytest.mark.parametrize(
    "question",
    [
        frame(image="data:image/jpeg;base64,AAAA"),
        frame(image=None),
        frame(smoothing="much"),
        frame(smoothing=["none"]),
        frame(time="soon"),
        frame(time=float("nan")),
        frame(last="now"),
        frame(map="everything"),
        frame(map=["gradcam"]),
        frame(label="boredom"),
        frame(label=["fear"]),
        frame(label=None),
        {},
        None,
        [],
    ],
)
def test_frames_that_are_none(recognizer, detector, question):
    answer = ask(recognizer, detector, question)
    assert answer["failed"] is True
    assert "picture cannot be read" in answer["message"]


def layer(recognizer, detector, **asked) -> np.ndarray | None:
    (shown,) = ask(recognizer, detector, frame(**asked))["faces"]
    return shown["layer"] and pixels(shown["layer"])


def test_a_frame_brings_the_map_that_is_asked_for(recognizer, detector):
    image = pixels(ASTRONAUT)
    (found,) = recognizer.recognize(image, detector.detect(image), explain=True)
    _, gradcam, attention = found.saliencies
    assert (gradcam.kind, gradcam.label) == ("gradcam", found.prediction.label)
    np.testing.assert_array_equal(layer(recognizer, detector), heat_layer(gradcam))
    np.testing.assert_array_equal(
        layer(recognizer, detector, map="spatial_attention"), heat_layer(attention)
    )
    for label in recognizer.label_names:
        expected = heat_layer(recognizer.explain(found.crop, label, "gradcam"))
        np.testing.assert_array_equal(layer(recognizer, detector, label=label), expected)


def test_the_label_on_the_top_is_the_one_that_is_shown(recognizer, detector):
    """Smoothed over time it may be another than that of the frame alone."""
    memories = Memories()
    first = ask(recognizer, detector, frame(), memories)
    ticket = certain_of("fear", memories, first)
    (shown,) = ask(recognizer, detector, frame(memory=ticket), memories)["faces"]
    assert shown["label"] == "fear" != first["faces"][0]["label"]
    np.testing.assert_array_equal(pixels(shown["layer"]), layer(recognizer, detector, label="fear"))


def test_a_frame_brings_no_map_where_none_is_asked_for(recognizer, detector):
    assert layer(recognizer, detector, map="none") is None


def test_what_is_no_face_is_not_explained(recognizer, detector, monkeypatch):
    probe = (*np.zeros(recognizer.backend.forward(np.zeros((1, 1, 48, 48), np.float32))
                       .embedding.shape[1]), -1.0)  # fmt: skip
    monkeypatch.setattr(recognizer, "decision", replace(recognizer.decision, face_probe=probe))
    (shown,) = ask(recognizer, detector, frame())["faces"]
    assert shown["no_face"] is True and shown["caption"] == "no face"
    assert shown["layer"] is None and "does not look like a face" in shown["note"]


def test_weights_without_such_a_map_have_no_layer(recognizer, detector, monkeypatch):
    forward = recognizer.backend.forward
    without = lambda x: replace(forward(x), attention=None)  # noqa: E731
    monkeypatch.setattr(recognizer.backend, "forward", without)
    assert layer(recognizer, detector, map="spatial_attention") is None
    assert layer(recognizer, detector) is not None


def test_a_photo_is_answered_with_a_face_and_a_map_for_every_label(recognizer):
    answer = answers.answer_photo(recognizer, {"image": ASTRONAUT})
    assert json.loads(json.dumps(answer, allow_nan=False)).keys() == answer.keys()
    assert answer["failed"] is False and answer["message"].startswith("One face found.")
    (face,) = answer["faces"]
    (found,) = recognizer(PHOTO)
    assert list(answer["colors"]) == list(recognizer.label_names)
    assert face["map"] == "Occlusion and Grad\u2011CAM"
    for name, method in (("layers", None), ("gradcams", "gradcam")):
        assert list(face[name]) == list(recognizer.label_names)
        for label, url in face[name].items():
            expected = heat_layer(recognizer.explain(found.crop, label, method))
            np.testing.assert_array_equal(pixels(url), expected)
    assert face["caption"] == caption(found)
    (numbers,) = answer["numbers"]["faces"]
    assert numbers.items() <= face.items()
    assert numbers["sentence"] == face["sentences"][found.prediction.label]


def test_a_large_photo_is_shown_smaller(recognizer):
    large = cv2.resize(pixels(ASTRONAUT), (2560, 2000), interpolation=cv2.INTER_CUBIC)
    answer = answers.answer_photo(recognizer, {"image": jpeg_url(large)})
    assert pixels(answer["photo"]).shape == (1000, 1280, 3)
    assert answer["numbers"]["image"] == {"width": 2560, "height": 2000}  # what boxes count in


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
    x = recognizer.preprocess([found.crop])
    losses = part_losses(recognizer.backend, x, regions_of(found, 48), recognizer.decision)
    for label, own in face["regions"].items():
        assert own == pytest.approx({part: losses[label].least(part) for part in own}, abs=1e-4)
    assert face["cautions"] == []


def test_a_photo_without_a_face(recognizer):
    grey = jpeg_url(np.full((200, 300, 3), 128, np.uint8))
    answer = answers.answer_photo(recognizer, {"image": grey})
    assert answer["failed"] is False and answer["message"] == phrase("found_none")
    assert answer["faces"] == answer["numbers"]["faces"] == []
    assert pixels(answer["photo"]).shape == (200, 300, 3)


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
    assert answer["failed"] is True and answer["numbers"] is None
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
    assert len(answer["faces"]) == answers.MAX_FACES
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
    assert shown["regions"] is None and shown["sentence"].startswith("No single region")


@pytest.fixture
def calls(recognizer, monkeypatch) -> list[int]:
    """How many faces each call of the network had."""
    forward, counted = recognizer.backend.forward, []

    def count(x):
        counted.append(len(x))
        return forward(x)

    monkeypatch.setattr(recognizer.backend, "forward", count)
    return counted


@pytest.mark.parametrize("kind", ["gradcam", "spatial_attention"])
def test_a_frame_asks_the_network_once_with_its_explanation(recognizer, detector, calls, kind):
    twins = jpeg_url(np.hstack([pixels(ASTRONAUT)] * 2))
    wide = YuNetDetector(max_side=640)
    for label in (answers.TOP, "fear"):
        answer = ask(recognizer, wide, frame(twins, map=kind, label=label))
        assert all(face["layer"] for face in answer["faces"])
    assert calls == [2, 2]


def test_a_photo_asks_once_for_all_faces_then_for_their_parts(recognizer, calls):
    crowd = jpeg_url(np.vstack([np.hstack([pixels(ASTRONAUT)] * 4)] * 3))
    answer = answers.answer_photo(recognizer, {"image": crowd})
    assert [len(face["layers"]) for face in answer["faces"]] == [7] * 12
    # Then of each the face and its patches, and the face with each region hidden
    # in two ways.
    assert calls == [12, *[1, 9, 17] * 12]


def test_picking(recognizer):
    answer = answers.answer_pick(lambda source: recognizer, {"weights": "any"})
    assert answer["labels"] == list(recognizer.label_names)
    assert answer["colors"]["happiness"] == "rgb(240, 228, 66)"

    def refuse(source):
        raise WeightsError(f"weights {source!r}: no")

    answer = answers.answer_pick(refuse, {"weights": "bad"})
    assert answer == {"failed": True, "message": "These weights cannot be used. weights 'bad': no"}


def words(content: bytes, name: str = "a.txt") -> dict:
    return {"name": name, "data": f"data:text/plain;base64,{base64.b64encode(content).decode()}"}


def test_words_that_come_with_a_clip():
    said = answers.asked_transcript(words(b"1 2 Well\n9 10 now\n11 12 late"), max_seconds=10)
    assert [(line.begin, line.text) for line in said.lines] == [(1, "Well"), (9, "now")]
    many = b"1 2 a\n" * (answers.MAX_LINES + 1)
    for sent, problem in (
        (words(b"Hello"), "a.txt, line 1: 'Hello' has no times"),
        (words(b"1 2 a", "a.exe"), "a.exe: expected a name that ends with .srt"),
        (words(many), f"{answers.MAX_LINES + 1} lines; expected at most {answers.MAX_LINES}"),
        (words(b"11 12 late"), "no words; expected lines"),
        ({"name": "a.srt", "data": "x"}, "a.srt: expected a data URL"),
        (words(b"1" * (answers.MAX_TRANSCRIPT_BYTES + 3)), "a.txt: expected at most 2 MB"),
        ("a", "None: expected a data URL"), ({}, "None: expected a data URL"),
    ):  # fmt: skip
        with pytest.raises(TextError, match=problem):
            answers.asked_transcript(sent, max_seconds=10)
