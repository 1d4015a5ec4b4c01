from __future__ import annotations

from fer_cbam.types import Prediction
from fer_cbam.words.phrases import phrase
from fer_cbam.words.verdicts import verdict_note

PROBS = {"fear": 0.4, "neutral": 0.5, "anger": 0.1}


def test_a_label_that_is_not_the_most_probable_is_explained():
    assert verdict_note(Prediction("fear", 0.4, PROBS)) == (
        "Neutral is more probable (50 %). These weights give fear a lead over it."
    )


def test_nothing_is_said_of_the_most_probable_or_one_as_probable():
    assert verdict_note(Prediction("neutral", 0.5, PROBS)) == ""
    assert verdict_note(Prediction("fear", 0.5, {"neutral": 0.5, "fear": 0.5})) == ""


def test_what_is_no_face_is_said_to_be_none():
    assert verdict_note(Prediction("fear", 0.4, PROBS, no_face=True)) == phrase("unnamed")
