"""What the app says, word by word."""

from __future__ import annotations

import pytest

from fer_cbam.types import Prediction
from fer_cbam.words import sentences
from fer_cbam.words.regions import REGIONS


def prediction(happiness: float, fear: float, uncertain: bool = False) -> Prediction:
    probs = {"anger": 1 - happiness - fear, "fear": fear, "happiness": happiness}
    label = max(probs, key=probs.__getitem__)
    return Prediction(label, probs[label], probs, uncertain)


def shares(**given: float) -> dict[str, float]:
    return dict.fromkeys(REGIONS, 0.0) | given


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mouth": 0.8, "cheeks": 0.2}, "the mouth (80 %)"),  # three quarters are enough
        ({"mouth": 0.62, "cheeks": 0.3, "jaw": 0.08}, "the mouth (62 %) and the cheeks (30 %)"),
        (
            {"eyes": 0.3, "brows": 0.3, "mouth": 0.2, "nose": 0.2},
            "the brows (30 %), the eyes (30 %) and the nose (20 %)",
        ),
        ({"mouth": 0.7, "cheeks": 0.09, "jaw": 0.09, "nose": 0.12},
         "the mouth (70 %) and the nose (12 %)"),
        ({"mouth": 0.7, "surroundings": 0.3},
         "the mouth (70 %) and the surroundings of the face (30 %)"),
    ],
)  # fmt: skip
def test_regions_in_words(given, expected):
    assert sentences.regions_in_words(shares(**given)) == expected


@pytest.mark.parametrize(
    ("happiness", "fear", "expected"),
    [
        (0.93, 0.05, "the model is very sure (93 %) and would have said fear second (5 %)"),
        (0.75, 0.2, "the model is fairly sure (75 %) and would have said fear second (20 %)"),
        (0.55, 0.05, "the model is not very sure (55 %) and would have said anger second (40 %)"),
        (0.4, 0.35, "the model is torn (40 %) and would have said fear second (35 %)"),
    ],
)
def test_the_whole_sentence(happiness, fear, expected):
    said = sentences.explanation(prediction(happiness, fear), "happiness", shares(mouth=1.0))
    assert said == f"The mouth (> 99 %) carried the decision for happiness; {expected}."


def test_an_uncertain_answer_is_called_a_guess():
    said = sentences.explanation(prediction(0.4, 0.35, True), "happiness", shares(mouth=1.0))
    assert "that is a guess, as the model is uncertain (40 %)" in said


def test_another_emotion_than_the_answer():
    answer = prediction(0.93, 0.05)
    said = sentences.explanation(answer, "fear", shares(eyes=0.6, brows=0.4))
    assert said == (
        "For fear (5 %) the eyes (60 %) and the brows (40 %) speak most; "
        "the model's answer is happiness."
    )
    said = sentences.explanation(answer, "fear", shares(mouth=0.9, jaw=0.1))
    assert said.startswith("For fear (5 %) the mouth (90 %) speaks most;")
    said = sentences.explanation(answer, "fear", shares(eyes=0.9, jaw=0.1))
    assert said.startswith("For fear (5 %) the eyes (90 %) speak most;")


def test_a_map_of_nothing():
    answer = prediction(0.93, 0.05)
    assert sentences.explanation(answer, "fear", shares()) == (
        "For fear (5 %) no region of the face spoke."
    )
    assert sentences.explanation(answer, "happiness", shares()).startswith(
        "No region of the face stands out for happiness; the model is very sure"
    )


def test_a_model_of_one_class_has_no_second_choice():
    only = Prediction("fear", 1.0, {"fear": 1.0})
    assert sentences.second_choice(only) == ""


@pytest.mark.parametrize(
    ("count", "kinds", "uncertain", "expected"),
    [
        (0, (), False, "No face in view. Look towards the camera, with light on your face."),
        (1, (), False, ""),
        (1, ("small", "dark"), True, "Come closer: the face is small."),
        (1, ("dark",), False, "More light: the face is very dark."),
        (2, ("side",), False, "2 faces in view. Seen from the side: turn towards the camera."),
        (1, (), True, "The model is uncertain: no expression stands out."),
        (3, (), False, "3 faces in view."),
    ],
)
def test_live_messages(count, kinds, uncertain, expected):
    assert sentences.live_message(count, kinds, uncertain) == expected


def test_every_caution_has_a_sentence():
    said = sentences.caution_sentences(("small", "dark", "side"))
    assert ["small" in said[0], "dark" in said[1], "side" in said[2]] == [True] * 3


def test_photo_messages():
    assert sentences.photo_message(0, 0) == sentences.NO_FACE
    assert sentences.photo_message(1, 1).startswith("One face found.")
    assert sentences.photo_message(3, 3).startswith("3 faces found. Pick a face")
    assert "50 faces found, too many" in sentences.photo_message(50, 12)
    assert "the 12 largest" in sentences.photo_message(50, 12)
