"""Answering for balanced accuracy: cases whose answer is known, and what the command writes."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from eval.docs.summary import collect
from eval.studies import adjustment as a
from fer_cbam import hub
from fer_cbam.errors import WeightsError
from tests.eval.conftest import LABELS, make_table
from tests.eval.test_calibrate import faces_csv
from train.release import answer_for

PRIOR = {"anger": 0.1, "happiness": 0.8, "surprise": 0.1}


def test_at_1_a_network_that_knows_the_prior_alone_answers_all_alike():
    prior = a.log_prior({"prior": PRIOR}, LABELS)
    logits = [[math.log(PRIOR[label]) for label in LABELS]]
    changed = a.adjusted(make_table(["anger"], logits), a.balance_shift(prior, 1.0))
    assert np.allclose(changed[["logit_anger", "logit_happiness", "logit_surprise"]], -np.log(3))
    assert changed.attrs["data"] == "tiny"
    assert set(a.balance_shift(prior, 0.0).values()) == {0.0}


@pytest.mark.parametrize("balance", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_no_other_rule_does_better(balance):
    """In a world of five kinds of faces, against each of the 3 ** 5 ways to answer them."""
    rng = np.random.default_rng(3)
    joint = rng.dirichlet(np.full(5, 0.7), 3) * np.array([[0.1], [0.85], [0.05]])  # label, kind
    prior = joint.sum(1)

    def worth(answers):
        right = joint[np.array(answers), np.arange(5)]
        recall = [right[np.array(answers) == k].sum() / prior[k] for k in range(3)]
        return (1 - balance) * right.sum() + balance * np.mean(recall)

    shift = a.balance_shift(dict(zip(LABELS, np.log(prior), strict=True)), balance)
    posterior = np.log(joint / joint.sum(0)).T + [shift[label] for label in LABELS]
    best = max(itertools.product(range(3), repeat=5), key=worth)
    assert tuple(posterior.argmax(1)) == best


def test_rates_against_a_hand_computed_case():
    """Four happy faces, clearly; one angry one, taken for happy by a margin of 1.5."""
    logits = [[0, 3, 0]] * 4 + [[0, 1.5, 0]]
    predictions = make_table(["happiness"] * 4 + ["anger"], logits, data_labels=LABELS[:2])
    prior = a.log_prior({"prior": PRIOR}, LABELS)
    found = a.sweep(predictions, prior)
    assert (found[0.0]["accuracy"], found[0.0]["balanced_accuracy"]) == (0.8, 0.5)
    # 0.3 + 0.7 / 0.3 over 0.3 + 0.7 / 2.4 is 4.45, and e^1.5 is 4.48
    assert found[0.7]["recall"] == {"anger": 0.0, "happiness": 1.0}
    assert found[0.75]["recall"] == {"anger": 1.0, "happiness": 1.0}
    assert found[1.0]["accuracy"] == 1.0
    balance, error = a.proposed(found, predictions, prior)
    assert (balance, error) == (0.75, 0.0)  # at the best all are right in every resample


def test_what_training_or_release_put_on_the_logits():
    record = {"prior": PRIOR, "recipe": {"logit_adjustment": 0.5}}
    assert a.trained_tau(record) == 0.5 and a.trained_tau({"prior": PRIOR}) == 0.0
    of = a.on_logits({"training": record}, LABELS)
    assert of == pytest.approx({k: -0.5 * math.log(v) for k, v in PRIOR.items()})
    of = a.on_logits({"training": record, "balance": 1.0}, LABELS)  # in place of training's
    assert of == pytest.approx({k: -math.log(3 * v) for k, v in PRIOR.items()})
    of = a.on_logits({"training": record, "logit_adjustment": 0.25}, LABELS)  # earlier releases
    assert of == pytest.approx({k: -0.25 * math.log(v) for k, v in PRIOR.items()})
    assert a.on_logits({}, LABELS) == dict.fromkeys(LABELS, 0.0)
    with pytest.raises(WeightsError, match="training prior: nothing of anger"):
        a.on_logits({"balance": 0.5}, LABELS)
    plain = make_table(["anger"], [[0.0, 3, 0]])
    back = a.adjusted(a.adjusted(plain, of), of, -1)
    assert np.allclose(back.filter(like="logit_"), plain.filter(like="logit_"))


def test_a_label_that_was_never_seen_has_no_prior():
    with pytest.raises(
        WeightsError, match="nothing of surprise; expected a share above 0 for each of anger"
    ):
        a.log_prior({"prior": {**PRIOR, "surprise": 0.0}}, LABELS)
    with pytest.raises(WeightsError, match="nothing of anger, happiness, surprise"):
        a.log_prior({}, LABELS)


def test_the_command_reports_every_balance_and_the_summary_reads_it(save_weights, tmp_path):
    labels = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    training = {"data": "fer2013", "protocol": "public", "split": "public",
                "prior": dict.fromkeys(labels, 1 / 7)}  # fmt: skip
    folder = save_weights("w", training, labels)
    out = tmp_path / "reports" / "public"

    def report(weights):
        a.main(["--weights", str(weights), "--data", str(faces_csv(tmp_path)), "--out", str(out)])
        return json.loads((out / a.REPORT_FILE).read_text())

    even = report(folder)
    # An even prior changes no answer, so the least balance is as good as any.
    assert even["balance"] == 0.0 and len(even["balances"]) == 21
    summary = collect(tmp_path / "reports")
    values = {summary[f"fer2013.public.fer_cbam_paper.balance_{b}.accuracy"]["value"]
              for b in (0, 25, 50, 75, 100)}  # fmt: skip
    assert values == {even["balances"]["0"]["accuracy"]}

    # Weights that are released are weighed as the run that they came from.
    uneven = training | {"prior": dict(zip(labels, (0.1, 0.02, 0.08, 0.3, 0.3, 0.1, 0.1),
                                           strict=True))}  # fmt: skip
    run = save_weights("run", uneven, labels)
    loaded = hub.load_model(run)
    answer_for(loaded, 0.6)
    released = hub.save_model(loaded.model, tmp_path / "released", labels,
                              {"training": uneven, "balance": 0.6})  # fmt: skip
    assert report(released)["balances"] == report(run)["balances"]


def test_the_least_balance_within_one_standard_error_of_the_best():
    rng = np.random.default_rng(0)
    margins = np.concatenate([rng.uniform(0.1, 1.9, 40), np.full(200, 4.0)])  # happy over angry
    targets = ["anger"] * 40 + ["happiness"] * 200
    logits = np.column_stack([np.zeros(240), margins, np.full(240, -9.0)])
    predictions = make_table(targets, logits, data_labels=LABELS[:2])
    prior = a.log_prior({"prior": PRIOR}, LABELS)
    found = a.sweep(predictions, prior)
    least, error = a.proposed(found, predictions, prior)
    best = max(map(a.worth, found.values()))
    assert a.worth(found[least]) >= best - error
    assert all(a.worth(found[other]) < best - error for other in found if other < least)
    # The error against resamples drawn face by face.
    shift = a.balance_shift(prior, max(found, key=lambda b: a.worth(found[b])))
    s = a.scored(a.adjusted(predictions, shift))
    draws = [rng.integers(0, 240, 240) for _ in range(4000)]
    worths = []
    for drawn in draws:
        right, of = s.correct[drawn], s.targets[drawn]
        balanced = np.mean([right[of == k].mean() for k in (0, 1)])
        worths.append((right.mean() + balanced) / 2)
    assert error == pytest.approx(np.std(worths), rel=0.1)
