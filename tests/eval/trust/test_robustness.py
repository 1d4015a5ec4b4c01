"""The section on robustness: its records against the answers that they are made from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.predict import predict_logits
from eval.robustness.corruptions import corrupt, levels
from eval.studies.baselines import hog
from eval.trust import robustness
from eval.trust.page import find
from fer_cbam.decide import softmax

FEW = ("noise", "contrast", "lower_half_masked")


@pytest.fixture
def measured(subject, tiny, monkeypatch):
    few = {name: levels()[name] for name in FEW}
    monkeypatch.setattr(robustness, "levels", lambda: few)
    train = [s for s in tiny.samples if s.split == "Training"]
    whole = replace(subject, train=train)
    return whole, robustness.measure(whole)


def test_accuracy_confidence_and_error_are_those_of_the_spoilt_crops(measured):
    subject, records = measured
    names = np.array(subject.backend.label_names)
    labels = np.array([s.label for s in subject.samples])
    ids = [s.sample_id for s in subject.samples]

    def asked(crops):
        logits = predict_logits(subject.backend, crops)
        probs = softmax(logits / subject.decision.temperature)
        return names[logits.argmax(1)] == labels, probs.max(1)

    clean, sure = asked(subject.crops)
    own = {"weights": "w", "n": 18}
    assert find(records, condition="clean", metric="accuracy", **own)["value"] == clean.mean()
    assert find(records, condition="clean", metric="confidence")["value"] == pytest.approx(
        sure.mean()
    )
    hits = [asked(corrupt(subject.crops, ids, "noise", level))[0] for level in (1, 3, 5)]
    assert find(records, condition="noise 3", metric="accuracy", **own)["value"] == hits[1].mean()
    error = find(records, condition="noise", metric="corruption_error", **own)
    assert error["value"] == pytest.approx(1 - np.mean(hits))
    assert error["low"] <= error["value"] <= error["high"]
    relative = find(records, condition="noise", metric="relative_accuracy", **own)
    assert relative["value"] == pytest.approx(np.mean(hits) / clean.mean())
    errors = {c: find(records, condition=c, metric="corruption_error", **own)["value"]
              for c in (*FEW, "all corruptions")}  # fmt: skip
    assert errors.pop("all corruptions") == pytest.approx(np.mean(list(errors.values())))


def test_the_svm_sees_the_same_crops(measured):
    from sklearn.svm import LinearSVC

    subject, records = measured
    train = np.stack([s.pixels for s in subject.train])
    svm = LinearSVC(C=1.0).fit(hog(train), [s.label for s in subject.train])
    labels = np.array([s.label for s in subject.samples])
    ids = [s.sample_id for s in subject.samples]
    spoilt = np.stack(corrupt(subject.crops, ids, "contrast", 5))
    expected = (svm.predict(hog(spoilt)) == labels).mean()
    found = find(records, condition="contrast 5", metric="hog_svm_accuracy")
    assert found["value"] == pytest.approx(expected, abs=0.06)  # drawn in another order
    assert find(records, metric="hog_svm_confidence") is None
    ratios = [
        find(records, weights="w", condition=c, metric="corruption_error")["value"]
        / find(records, condition=c, metric="hog_svm_corruption_error")["value"]
        for c in FEW
    ]
    assert find(records, metric="mce")["value"] == pytest.approx(np.mean(ratios))


def test_quick_leaves_levels_out_and_whole_does_not(measured):
    subject, records = measured
    assert find(records, condition="noise 2") is None
    whole = robustness.measure(replace(subject, quick=False, train=()))
    assert find(whole, condition="noise 2", metric="accuracy") is not None
    assert find(whole, metric="hog_svm_accuracy") is None and find(whole, metric="mce") is None


def test_the_same_twice_and_the_page(measured):
    subject, records = measured
    assert robustness.measure(subject) == records
    text = robustness.html(records)
    assert "lower half masked" in text and "mCE" in text and "18 faces" in text
    assert text.count("<tr>") == len(FEW) + 2
    alone = [r for r in records if r["metric"] != "mce"]
    assert "of HOG + SVM:" in text and "of HOG + SVM:" not in robustness.html(alone)
