"""The section on confidence against what can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from eval import nonfaces
from eval.predict import read
from eval.table import decision_values, scored
from eval.trust import confidence
from eval.trust.page import find
from fer_cbam.decide import Decision, softmax
from tests.eval.conftest import LABELS


@pytest.fixture
def measured(subject):
    """Weights that refuse some pictures, votes for their labels, and the records."""
    _, embedding = read(subject.backend, subject.crops)
    probe = {"weights": [1.0] + [0.0] * (embedding.shape[1] - 1),
             "bias": -float(np.sort(embedding[:, 0])[3])}  # fmt: skip
    subject.backend.config.update(
        decision={"shift": {"anger": 0.4}}, temperature=0.8, bias={"anger": -0.1},
        vote_temperature=2.0, face_probe=probe,
    )  # fmt: skip
    decision = Decision.of(subject.backend.config, LABELS)
    subject.table.attrs["decisions"] = {"public": decision_values(decision)}
    votes = np.zeros((18, 10), np.int64)
    votes[:, [1, 2, 4, 8]] = np.random.default_rng(0).multinomial(10, [0.5, 0.2, 0.2, 0.1], 18)
    subject = replace(subject, votes=votes)
    return subject, confidence.measure(subject)


def test_answers(measured):
    subject, records = measured
    logits = subject.table.filter(like="logit_").to_numpy(np.float64)
    probs = softmax(logits / 0.8 - [0.1, 0, 0])
    said = (np.log(probs) + np.array([0.4, 0, 0])).argmax(1)
    sure, right = probs[np.arange(18), said], said == subject.targets
    own = {"condition": "as it answers", "n": 18}
    assert find(records, metric="accuracy", **own)["value"] == right.mean()
    assert find(records, metric="surest_100", **own)["value"] == right.mean()
    top = np.argsort(-sure, kind="stable")[:9]
    assert find(records, metric="surest_50", **own)["value"] == right[top].mean()
    gaps = {k: (sure - right)[said == k] for k in np.unique(said)}
    for k, gap in gaps.items():
        record = find(records, metric="said_gap", group=LABELS[k])
        assert (record["value"], record["n"]) == (pytest.approx(gap.mean()), len(gap))
    weighted = sum(abs(gap.sum()) for gap in gaps.values()) / 18
    assert find(records, metric="said_gap", **own)["value"] == pytest.approx(weighted)
    shown = [r for r in records if r["metric"] == "bin_accuracy"]
    assert sum(r["n"] for r in shown) == 18
    assert sum(r["n"] * r["mean"] for r in shown) == pytest.approx(sure.sum())
    perfect = find(records, metric="perfect_ece", **own)
    assert 0 < perfect["value"] < perfect["high"]


def test_votes(measured):
    subject, records = measured
    logits = subject.table.filter(like="logit_").to_numpy(np.float64)
    shares = subject.votes[:, [4, 1, 2]] / subject.votes[:, [4, 1, 2]].sum(1, keepdims=True)
    expected = -(shares * np.log(softmax(logits / 2.0))).sum(1).mean()
    found = find(records, metric="vote_cross_entropy", condition=None)
    assert found["value"] == pytest.approx(expected)
    assert find(records, metric="vote_cross_entropy", condition="one voter")["value"] > 0


def test_what_is_no_face(measured):
    subject, records = measured
    assert find(records, metric="faces_lost")["value"] == 3 / 18
    logits, _ = read(subject.backend, subject.crops)
    least = np.quantile(logsumexp(logits, axis=1), 3 / 18)
    pictures = nonfaces.made("tiles", 20, subject.crops, 1)
    logits, embedding = read(subject.backend, pictures)
    expected = subject.decision.is_face(embedding, 20).mean()
    assert find(records, metric="answered", condition="tiles")["value"] == expected
    by_energy = (logsumexp(logits, axis=1) >= least).mean()
    found = find(records, metric="answered_by_energy", condition="tiles")
    assert found["value"] == pytest.approx(by_energy)
    of_all = [find(records, metric="answered", condition=k)["value"] for k in nonfaces.UNSEEN]
    together = find(records, metric="answered", condition="unseen kinds")
    assert together["value"] == pytest.approx(np.mean(of_all)) and together["n"] == 80


def test_cross_fitted_only_where_these_faces_chose_the_values(measured, monkeypatch):
    subject, records = measured
    assert find(records, condition="cross-fitted") is None
    asked = []

    def cross_fitted(faces):
        asked.append(len(faces.targets))
        return np.tile([0.7, 0.2, 0.1], (18, 1)), np.zeros(18, np.int64)

    monkeypatch.setattr(confidence, "cross_fitted", cross_fitted)
    subject.backend.config["training"]["data"] = subject.data
    assert set(confidence.sides(subject)) == {"as it answers"}  # quick: too few to choose by
    whole = confidence.sides(replace(subject, quick=False))
    assert asked == [18] and list(whole) == ["as it answers", "cross-fitted"]
    held = confidence.numbers(whole["cross-fitted"])
    right = (subject.targets == 0).mean()
    assert held["accuracy"] == right and held["ece"] == pytest.approx(abs(0.7 - right))
    assert confidence.numbers(scored(subject.table)) == confidence.numbers(whole["as it answers"])


def test_the_page_says_it_all(measured):
    _, records = measured
    text = confidence.html(records)
    for expected in ("as it answers", "ECE of a perfect network", "one voter", "unseen kinds",
                     "data:image/png;base64,", "0.167 of the faces"):  # fmt: skip
        assert expected in text
    assert "cross-fitted" not in text
