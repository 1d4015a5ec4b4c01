"""What the page gets to draw, by numbers worked out by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve import page
from fer_cbam.serve.photo import ExplainedFace
from fer_cbam.types import Face, Prediction, Recognition, Saliency
from fer_cbam.words.phrases import phrase
from tests.test_data_urls import pixels

PROBS = {"anger": 0.004, "fear": 0.246, "happiness": 0.75}


def recognition(box=(40, 20, 88, 68), uncertain=False) -> Recognition:
    affine = np.array([[1.0, 0, box[0]], [0, 1, box[1]]])
    face = Face(box, 0.9, np.zeros((5, 2), np.float32))
    prediction = Prediction("happiness", 0.75, PROBS, uncertain)
    return Recognition(face, prediction, np.zeros((48, 48, 3), np.uint8), affine)


def explained(found: Recognition, attention: bool = True) -> ExplainedFace:
    values = np.ones((48, 48), np.float32)
    gradcams = {label: Saliency(values, "gradcam", label) for label in PROBS}
    maps = {label: Saliency(np.zeros((48, 48), np.float32), "occlusion", label) for label in PROBS}
    words = {label: f"{label} & the mouth" for label in gradcams}
    found = replace(found, gate=np.array([[0.2, 0.8], [0.2, 0.8]]) if attention else None)
    return ExplainedFace(found, maps, gradcams, None, words)


def test_a_tag_has_words_and_colours():
    assert page.face_tag(recognition()) == {
        "caption": "happiness 75 %",
        "color": "rgb(240, 228, 66)",
        "ground": "rgb(240, 228, 66)",
        "ink": "rgb(0, 0, 0)",
        "note": "",
    }
    doubtful = page.face_tag(recognition(uncertain=True))
    assert (doubtful["caption"], doubtful["ground"]) == ("happiness? 75 %", "rgb(255, 255, 255)")
    assert doubtful["color"] == "rgb(240, 228, 66)"
    found = recognition()
    none = page.face_tag(replace(found, prediction=replace(found.prediction, no_face=True)))
    assert (none["caption"], none["color"]) == ("no face", "rgb(255, 255, 255)")
    assert none["ground"] == "rgb(255, 255, 255)" and none["note"] == phrase("unnamed")


def test_colours_keep_the_order_of_the_labels():
    colors = page.label_colors(("sadness", "anger", "boredom"))
    assert list(colors) == ["sadness", "anger", "boredom"]
    assert colors["sadness"] == "rgb(0, 114, 178)" and colors["boredom"] == "rgb(120, 176, 226)"


def test_a_photo_face_has_a_layer_for_every_label():
    image = np.full((200, 400, 3), 90, np.uint8)
    face = page.photo_face(image, explained(recognition()))
    assert json.loads(json.dumps(face, allow_nan=False)).keys() == face.keys()
    assert list(face["layers"]) == list(face["sentences"]) == list(PROBS)
    close_up = pixels(face["close_up"])
    assert close_up.shape == (page.FACE_SIDE, page.FACE_SIDE, 3)
    assert abs(close_up.astype(int) - 90).max() <= 3
    assert face["map"] == "Occlusion" and list(face["gradcams"]) == list(PROBS)
    assert not any(pixels(url)[..., 3].any() for url in face["layers"].values())
    for url in face["gradcams"].values():
        heat = pixels(url)
        assert heat.shape == (48, 48, 4)
        assert heat[24, 24, 3] == 255 and heat[24, 24, 0] > 100 > heat[24, 24, 2]  # Turbo's red
    attention = pixels(face["attention"])
    assert attention[24, 5, 3] == 0 and attention[24, 42, 3] == 255  # the gate is open at the right
    assert page.photo_face(image, explained(recognition(), attention=False))["attention"] is None


def test_layers_lie_where_the_crop_lies_in_the_close_up():
    """The crop is 48 px of the image, the close-up 60 px of it on 288: 4.8 times as large, with 6
    px of margin on each side."""
    image = np.full((200, 400, 3), 90, np.uint8)
    face = page.photo_face(image, explained(recognition()))
    assert face["transform"] == pytest.approx([4.8, 0, 0, 4.8, 28.8, 28.8], abs=1e-3)
    assert face["place"] == pytest.approx([1, 0, 0, 1, 40, 20])  # in the photo itself


def test_css_color():
    assert page.css_color((240, 228, 66)) == "rgb(240, 228, 66)"


def test_what_is_shown_of_weights(untrained_weights):
    found = EmotionRecognizer.from_pretrained("fer_cbam_base.ferplus", backend="onnx")
    shown = page.weights_shown(found)
    assert shown["weights"] == "fer_cbam_base.ferplus" and shown["card"] is True
    assert shown["title"] == "Balanced, 8 expressions" and len(shown["labels"]) == 8
    assert list(shown["colors"]) == shown["labels"] == list(found.label_names)
    own = EmotionRecognizer.from_pretrained(untrained_weights["ckplus48"])
    assert page.weights_shown(own)["title"] == str(untrained_weights["ckplus48"])
    assert page.weights_shown(own)["card"] is False


def test_attention_is_shown_unasked_by_a_flag_of_the_weights(untrained_weights, tmp_path):
    folder = shutil.copytree(untrained_weights["ckplus48"], tmp_path / "weights")
    config = json.loads((folder / "config.json").read_text())
    assert page.weights_shown(EmotionRecognizer.from_pretrained(folder))["attention"] is False
    (folder / "config.json").write_text(json.dumps(config | {"gate_neutral": 1.0}))
    assert page.weights_shown(EmotionRecognizer.from_pretrained(folder))["attention"] is True


def test_ways_to_answer_over_time_the_default_first(untrained_weights):
    every = page.over_time(("network", "filter", "average", "none"))
    assert every == [["network", "Recurrent network"], ["filter", "Filter"],
                     ["none", "Each frame alone"]]  # fmt: skip
    assert page.over_time(("average", "none")) == [
        ["average", "Average"], ["none", "Each frame alone"],
    ]  # fmt: skip
    shown = page.weights_shown(EmotionRecognizer.from_pretrained(untrained_weights["ferplus"]))
    assert [name for name, _ in shown["smoothing"]] == ["average", "none"]  # no prior, no network
