"""A product of experts, by hand and against scikit-learn's naive Bayes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.naive_bayes import CategoricalNB

from fer_cbam.errors import DataError
from fer_cbam.experts import Experts

LABELS = ("anger", "happiness", "neutral")
PRIOR = np.array([0.2, 0.3, 0.5])
FACE = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
VOICE = np.array([[0.5, 0.1, 0.4], [0.1, 0.8, 0.1]])


def test_the_prior_counts_once():
    product = FACE * VOICE / PRIOR
    expected = product / product.sum(1, keepdims=True)
    got = Experts(LABELS, PRIOR).posterior({"face": FACE, "voice": VOICE})
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    # The face's second row is the prior: it says nothing, and the voice's answer stands.
    np.testing.assert_allclose(got[1], VOICE[1], rtol=1e-12)


def test_it_is_naive_bayes_for_independent_modalities():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = np.stack([(y + rng.integers(0, 2, 400)) % 3, (y + rng.integers(0, 3, 400)) % 3], 1)
    joint = CategoricalNB(alpha=1.0).fit(x, y)
    prior = np.exp(joint.class_log_prior_)
    alone = {}
    for column, name in enumerate(("face", "voice")):
        likelihood = np.exp(joint.feature_log_prob_[column][:, x[:, column]].T)
        alone[name] = likelihood * prior / (likelihood * prior).sum(1, keepdims=True)
    got = Experts(LABELS, prior).posterior(alone)
    np.testing.assert_allclose(got, joint.predict_proba(x), atol=1e-9)


def test_reliability_is_a_power_a_power_for_each_label_or_a_matrix():
    powers = {"face": 2.0, "voice": np.array([1.0, 0.5, 0.0])}
    product = PRIOR * (FACE / PRIOR) ** 2 * (VOICE / PRIOR) ** np.array([1.0, 0.5, 0.0])
    expected = product / product.sum(1, keepdims=True)
    both = {"face": FACE, "voice": VOICE}
    np.testing.assert_allclose(Experts(LABELS, PRIOR, powers).posterior(both), expected)
    # A matrix: row i says what evidence for label i does to each label.
    swap = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    got = Experts(LABELS, PRIOR, {"face": swap}).logits(both)
    said = np.log(FACE / PRIOR)[:, [1, 0, 2]] + np.log(VOICE / PRIOR) + np.log(PRIOR)
    np.testing.assert_allclose(got, said)


def test_the_offset_is_added_where_modalities_meet():
    offset = np.array([1.0, 0.0, -1.0])
    plain, shifted = Experts(LABELS, PRIOR), Experts(LABELS, PRIOR, offset=offset)
    both = {"face": FACE, "voice": VOICE}
    np.testing.assert_allclose(shifted.logits(both) - plain.logits(both), np.tile(offset, (2, 1)))
    np.testing.assert_allclose(shifted.posterior({"face": FACE}), FACE)


def test_a_modality_that_is_missing_says_nothing():
    experts = Experts(LABELS, PRIOR, {"face": 0.5, "voice": 2.0})
    nothing = np.full((2, 3), np.nan)
    np.testing.assert_allclose(experts.posterior({"face": FACE, "voice": nothing}), FACE)
    np.testing.assert_allclose(experts.posterior({"voice": VOICE}), VOICE)
    np.testing.assert_allclose(experts.posterior({"face": nothing}), np.tile(PRIOR, (2, 1)))
    np.testing.assert_allclose(experts.posterior({}), PRIOR[None])
    half = np.stack([FACE[0], nothing[0]])
    both = experts.posterior({"face": FACE, "voice": VOICE})
    mixed = experts.posterior({"face": half, "voice": VOICE})
    np.testing.assert_allclose(mixed, np.stack([both[0], VOICE[1]]))


def test_moved_is_what_leaving_a_modality_out_takes_away():
    experts = Experts(LABELS, PRIOR)
    both = {"face": FACE, "voice": VOICE}
    moved = experts.moved(both)
    joint = np.log(experts.posterior(both))
    np.testing.assert_allclose(moved["face"], joint - np.log(VOICE))
    np.testing.assert_allclose(moved["voice"], joint - np.log(FACE))
    assert moved["voice"][1, 1] > 0 > moved["voice"][1, 2]  # the voice says happiness


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"face": FACE[:, :2]}, r"shape \(2, 2\); expected \(N, 3\)"),
        ({"face": FACE[0]}, r"shape \(3,\)"),
        ({"face": FACE * 2}, "sum to 1"),
        ({"face": np.array([[0.5, np.nan, 0.5]])}, "sum to 1"),
        ({"face": np.array([[1.5, -0.5, 0.0]])}, "sum to 1"),
        ({"face": FACE, "voice": VOICE[:1]}, r"\[1, 2\] samples"),
    ],
)
def test_what_is_no_posterior_is_refused(given, words):
    with pytest.raises(DataError, match=words):
        Experts(LABELS, PRIOR).posterior(given)


@pytest.mark.parametrize(
    ("prior", "reliability", "words"),
    [
        (PRIOR[:2], {}, r"prior of shape \(2,\); expected 3"),
        (np.array([0.0, 0.5, 0.5]), {}, "above 0"),
        (PRIOR, {"face": np.ones(2)}, r"face has the shape \(2,\)"),
        (PRIOR, {"face": np.nan}, "not finite"),
    ],
)
def test_what_is_no_expert_is_refused(prior, reliability, words):
    with pytest.raises(DataError, match=words):
        Experts(LABELS, prior, reliability)
