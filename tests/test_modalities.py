"""Readings of several modalities in one form, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.errors import DataError
from fer_cbam.modalities import Reading, join

LABELS = ("anger", "happiness", "neutral")


def reading(modality, probs, times, labels=LABELS, prior=None):
    probs = np.asarray(probs, float)
    tokens = np.zeros((len(probs), 2), np.float32)
    return Reading(modality, labels, np.asarray(times, float), np.log(probs), tokens, prior)


FACE = reading("face", [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1]], [[0, 1], [2, 3]])


def test_the_posterior_at_a_time_is_of_the_stretch_that_holds_it():
    got = FACE.at([0.5, 1.5, 2.0, 3.0])
    np.testing.assert_allclose(got[[0, 2, 3]], [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    assert np.isnan(got[1]).all()
    over = reading("face", [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1]], [[0, 2], [1, 3]])
    np.testing.assert_allclose(over.at([1.5])[0], [0.1, 0.8, 0.1])  # the last to begin


def test_joined_is_the_product_where_both_speak_and_the_one_where_one_does():
    text = reading("text", [[0.2, 0.5, 0.3]], [[0, 1]])
    got = join([FACE, text], [0.5, 2.5, 9.0])
    product = np.array([0.6 * 0.2, 0.3 * 0.5, 0.1 * 0.3])
    np.testing.assert_allclose(got.probs[0], product / product.sum())
    np.testing.assert_allclose(got.probs[1], [0.1, 0.8, 0.1])
    np.testing.assert_allclose(got.probs[2], [1 / 3] * 3)
    np.testing.assert_allclose(got.moved["text"][0], np.log(got.probs[0]) - np.log(FACE.at([0])[0]))
    half = join([FACE, text], [0.5], {"text": 0.5})
    product = np.array([0.6, 0.3, 0.1]) * np.sqrt([0.2, 0.5, 0.3])
    np.testing.assert_allclose(half.probs[0], product / product.sum())


def test_a_modality_s_own_prior_is_taken_off():
    prior = np.array([0.2, 0.5, 0.3])
    text = reading("text", [prior], [[0, 1]], prior=prior)  # it only says what it says of all
    got = join([FACE, text], [0.5])
    np.testing.assert_allclose(got.said["text"][0], [1 / 3] * 3)
    np.testing.assert_allclose(got.probs[0], [0.6, 0.3, 0.1])


def test_labels_that_one_does_not_know():
    text = reading("text", [[0.7, 0.2, 0.1]], [[0, 1]], ("happiness", "anger", "fear"))
    got = join([FACE, text], [0.5])
    # By hand: evidence 0.2 and 0.7 for anger and happiness; neutral gets their mean.
    evidence = np.array([0.2, 0.7, 0.45])
    np.testing.assert_allclose(got.said["text"][0], evidence / evidence.sum())
    strange = reading("text", [[0.7, 0.2, 0.1]], [[0, 1]], ("a", "b", "c"))
    with pytest.raises(DataError, match="labels a, b, c; expected some of anger"):
        join([FACE, strange], [0.5])


def test_disagreement_is_said_and_only_between_those_who_are_sure():
    sure = reading("text", [[0.1, 0.8, 0.1]], [[0, 3]])
    got = join([FACE, sure], [0.5, 2.5])
    assert got.disagree.tolist() == [True, False]
    assert got.in_words(0) == "face: anger, text: happiness"
    assert got.in_words(1) == "happiness"
    unsure = reading("text", [[0.3, 0.4, 0.3]], [[0, 3]])
    assert not join([FACE, unsure], [0.5]).disagree.any()


def test_who_is_not_sure_is_not_named_among_those_who_disagree():
    sure = reading("voice", [[0.1, 0.8, 0.1]], [(0, 1)])
    unsure = reading("text", [[0.3, 0.3, 0.4]], [(0, 1)])
    face = reading("face", [[0.9, 0.05, 0.05]], [(0, 1)])
    got = join([face, sure, unsure], [0.5])
    assert got.disagree.all() and got.in_words(0) == "face: anger, voice: happiness"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": np.zeros((1, 3))}, r"times of shape \(1, 3\); expected"),
        ({"times": np.array([[1.0, 0.5]])}, "times that run backwards"),
        ({"logits": np.array([[0, np.nan, 0]])}, "expected finite numbers"),
        ({"tokens": np.zeros((2, 4), np.float32)}, r"expected \(1, D\)"),
        ({"prior": np.ones(2)}, r"prior of shape \(2,\)"),
    ],
)
def test_what_is_no_reading(change, message):
    given = {"times": np.array([[0.0, 1.0]]), "logits": np.zeros((1, 3)),
             "tokens": np.zeros((1, 4), np.float32), "prior": None}  # fmt: skip
    with pytest.raises(DataError, match=message):
        Reading("text", LABELS, **{**given, **change})


def test_one_reading_a_modality():
    with pytest.raises(DataError, match="readings of face, face; expected one a modality"):
        join([FACE, FACE], [0.0])
