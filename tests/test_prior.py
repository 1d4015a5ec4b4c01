"""Answering for balanced accuracy: cases whose answer is known, and the best of all rules."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fer_cbam.errors import PriorError, WeightsError
from fer_cbam.prior import (
    balance_offset,
    expected,
    log_prior,
    logit_offset,
    own_prior,
    read_prior,
)

LABELS = ("anger", "happiness", "surprise")
PRIOR = {"anger": 0.1, "happiness": 0.8, "surprise": 0.1}


def test_log_prior_is_of_each_label_in_nats():
    assert log_prior({"prior": PRIOR}, LABELS) == pytest.approx(
        {"anger": math.log(0.1), "happiness": math.log(0.8), "surprise": math.log(0.1)}
    )


def test_at_1_a_network_that_knows_the_prior_alone_answers_all_alike():
    prior = log_prior({"prior": PRIOR}, LABELS)
    offset = balance_offset(prior, 1.0)
    assert [prior[label] + offset[label] for label in LABELS] == pytest.approx([-math.log(3)] * 3)
    assert set(balance_offset(prior, 0.0).values()) == {0.0}
    # Half of both: 0.5 + 0.5 / (3 * prior).
    assert balance_offset(prior, 0.5) == pytest.approx(
        {"anger": math.log(13 / 6), "happiness": math.log(17 / 24), "surprise": math.log(13 / 6)}
    )


@pytest.mark.parametrize("balance", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_no_other_rule_does_better(balance):
    """In a world of five kinds of faces, against each of the 3 ** 5 ways to answer them."""
    rng = np.random.default_rng(3)
    joint = rng.dirichlet(np.full(5, 0.7), 3) * np.array([[0.1], [0.85], [0.05]])  # label, kind
    prior = joint.sum(1)

    def mean_of_both(answers):
        right = joint[np.array(answers), np.arange(5)]
        recall = [right[np.array(answers) == k].sum() / prior[k] for k in range(3)]
        return (1 - balance) * right.sum() + balance * np.mean(recall)

    offset = balance_offset(dict(zip(LABELS, np.log(prior), strict=True)), balance)
    posterior = np.log(joint / joint.sum(0)).T + [offset[label] for label in LABELS]
    best = max(itertools.product(range(3), repeat=5), key=mean_of_both)
    assert tuple(posterior.argmax(1)) == best


def test_the_offset_of_weights_is_that_of_their_balance():
    config = {"training": {"prior": PRIOR}, "balance": 1.0}
    expected = {label: -math.log(3 * share) for label, share in PRIOR.items()}
    assert logit_offset(config, LABELS) == pytest.approx(expected)
    assert logit_offset({"training": {"prior": PRIOR}}, LABELS) == dict.fromkeys(LABELS, 0.0)
    with pytest.raises(WeightsError, match="training prior: nothing of anger"):
        logit_offset({"balance": 0.5}, LABELS)


def test_a_label_that_was_never_seen_has_no_prior():
    with pytest.raises(
        WeightsError, match="nothing of surprise; expected a share above 0 for each of anger"
    ):
        log_prior({"prior": {**PRIOR, "surprise": 0.0}}, LABELS)
    with pytest.raises(WeightsError, match="nothing of anger, happiness, surprise"):
        log_prior({}, LABELS)


def test_the_prior_of_probabilities_is_that_of_what_calibrated_them():
    training = {"training": {"prior": PRIOR}}
    assert own_prior(training, LABELS) == pytest.approx(PRIOR)
    calibrated = {"anger": 0.3, "happiness": 0.3, "surprise": 0.4}
    assert own_prior({**training, "prior": calibrated}, LABELS) == pytest.approx(calibrated)


def test_what_is_expected():
    assert expected("training", PRIOR) == pytest.approx(PRIOR)
    assert expected("uniform", PRIOR) == pytest.approx(dict.fromkeys(LABELS, 1 / 3))
    half = {"anger": 0.05 + 1 / 6, "happiness": 0.4 + 1 / 6, "surprise": 0.05 + 1 / 6}
    assert expected(0.5, PRIOR) == pytest.approx(half)
    counts = {"surprise": 6, "anger": 2, "happiness": 0}
    assert expected(counts, PRIOR) == pytest.approx(
        {"anger": 0.25, "happiness": 0.0, "surprise": 0.75}
    )
    assert list(expected(counts, PRIOR)) == list(LABELS)


@pytest.mark.parametrize("prior, message", [
    ("balanced", "got 'balanced'; expected one of training, uniform, a number"),
    (1.5, "got 1.5"),
    (float("nan"), "got nan"),
    (True, "got True"),
    ({"anger": 1, "happiness": 1}, "nothing of surprise; expected a share for each of anger"),
    ({**PRIOR, "joy": 0.1}, "a share of joy; expected"),
    ({**PRIOR, "anger": -0.1}, "anger is -0.1; expected a share of 0 or more"),
    ({**PRIOR, "anger": float("inf")}, "anger is inf"),
    ({**PRIOR, "anger": "much"}, "anger is 'much'"),
    (dict.fromkeys(LABELS, 0), "all shares are 0"),
])  # fmt: skip
def test_a_prior_that_is_none(prior, message):
    with pytest.raises(PriorError, match=message):
        expected(prior, PRIOR)


def test_a_prior_from_a_command_line():
    assert read_prior("uniform") == "uniform"
    assert read_prior("0.25") == 0.25
    assert read_prior("anger=2, happiness=0.5,surprise=1e-1") == {
        "anger": 2.0, "happiness": 0.5, "surprise": 0.1,
    }  # fmt: skip
    for text in ("anger=", "anger=x", "anger=1,anger=2", "anger=1,happiness"):
        with pytest.raises(PriorError, match="expected LABEL=SHARE, each label once"):
            read_prior(text)
