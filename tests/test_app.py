"""The app's handlers and flags, without a browser."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("gradio")

import timm
import torch

import app
from fer_cbam import hub, page, smoothing
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.labels import LABEL_SETS
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.types import Face

LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]
ASTRONAUT = page.file_data_url(app.ASSETS / "astronaut.jpg")


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory) -> EmotionRecognizer:
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("weights")
    model = timm.create_model("fer_cbam_paper")
    hub.save_model(model, folder, LABEL_SETS["ckplus48"], {"landmarks": LANDMARKS})
    return EmotionRecognizer.from_pretrained(folder)


class NoFaces:
    def detect(self, image: np.ndarray) -> list[Face]:
        return []


def pixels(url: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def frame(image: str = ASTRONAUT, **rest) -> dict:
    return {"image": image, "time": 1.0, "memory": [], "map": "gradcam"} | rest


def face_region(recognizer: EmotionRecognizer) -> tuple[slice, slice]:
    (found,) = recognizer(app.ASSETS / "astronaut.jpg")
    corners = np.array([[0, 0], [47, 0], [0, 47], [47, 47]])
    points = corners @ found.affine[:, :2].T + found.affine[:, 2]
    x1, y1 = points.min(0).astype(int) - 2
    x2, y2 = points.max(0).astype(int) + 3
    return slice(y1, y2), slice(x1, x2)


def test_frame_is_drawn_explained_and_remembered(recognizer):
    answer = app.answer_frame(recognizer, YuNetDetector(max_side=320), frame())
    assert json.loads(json.dumps(answer)) == answer  # it travels as JSON
    assert answer["failed"] is False and answer["message"] == ""
    (face,) = smoothing.from_json(answer["memory"])
    assert face.time == 1.0 and sum(face.probs.values()) == pytest.approx(1)
    best = max(face.probs, key=face.probs.__getitem__)
    assert f"Your expression: {best}" in answer["faces"]
    original = pixels(ASTRONAUT).astype(int)
    explained = np.abs(pixels(answer["explained"]).astype(int) - original).mean(axis=2)
    inside = np.zeros(explained.shape, bool)
    inside[face_region(recognizer)] = True
    inside = cv2.dilate(inside.astype(np.uint8), np.ones((17, 17))).astype(bool)  # JPEG blocks
    assert explained[inside].mean() > 5 * explained[~inside].mean()
    assert explained[~inside].mean() < 3


def test_frame_with_the_attention_map_is_another_picture(recognizer):
    detector = YuNetDetector(max_side=320)
    gradcam = pixels(app.answer_frame(recognizer, detector, frame())["explained"])
    attention = app.answer_frame(recognizer, detector, frame(map="spatial_attention"))
    region = face_region(recognizer)
    difference = gradcam[region].astype(int) - pixels(attention["explained"])[region]
    assert np.abs(difference).mean() > 3


def test_frames_are_smoothed_with_the_memory_they_bring(recognizer):
    first = app.answer_frame(recognizer, recognizer.detector, frame())
    raw = first["memory"][0]["probs"]
    certain = {label: float(label == "fear") for label in raw}
    memory = [first["memory"][0] | {"probs": certain}]
    half = frame(memory=memory, time=1.0 + smoothing.HALF_LIFE)
    answer = app.answer_frame(recognizer, recognizer.detector, half)
    for label, prob in answer["memory"][0]["probs"].items():
        assert prob == pytest.approx((raw[label] + certain[label]) / 2, abs=1e-6)
    assert "Your expression: fear" in answer["faces"]
    # Nothing was kept on the server: the same question without memory has the first answer.
    assert app.answer_frame(recognizer, recognizer.detector, frame()) == first


def test_the_explanation_is_that_of_the_emotion_shown(recognizer):
    (found,) = recognizer(app.ASSETS / "astronaut.jpg", explain=True)
    other = next(label for label in recognizer.label_names if label != found.prediction.label)
    probs = {label: float(label == other) for label in recognizer.label_names}
    memory = smoothing.to_json([smoothing.RememberedFace(found.face.box, probs, 1.0)])
    answer = app.answer_frame(recognizer, recognizer.detector, frame(memory=memory))
    expected = app.overlay(
        pixels(ASTRONAUT), found, recognizer.explain(found.crop, other)
    )  # fmt: skip
    region = face_region(recognizer)
    difference = pixels(answer["explained"])[region].astype(int) - expected[region]
    assert np.abs(difference).mean() < 3


def test_frame_without_a_face(recognizer):
    answer = app.answer_frame(recognizer, NoFaces(), frame())
    assert answer["message"] == "No face in view." and not answer["failed"]
    assert answer["faces"] == "" and answer["memory"] == []
    difference = pixels(answer["plain"]).astype(int) - pixels(ASTRONAUT)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize(
    "question",
    [
        frame(image="data:image/jpeg;base64,AAAA"),
        frame(image=None),
        frame(memory="nothing"),
        frame(memory=[{"box": [0, 0, 1, 1]}]),
        frame(time="soon"),
        frame(time=float("nan")),
        frame(map="everything"),
        {},
        None,
    ],
)
def test_frames_that_are_none(recognizer, question):
    answer = app.answer_frame(recognizer, recognizer.detector, question)
    assert answer["failed"] is True
    assert "picture cannot be read" in answer["message"]


def test_photo_is_answered_with_a_panel_and_a_map_for_every_emotion(recognizer):
    answer = app.answer_photo(recognizer, {"image": ASTRONAUT})
    assert answer["failed"] is False and answer["message"].startswith("One face found.")
    emotions = re.findall(r'<img [^>]*data-emotion="(\w+)"', answer["result"])
    assert emotions == list(recognizer.label_names)
    assert answer["result"].count('class="fer-face"') == 1


def test_photo_without_a_face(recognizer):
    grey = page.data_url(np.full((200, 300, 3), 128, np.uint8))
    answer = app.answer_photo(recognizer, {"image": grey})
    assert answer == {"failed": False, "message": page.NO_FACE, "result": ""}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"no picture", "not a picture"),
        ((app.ASSETS / "astronaut.jpg").read_bytes()[:20_000], "truncated"),
    ],
)
def test_photos_that_are_none(recognizer, data, message):
    url = "data:;base64," + base64.b64encode(data).decode()
    answer = app.answer_photo(recognizer, {"image": url})
    assert answer["failed"] is True and answer["result"] == ""
    assert answer["message"].startswith("This file cannot be read as a photo.")
    assert message in answer["message"]


def test_photo_question_of_another_shape(recognizer):
    for question in (None, {}, {"image": 7}, []):
        assert app.answer_photo(recognizer, question)["failed"] is True


def test_a_crowd_is_answered_with_its_largest_faces(recognizer, monkeypatch):
    (face,) = recognizer.detector.detect(pixels(ASTRONAUT))
    x1, y1, x2, y2 = face.box

    class Crowd:
        def detect(self, image: np.ndarray) -> list[Face]:
            return [Face((x1, y1, x2 - i, y2 - i), 0.9, face.landmarks) for i in range(50)]

    monkeypatch.setattr(recognizer, "detector", Crowd())
    answer = app.answer_photo(recognizer, {"image": ASTRONAUT})
    assert (
        f"50 faces found, too many to explain each: here are the {app.MAX_FACES}"
        in (answer["message"])
    )
    assert answer["result"].count('class="fer-face"') == app.MAX_FACES


def test_about_leads_with_what_it_is_not_for(recognizer, tmp_path, monkeypatch):
    card = tmp_path / "model_card.md"
    card.write_text("---\nlicense: other\n---\n# Card\nAccuracy <!--n:x-->95<!--/n--> %\n")
    assert "No model card comes with these weights" in app.about(recognizer, card)
    monkeypatch.setattr(recognizer, "name", hub.DEFAULT_WEIGHTS)
    text = app.about(recognizer, card)
    assert "expressions, not feelings" in text and "anger, contempt" in text
    assert text.endswith("# Card\nAccuracy 95 %\n") and "license" not in text
    assert "No model card" in app.about(recognizer, tmp_path / "missing.md")


@pytest.mark.parametrize("auth", ["user", "user:", ":password", ""])
def test_auth_needs_both(auth, capsys):
    with pytest.raises(SystemExit) as leaving:
        app.parse_args(["--auth", auth])
    assert leaving.value.code == 2
    assert "expected USER:PASSWORD" in capsys.readouterr().err


def test_auth_may_hold_colons():
    assert app.parse_args(["--auth", "me:a:b"]).auth == ("me", "a:b")


@pytest.fixture
def launched(monkeypatch) -> list[dict]:
    calls: list[dict] = []
    monkeypatch.setattr(app.gr.Blocks, "launch", lambda _self, **kwargs: calls.append(kwargs))
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # put back after the test
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    threads = torch.get_num_threads(), cv2.getNumThreads()
    yield calls
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


def test_flags_reach_the_server(recognizer, launched, monkeypatch, capsys):
    monkeypatch.setattr(app.EmotionRecognizer, "from_pretrained", lambda *_, **_kw: recognizer)
    arguments = ["--host", "0.0.0.0", "--port", "7999", "--share", "--auth", "me:secret"]
    assert app.main(arguments) == 0
    (call,) = launched
    assert (call["server_name"], call["server_port"]) == ("0.0.0.0", 7999)
    assert call["share"] is True and call["auth"] == ("me", "secret")
    assert call["run_history"] is False and call["ssr_mode"] is False
    assert "WARNING" not in capsys.readouterr().err
    assert not Path(app.os.environ["GRADIO_TEMP_DIR"]).exists()


def test_sharing_without_a_password_is_warned_of(recognizer, launched, monkeypatch, capsys):
    monkeypatch.setattr(app.EmotionRecognizer, "from_pretrained", lambda *_, **_kw: recognizer)
    assert app.main(["--share"]) == 0
    assert "WARNING: --share without --auth" in capsys.readouterr().err


def test_backend_reaches_recogniser_and_detector(launched, monkeypatch):
    built = []
    monkeypatch.setattr(app, "build", lambda *parts: built.append(parts) or app.gr.Blocks())
    assert app.main(["--backend", "onnx"]) == 0
    ((recognizer, detector),) = built
    assert type(recognizer.backend).__name__ == "OnnxBackend"
    assert type(recognizer.detector).__name__ == type(detector).__name__ == "OnnxYuNetDetector"
    assert (recognizer.detector.max_side, detector.max_side) == (4096, app.LIVE_SIDE)


def test_unknown_weights_end_the_app_with_a_sentence(launched, capsys):
    assert app.main(["--weights", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("app.py: weights 'nowhere': neither embedded")
    assert launched == []


def test_the_page_asks_for_nothing_from_elsewhere():
    """No web font, script or style from a network; the browser test sees the same happen."""
    assert app.theme()._stylesheets == []
    for name in ("app.css", "webcam.js", "photo.js", "webcam.html", "photo.html", "header.html"):
        assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", app.asset(name)), name
