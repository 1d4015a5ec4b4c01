"""Logits to probabilities to an answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from fer_cbam.decide import Decision, softmax
from fer_cbam.errors import PriorError, WeightsError
from fer_cbam.prior import balance_offset

LABELS = ("anger", "happiness", "surprise")
PRIOR = {"anger": 0.1, "happiness": 0.8, "surprise": 0.1}
LOGITS = np.random.default_rng(0).normal(0, 2, (500, 3))


def test_softmax_of_large_logits():
    got = softmax(np.array([[1000.0, 999.0], [-1000.0, -1000.0]]))
    expected = [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)], [0.5, 0.5]]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)
    assert softmax(np.zeros((1, 2), np.float16)).dtype == np.float64


def test_predictions_with_a_temperature():
    """Odds of 4 : 1 become 2 : 1 at temperature 2."""
    logits = np.log(np.array([[4.0, 1.0], [1.0, 4.0]], np.float32))
    decision = Decision(("fear", "anger"), temperature=2, uncertain_below=0.7)
    first, second = decision.predictions(logits)
    assert first.probs == pytest.approx({"fear": 2 / 3, "anger": 1 / 3}, abs=1e-6)
    assert (first.label, first.uncertain, first.said) == ("fear", True, "uncertain")
    assert (second.label, second.confidence) == ("anger", pytest.approx(2 / 3, abs=1e-6))
    (sure,) = Decision(("fear", "anger"), uncertain_below=0.7).predictions(logits[:1])
    assert sure.confidence == pytest.approx(0.8, abs=1e-6) and not sure.uncertain
    assert sure.said == "fear"


def test_without_any_number_of_a_config():
    decision = Decision.of({}, ("fear", "anger", "neutral"))
    (given,) = decision.predictions(np.log([[0.3, 0.2, 0.5]]))
    assert given.probs == pytest.approx({"fear": 0.3, "anger": 0.2, "neutral": 0.5})
    assert list(given.probs) == ["fear", "anger", "neutral"]
    assert (given.label, given.confidence) == ("neutral", given.probs["neutral"])
    assert not given.uncertain and not given.no_face


@pytest.mark.parametrize("labels", [("fear",), ("fear", "anger", "neutral")])
def test_as_many_labels_as_logits(labels):
    with pytest.raises((WeightsError, ValueError)):
        Decision(labels).predictions(np.zeros((1, 2)))


def test_exactly_at_the_threshold_is_not_uncertain():
    half = Decision(("fear", "anger"), uncertain_below=0.5)
    assert not half.of_probs({"fear": 0.5, "anger": 0.5}).uncertain


def test_weights_of_before_answer_as_before():
    """With a balance alone, its offset is part of the logits, and stays."""
    config = {"balance": 0.5, "temperature": 0.7, "training": {"prior": PRIOR}}
    decision = Decision.of(config, LABELS)
    np.testing.assert_allclose(decision.posterior(LOGITS), softmax(LOGITS / 0.7))
    found = decision.predictions(LOGITS)
    assert [p.label for p in found] == [LABELS[i] for i in LOGITS.argmax(1)]
    assert [p.confidence for p in found] == [max(p.probs.values()) for p in found]


def test_label_by_the_lift_and_confidence_without_it():
    config = {"temperature": 0.5, "bias": {"surprise": 0.3}, "prior": PRIOR,
              "decision": {"balance": 0.4, "shift": {"happiness": -0.2}}}  # fmt: skip
    probs = np.exp(log_softmax(LOGITS / 0.5 + [0, 0, 0.3], axis=1))
    lift = np.log([0.6 + 0.4 / 0.3, 0.6 + 0.4 / 2.4, 0.6 + 0.4 / 0.3]) - [0, 0.2, 0]
    said = (np.log(probs) + lift).argmax(1)
    found = Decision.of(config, LABELS).predictions(LOGITS)
    assert [p.label for p in found] == [LABELS[i] for i in said]
    assert [p.confidence for p in found] == pytest.approx(list(probs[np.arange(500), said]))
    assert (said != probs.argmax(1)).sum() > 20  # where the two differ


def test_softened_probabilities_are_said_as_the_hard_ones_are():
    decision = Decision(("a", "b", "c"), lift=(1.5, 0.0, -np.inf))
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 200)
    soft = np.sqrt(probs) / np.sqrt(probs).sum(1, keepdims=True)
    said = decision.said(probs)
    np.testing.assert_array_equal(decision.softened(2.0).said(soft), said)
    assert (decision.said(soft) != said).any() and set(said) == {0, 1}


def test_what_a_release_has_added_is_taken_off():
    plain = {"prior": PRIOR, "temperature": 0.8, "decision": {"balance": 0.3}}
    released = {**plain, "balance": 0.6, "training": {"prior": PRIOR}}
    offset = balance_offset({label: np.log(p) for label, p in PRIOR.items()}, 0.6)
    added = LOGITS + [offset[label] for label in LABELS]
    expected = Decision.of(plain, LABELS).predictions(LOGITS)
    found = Decision.of(released, LABELS).predictions(added)
    assert [p.label for p in found] == [p.label for p in expected]
    assert [p.confidence for p in found] == pytest.approx([p.confidence for p in expected])


def test_a_silent_label_is_never_said_and_keeps_its_probability():
    decision = Decision.of({"decision": {"silent": ["anger"]}}, LABELS)
    (found,) = decision.predictions(np.log([[0.7, 0.2, 0.1]]))
    assert (found.label, found.confidence) == ("happiness", pytest.approx(0.2))
    assert found.probs["anger"] == pytest.approx(0.7)
    with pytest.raises(WeightsError, match="every label is silent"):
        Decision.of({"decision": {"silent": list(LABELS)}}, LABELS)


@pytest.mark.parametrize(
    "config",
    [{"decision": {"shift": {"joy": 1.0}}}, {"decision": {"silent": ["joy"]}},
     {"decision": {}, "bias": {"joy": 1.0}}],
)  # fmt: skip
def test_numbers_of_labels_that_there_are_not(config):
    with pytest.raises(WeightsError, match="joy; expected some of anger, happiness, surprise"):
        Decision.of(config, LABELS)


def test_numbers_that_cannot_be():
    with pytest.raises(WeightsError, match="temperature: got 0"):
        Decision.of({"temperature": 0}, LABELS)
    with pytest.raises(WeightsError, match="lift: 2 numbers; expected 3"):
        Decision(LABELS, lift=(0.0, 1.0))


def test_a_prior_is_bayes_rule():
    """A world of three labels and two kinds of faces: what each label looks like is known."""
    kinds = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])  # label, kind
    met = np.array([0.1, 0.8, 0.1])
    new = {"anger": 3, "happiness": 1, "surprise": 0}  # counts do
    posterior = (kinds * met[:, None] / (kinds * met[:, None]).sum(0)).T
    joint = kinds * np.array([0.75, 0.25, 0.0])[:, None]
    expected = (joint / joint.sum(0)).T
    config = {"prior": dict(zip(LABELS, met, strict=True)), "temperature": 2.0,
              "decision": {"balance": 1.0, "silent": ["anger"]}}  # fmt: skip
    decision = Decision.of(config, LABELS, new)
    np.testing.assert_allclose(decision.posterior(2 * np.log(posterior)), expected, atol=1e-12)
    found = decision.predictions(2 * np.log(posterior))
    assert [p.label for p in found] == [LABELS[i] for i in expected.argmax(1)]
    assert found[0].label == "anger"  # the numbers of `decision` are for another mix


def test_a_balance_says_the_labels_of_the_mix_it_names():
    base = {"prior": PRIOR, "temperature": 0.9, "bias": {"anger": -0.1}}
    for balance in (0.0, 0.3, 1.0):
        lifted = Decision.of({**base, "decision": {"balance": balance}}, LABELS)
        named = Decision.of(base, LABELS, balance)
        labels = [p.label for p in lifted.predictions(LOGITS)]
        assert labels == [p.label for p in named.predictions(LOGITS)]
    uniform, even = (Decision.of(base, LABELS, p) for p in ("uniform", dict.fromkeys(LABELS, 1)))
    np.testing.assert_allclose(uniform.posterior(LOGITS), even.posterior(LOGITS))
    same = Decision.of(base, LABELS, "training").posterior(LOGITS)
    np.testing.assert_allclose(same, softmax(LOGITS / 0.9 + [-0.1, 0, 0]))


def test_a_prior_of_weights_that_do_not_say_theirs():
    with pytest.raises(WeightsError, match="training prior: nothing of anger"):
        Decision.of({}, LABELS, "uniform")
    with pytest.raises(PriorError, match="nothing of surprise"):
        Decision.of({"prior": PRIOR}, LABELS, {"anger": 1, "happiness": 1})


def test_no_face_below_the_probe():
    config = {"face_probe": {"weights": [1.0, -2.0], "bias": 0.5}}
    decision = Decision.of(config, LABELS)
    embedding = np.array([[1.0, 0.7], [1.0, 0.8], [0.0, 0.25]], np.float32)
    found = decision.predictions(np.zeros((3, 3)), embedding)
    assert [p.no_face for p in found] == [False, True, False]
    assert [p.said for p in found] == ["anger", "no face", "anger"]
    assert not any(p.no_face for p in decision.predictions(np.zeros((3, 3))))  # no embedding
    with pytest.raises(WeightsError, match="for 2 numbers; expected 3"):
        decision.is_face(np.zeros((1, 3)), 1)


def test_the_same_of_probabilities_by_label():
    decision = Decision.of({"decision": {"shift": {"anger": 2.0}}}, LABELS)
    for prediction in decision.predictions(LOGITS[:20]):
        shuffled = dict(sorted(prediction.probs.items(), reverse=True))
        assert decision.of_probs(shuffled) == prediction
    assert decision.of_probs(prediction.probs, no_face=True).no_face
