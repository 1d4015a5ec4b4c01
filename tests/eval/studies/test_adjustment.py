"""Answering for balanced accuracy: cases whose answer is known, and what the command writes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from eval.docs.records import load, select
from eval.studies import adjustment as a
from fer_cbam import hub
from fer_cbam.prior import balance_offset, log_prior
from tests.eval.conftest import LABELS, make_table
from tests.eval.test_calibrate import faces_csv
from train.release import answer_for

PRIOR = {"anger": 0.1, "happiness": 0.8, "surprise": 0.1}


def test_at_1_a_network_that_knows_the_prior_alone_answers_all_alike():
    prior = log_prior({"prior": PRIOR}, LABELS)
    logits = [[math.log(PRIOR[label]) for label in LABELS]]
    changed = a.adjusted(make_table(["anger"], logits), balance_offset(prior, 1.0))
    assert np.allclose(changed[["logit_anger", "logit_happiness", "logit_surprise"]], -np.log(3))
    assert changed.attrs["data"] == "tiny"


def test_rates_against_a_hand_computed_case():
    """Four happy faces, clearly; one angry one, taken for happy by a margin of 1.5."""
    logits = [[0, 3, 0]] * 4 + [[0, 1.5, 0]]
    predictions = make_table(["happiness"] * 4 + ["anger"], logits, data_labels=LABELS[:2])
    prior = log_prior({"prior": PRIOR}, LABELS)
    found = a.sweep(predictions, prior)
    assert (found[0.0]["accuracy"], found[0.0]["balanced_accuracy"]) == (0.8, 0.5)
    # 0.3 + 0.7 / 0.3 over 0.3 + 0.7 / 2.4 is 4.45, and e^1.5 is 4.48
    assert found[0.7]["recall"] == {"anger": 0.0, "happiness": 1.0}
    assert found[0.75]["recall"] == {"anger": 1.0, "happiness": 1.0}
    assert found[1.0]["accuracy"] == 1.0
    balance, error = a.proposed(found, predictions, prior)
    assert (balance, error) == (0.75, 0.0)  # at the best all are right in every resample


def test_taking_off_what_was_added_gives_the_first_table():
    plain = make_table(["anger"], [[0.0, 3, 0]])
    offset = {"anger": 0.5, "happiness": -1.0, "surprise": 2.0}
    back = a.adjusted(a.adjusted(plain, offset), offset, -1)
    assert np.allclose(back.filter(like="logit_"), plain.filter(like="logit_"))


def test_the_command_reports_every_balance(save_weights, tmp_path):
    labels = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    training = {"data": "fer2013", "protocol": "public", "split": "public",
                "prior": dict.fromkeys(labels, 1 / 7)}  # fmt: skip
    folder = save_weights("w", training, labels)
    out = tmp_path / "reports" / "public"

    def report(weights):
        a.main(["--weights", str(weights), "--data", str(faces_csv(tmp_path)), "--out", str(out)])
        return select(load(out), group=None)

    even = report(folder)
    # An even prior changes no answer, so the least balance is as good as any.
    assert list(select(even, metric="proposed_balance")["value"]) == [0.0]
    accuracies = select(even, metric="accuracy", weights="fer_cbam_paper.fer2013")
    assert list(accuracies["condition"]) == [f"balance {b:g}" for b in a.BALANCES]
    assert accuracies["value"].nunique() == 1
    recalls = select(load(out), metric="recall", group="fear")
    assert list(recalls["condition"]) == [f"balance {b:g}" for b in a.SHOWN]

    # Weights that are released are weighed as the run that they came from.
    uneven = training | {"prior": dict(zip(labels, (0.1, 0.02, 0.08, 0.3, 0.3, 0.1, 0.1),
                                           strict=True))}  # fmt: skip
    run = save_weights("run", uneven, labels)
    loaded = hub.load_model(run)
    answer_for(loaded, 0.6)
    released = hub.save_model(loaded.model, tmp_path / "released", labels,
                              {"training": uneven, "balance": 0.6})  # fmt: skip
    pd.testing.assert_frame_equal(
        report(released).drop(columns="command"), report(run).drop(columns="command")
    )


def test_the_least_balance_within_one_standard_error_of_the_best():
    rng = np.random.default_rng(0)
    margins = np.concatenate([rng.uniform(0.1, 1.9, 40), np.full(200, 4.0)])  # happy over angry
    targets = ["anger"] * 40 + ["happiness"] * 200
    logits = np.column_stack([np.zeros(240), margins, np.full(240, -9.0)])
    predictions = make_table(targets, logits, data_labels=LABELS[:2])
    prior = log_prior({"prior": PRIOR}, LABELS)
    found = a.sweep(predictions, prior)
    least, error = a.proposed(found, predictions, prior)
    best = max(map(a.mean_of_both, found.values()))
    assert a.mean_of_both(found[least]) >= best - error
    assert all(a.mean_of_both(found[other]) < best - error for other in found if other < least)
    # The error against resamples drawn face by face.
    offset = balance_offset(prior, max(found, key=lambda b: a.mean_of_both(found[b])))
    s = a.scored(a.adjusted(predictions, offset))
    draws = [rng.integers(0, 240, 240) for _ in range(4000)]
    worths = []
    for drawn in draws:
        right, of = s.correct[drawn], s.targets[drawn]
        balanced = np.mean([right[of == k].mean() for k in (0, 1)])
        worths.append((right.mean() + balanced) / 2)
    assert error == pytest.approx(np.std(worths), rel=0.1)
