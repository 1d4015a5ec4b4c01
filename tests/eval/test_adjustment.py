"""Taking the log prior off: cases whose answer is known, and what the command writes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eval import adjustment as a
from eval.summary import collect
from fer_cbam.errors import WeightsError
from tests.eval.conftest import LABELS, make_table
from tests.eval.test_calibrate import faces_csv

PRIOR = {"anger": 0.1, "happiness": 0.8, "surprise": 0.1}


def test_at_1_a_network_that_knows_the_prior_alone_answers_all_alike():
    log_prior = a.log_prior({"prior": PRIOR}, LABELS)
    logits = [[math.log(PRIOR[label]) for label in LABELS]]
    changed = a.adjusted(make_table(["anger"], logits), log_prior, 1.0)
    assert np.allclose(changed[["logit_anger", "logit_happiness", "logit_surprise"]], 0)
    assert changed.attrs["data"] == "tiny"


def test_rates_against_a_hand_computed_case():
    """Four happy faces, clearly; one angry one, taken for happy by a margin below log 8."""
    logits = [[0, 3, 0]] * 4 + [[0, 1.5, 0]]
    predictions = make_table(["happiness"] * 4 + ["anger"], logits, data_labels=LABELS[:2])
    found = a.sweep(predictions, a.log_prior({"prior": PRIOR}, LABELS))
    assert (found[0.0]["accuracy"], found[0.0]["balanced_accuracy"]) == (0.8, 0.5)
    assert found[0.7]["recall"] == {"anger": 0.0, "happiness": 1.0}  # 0.7 log 8 = 1.46
    assert found[0.75]["recall"] == {"anger": 1.0, "happiness": 1.0}
    assert found[1.0]["accuracy"] == 1.0
    tau, error = a.proposed(found, predictions, a.log_prior({"prior": PRIOR}, LABELS))
    assert (tau, error) == (0.75, 0.0)  # at the best tau all are right in every resample


def test_a_share_that_was_trained_for_counts_in():
    shift = a.log_prior({"prior": PRIOR}, LABELS)
    logits = np.array([[0, 3, 0]] * 4 + [[0, 1.5, 0]])
    targets = ["happiness"] * 4 + ["anger"]
    plain = make_table(targets, logits, data_labels=LABELS[:2])
    half_off = logits - 0.5 * np.array([shift[label] for label in LABELS])
    trained = make_table(targets, half_off, data_labels=LABELS[:2])
    record = {"prior": PRIOR, "recipe": {"logit_adjustment": 0.5}}
    assert a.trained_tau(record) == 0.5 and a.trained_tau({"prior": PRIOR}) == 0.0
    found = a.sweep(trained, shift, a.trained_tau(record))
    assert found == a.sweep(plain, shift)
    assert a.proposed(found, trained, shift, 0.5) == a.proposed(found, plain, shift)


def test_a_label_that_was_never_seen_has_no_prior():
    with pytest.raises(
        WeightsError, match="nothing of surprise; expected a share above 0 for each of anger"
    ):
        a.log_prior({"prior": {**PRIOR, "surprise": 0.0}}, LABELS)
    with pytest.raises(WeightsError, match="nothing of anger, happiness, surprise"):
        a.log_prior({}, LABELS)


def test_the_command_reports_every_tau_and_the_summary_reads_it(save_weights, tmp_path):
    labels = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    training = {"data": "fer2013", "protocol": "public", "split": "public",
                "prior": dict.fromkeys(labels, 1 / 7)}  # fmt: skip
    folder = save_weights("w", training, labels)
    out = tmp_path / "reports" / "public"
    a.main(["--weights", str(folder), "--data", str(faces_csv(tmp_path)), "--out", str(out)])
    report = json.loads((out / a.REPORT_FILE).read_text())
    # An even prior changes no answer, so the least tau is as good as any.
    assert report["tau"] == 0.0 and len(report["taus"]) == 21
    summary = collect(tmp_path / "reports")
    values = {summary[f"fer2013.public.fer_cbam_paper.tau_{t}.accuracy"]["value"]
              for t in (0, 25, 50, 75, 100)}  # fmt: skip
    assert values == {report["taus"]["0"]["accuracy"]}

    adjusted = save_weights("adjusted", training, labels, logit_adjustment=0.5)
    with pytest.raises(SystemExit, match="adjusted already; expected the run it came from"):
        a.main(["--weights", str(adjusted), "--data", str(faces_csv(tmp_path)),
                "--out", str(out)])  # fmt: skip


def test_the_least_tau_within_one_standard_error_of_the_best():
    rng = np.random.default_rng(0)
    margins = np.concatenate([rng.uniform(0.1, 1.9, 40), np.full(200, 4.0)])  # happy over angry
    targets = ["anger"] * 40 + ["happiness"] * 200
    logits = np.column_stack([np.zeros(240), margins, np.full(240, -9.0)])
    predictions = make_table(targets, logits, data_labels=LABELS[:2])
    shift = a.log_prior({"prior": PRIOR}, LABELS)
    found = a.sweep(predictions, shift)
    tau, error = a.proposed(found, predictions, shift)
    best = max(map(a.worth, found.values()))
    assert a.worth(found[tau]) >= best - error
    assert all(a.worth(found[other]) < best - error for other in found if other < tau)
    # The error against resamples drawn face by face.
    s = a.scored(a.adjusted(predictions, shift, max(found, key=lambda t: a.worth(found[t]))))
    draws = [rng.integers(0, 240, 240) for _ in range(4000)]
    worths = []
    for drawn in draws:
        right, of = s.correct[drawn], s.targets[drawn]
        balanced = np.mean([right[of == k].mean() for k in (0, 1)])
        worths.append((right.mean() + balanced) / 2)
    assert error == pytest.approx(np.std(worths), rel=0.1)
