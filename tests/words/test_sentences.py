"""What the app says, word by word."""

from __future__ import annotations

import pytest

from fer_cbam.explain.parts import PartLosses
from fer_cbam.types import Prediction
from fer_cbam.words import sentences
from fer_cbam.words.phrases import phrase
from fer_cbam.words.regions import REGIONS


def prediction(happiness: float, fear: float, uncertain: bool = False) -> Prediction:
    probs = {"anger": 1 - happiness - fear, "fear": fear, "happiness": happiness}
    label = max(probs, key=probs.__getitem__)
    return Prediction(label, probs[label], probs, uncertain)


def losses(**given: tuple[float, float]) -> PartLosses:
    """With the blur and with the mean, of the regions that are named; nothing of the others."""
    both = [dict.fromkeys(REGIONS, 0.0) | {k: v[i] for k, v in given.items()} for i in (0, 1)]
    return PartLosses(dict(zip(("blur", "mean"), both, strict=True)))


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
    lost = losses(mouth=(0.3, 0.25), eyes=(0.1, 0.2))
    said = sentences.explanation(prediction(happiness, fear), "happiness", lost)
    start = sentences.percent(happiness)
    left = sentences.percent(happiness - 0.25)
    assert said == (
        "The strongest evidence for happiness is in the mouth (lip corners pulled up, cheeks "
        f"raised): with it hidden, it falls from {start} to {left} or less; {expected}."
    )


def test_an_uncertain_answer_is_called_a_guess():
    said = sentences.explanation(prediction(0.4, 0.35, True), "happiness", losses(mouth=(0.3, 0.3)))
    assert "that is a guess, as the model is uncertain (40 %)" in said


@pytest.mark.parametrize(
    "lost",
    [
        losses(mouth=(0.3, 0.04)),  # too little with the mean
        losses(mouth=(0.3, 0.1), eyes=(0.1, 0.3)),  # another one with each fill
        losses(),
        losses(mouth=(-0.3, -0.3)),  # hiding it helps
        None,  # a face without regions
    ],
)
def test_no_region_is_named_that_does_not_decide(lost):
    said = sentences.explanation(prediction(0.93, 0.05), "happiness", lost)
    assert said == (
        "No single region of the face decides for happiness; the model is very sure (93 %) and "
        "would have said fear second (5 %)."
    )


def test_another_emotion_than_the_answer():
    answer = prediction(0.6, 0.3)
    said = sentences.explanation(answer, "fear", losses(eyes=(0.1, 0.2)))
    assert said == (
        "The strongest evidence for fear is in the eyes (brows raised and drawn together, lids up, "
        "lips stretched): with them hidden, it falls from 30 % to 20 % or less; the model's answer "
        "is happiness."
    )
    assert sentences.explanation(answer, "fear", losses()) == (
        "No single region of the face decides for fear (30 %); the model's answer is happiness."
    )


def test_what_facs_does_not_tie_to_an_emotion_is_named_without_it():
    said = sentences.explanation(prediction(0.93, 0.05), "happiness", losses(jaw=(0.2, 0.2)))
    assert said.startswith("The strongest evidence for happiness is in the jaw: with it hidden,")
    said = sentences.explanation(
        prediction(0.93, 0.05), "happiness", losses(surroundings=(0.2, 0.2))
    )
    assert "is in the surroundings of the face: with them hidden," in said


def test_a_rare_label_that_is_said_although_another_is_more_probable():
    said = Prediction("fear", 0.3, {"anger": 0.1, "fear": 0.3, "neutral": 0.6})
    assert sentences.second_choice(said) == " and holds neutral more probable (60 %)"


def test_what_is_no_face_has_no_explanation():
    refused = Prediction("fear", 0.9, {"anger": 0.1, "fear": 0.9}, no_face=True)
    for label in ("fear", "anger"):
        assert sentences.explanation(refused, label, losses()) == phrase("not_a_face")


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
    assert sentences.photo_message(0, 0) == phrase("found_none")
    assert sentences.photo_message(1, 1).startswith("One face found.")
    assert sentences.photo_message(3, 3).startswith("3 faces found. Pick a face")
    assert "50 faces found, too many" in sentences.photo_message(50, 12)
    assert "the 12 largest" in sentences.photo_message(50, 12)
