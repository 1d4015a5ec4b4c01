"""Every metric against scikit-learn to 1e-9, or against a case worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from eval import metrics as m
from eval.report import measure
from eval.table import Scored
from fer_cbam.decide import softmax
from fer_cbam.errors import DataError

EXACT = {"rtol": 0, "atol": 1e-9}
K = 5


def case(name: str) -> Scored:
    """Random predictions with the difficulty that the name says."""
    rng = np.random.default_rng(3)
    targets = rng.integers(0, K, 211)
    outside = 2 if name == "outside" else 0
    if name == "absent":
        targets[targets == 2] = 4
    probs = softmax(rng.normal(size=(211, K + outside)) + 1.5 * np.eye(K + outside)[targets])
    if name == "ties":
        probs = np.round(probs, 1) + 0.01
        probs /= probs.sum(1, keepdims=True)
    if name == "never predicted":
        probs[:, 1] = 0
        probs /= probs.sum(1, keepdims=True)
    labels = tuple("abcdefg"[: K + outside])
    raw = np.sqrt(probs) / np.sqrt(probs).sum(1, keepdims=True)
    twin = rng.random(211) < 0.3
    return Scored(labels, K, targets, probs.argmax(1), probs, raw, probs.max(1) > 0.5, twin)


@pytest.fixture(params=["plain", "absent", "ties", "never predicted", "outside"])
def s(request) -> Scored:
    return case(request.param)


def test_count_metrics(s):
    got = measure(s)
    present = sorted(set(s.targets))
    for average in ("macro", "weighted"):
        expected = sk.precision_recall_fscore_support(
            s.targets, s.preds, labels=present, average=average, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            np.testing.assert_allclose(got[f"{average}_{name}"], value, **EXACT)
    np.testing.assert_allclose(got["accuracy"], sk.accuracy_score(s.targets, s.preds), **EXACT)
    balanced = sk.recall_score(s.targets, s.preds, labels=present, average="macro")
    np.testing.assert_allclose(got["balanced_accuracy"], balanced, **EXACT)


def test_balanced_accuracy_is_that_of_scikit_learn():
    s = case("plain")
    expected = sk.balanced_accuracy_score(s.targets, s.preds)
    np.testing.assert_allclose(measure(s)["balanced_accuracy"], expected, **EXACT)


def test_per_class_metrics(s):
    got = measure(s)
    expected = sk.precision_recall_fscore_support(
        s.targets, s.preds, labels=range(K), zero_division=0
    )
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        for c in range(K):
            value = values[c] if (s.targets == c).any() else np.nan
            np.testing.assert_allclose(got[f"{name}_{s.label_names[c]}"], value, **EXACT)


def test_ranking_metrics(s):
    got = measure(s)
    aucs, aps = [], []
    for c in sorted(set(s.targets)):
        aucs.append(sk.roc_auc_score(s.targets == c, s.probs[:, c]))
        aps.append(sk.average_precision_score(s.targets == c, s.probs[:, c]))
        np.testing.assert_allclose(got[f"auc_{s.label_names[c]}"], aucs[-1], **EXACT)
        np.testing.assert_allclose(got[f"ap_{s.label_names[c]}"], aps[-1], **EXACT)
    np.testing.assert_allclose(got["macro_auc"], np.mean(aucs), **EXACT)
    np.testing.assert_allclose(got["macro_ap"], np.mean(aps), **EXACT)
    for c in set(range(K)) - set(s.targets):
        assert np.isnan(got[f"auc_{s.label_names[c]}"])
        assert np.isnan(got[f"ap_{s.label_names[c]}"])


def test_log_loss(s):
    expected = sk.log_loss(s.targets, s.probs, labels=range(s.probs.shape[1]))
    np.testing.assert_allclose(measure(s)["log_loss"], expected, **EXACT)


def test_brier():
    # One sample, target 0: (0.6 - 1)^2 + 0.3^2 + 0.1^2 = 0.26; the other is perfect.
    probs = np.array([[0.6, 0.3, 0.1], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(m.brier(np.array([0, 1]), probs), 0.13, **EXACT)
    s = case("plain")
    binary = [sk.brier_score_loss(s.targets == c, s.probs[:, c]) for c in range(K)]
    np.testing.assert_allclose(measure(s)["brier"], sum(binary), **EXACT)


def test_ece_by_hand():
    # Bins of 0.2: two samples in (0.8, 1] with mean confidence 0.9, one of them right: gap 0.4;
    # one at exactly 0.6, which belongs to (0.4, 0.6], and is right: gap 0.4; one at 0.7, wrong: gap
    # 0.7. Weighted by 2, 1 and 1 of 4 samples.
    confidence = np.array([0.85, 0.95, 0.6, 0.7])
    correct = np.array([True, False, True, False])
    expected = 0.5 * 0.4 + 0.25 * 0.4 + 0.25 * 0.7
    np.testing.assert_allclose(m.ece(confidence, correct, bins=5), expected, **EXACT)
    # Perfectly calibrated: 4 samples at 0.75, 3 of them right.
    right = np.array([True, True, True, False])
    np.testing.assert_allclose(m.ece(np.full(4, 0.75), right), 0, **EXACT)
    np.testing.assert_allclose(m.ece(np.ones(2), np.array([True, True])), 0, **EXACT)


def test_coverage_and_accuracy_of_answers():
    correct = np.array([True, True, False, False])
    answered = np.array([True, False, True, False])
    weights = np.array([[1.0, 3.0], [1, 0], [1, 1], [1, 0]])
    assert m.coverage(answered) == 0.5
    np.testing.assert_allclose(m.coverage(answered, weights), [0.5, 1.0])
    np.testing.assert_allclose(m.selective_accuracy(correct, answered, weights), [0.5, 0.75])
    assert np.isnan(m.selective_accuracy(correct, np.zeros(4, bool)))


def test_reliability_is_that_of_scikit_learn_and_sums_to_the_ece():
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    correct = rng.random(500) < confidence**2
    count, mean, hits = m.reliability_bins(confidence, correct)
    expected = calibration_curve(correct, confidence, n_bins=m.ECE_BINS)
    np.testing.assert_allclose(hits, expected[0])
    np.testing.assert_allclose(mean, expected[1])
    gap = (count * np.abs(hits - mean)).sum() / 500
    assert gap == pytest.approx(m.ece(confidence, correct))


def test_bins_by_hand():
    """Bins ((b - 1) / 4, b / 4]: an edge belongs to the bin below it, and 0 to the first."""
    confidence = np.array([0.0, 0.25, 0.26, 1.0, 0.9])
    np.testing.assert_array_equal(m.confidence_bins(confidence, bins=4), [0, 0, 1, 3, 3])
    correct = np.array([True, False, True, True, False])
    count, mean, hits = m.reliability_bins(confidence, correct, bins=4)
    np.testing.assert_array_equal(count, [2, 1, 0, 2])
    np.testing.assert_allclose(mean, [0.125, 0.26, np.nan, 0.95])
    np.testing.assert_allclose(hits, [0.5, 1, np.nan, 0.5])


def test_confusion_matrix_has_a_column_for_what_is_no_class():
    matrix = m.confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 3, 1, -1]), 2)
    np.testing.assert_array_equal(matrix, [[1, 0, 1], [0, 1, 1]])
    assert m.accuracy(matrix) == 0.5
    np.testing.assert_array_equal(m.precision(matrix), [1, 1])
    np.testing.assert_array_equal(m.recall(matrix), [0.5, 0.5])


@pytest.mark.parametrize("targets", [[], [0, 2], [-1]])
def test_targets_outside_the_classes_are_errors(targets):
    with pytest.raises(DataError, match=r"expected at least one, all in 0\.\.1"):
        m.confusion_matrix(np.array(targets, int), np.zeros(len(targets), int), 2)


def test_weights_are_repeated_rows(s):
    rng = np.random.default_rng(5)
    weights = rng.integers(0, 4, (len(s.targets), 6)).astype(float)
    got = measure(s, weights)
    for r in range(weights.shape[1]):
        index = np.repeat(np.arange(len(s.targets)), weights[:, r].astype(int))
        arrays = (s.targets, s.preds, s.probs, s.raw_probs, s.answered, s.twin)
        repeated = Scored(s.label_names, K, *(array[index] for array in arrays))
        for name, value in measure(repeated).items():
            np.testing.assert_allclose(got[name][r], value, err_msg=name, **EXACT)


def test_a_class_that_a_resample_lacks_does_not_enter_its_means():
    s = case("plain")
    weights = np.ones((len(s.targets), 2))
    weights[s.targets == 1, 1] = 0
    got = measure(s, weights)
    assert np.isnan(got["recall_b"][1])
    assert not np.isnan(got["recall_b"][0])
    rest = [got[f"recall_{c}"][1] for c in "acde"]
    np.testing.assert_allclose(got["balanced_accuracy"][1], np.mean(rest), **EXACT)


def test_curves_are_those_of_scikit_learn():
    s = case("ties")
    scores, positive = s.probs[:, 0], s.targets == 0
    false, true, _ = sk.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(m.roc_curve(scores, positive), (false, true), **EXACT)
    precision, recall, _ = sk.precision_recall_curve(positive, scores)
    got = m.precision_recall_curve(scores, positive)
    np.testing.assert_allclose(got, (precision[-2::-1], recall[-2::-1]), **EXACT)


def test_an_empty_resample_has_no_value():
    s = case("plain")
    weights = np.ones((len(s.targets), 2))
    weights[:, 1] = 0
    got = measure(s, weights)
    assert [name for name, value in got.items() if not np.isnan(value[1])] == []
    assert [name for name, value in got.items() if np.isnan(value[0])] == []


SURE = np.array([0.95, 0.9, 0.6, 0.6, 0.3, 0.2])
RIGHT = np.array([1, 1, 0, 1, 1, 0], bool)


def test_adaptive_ece_has_bins_of_equal_size():
    """Two to a bin, from the least sure: gaps 0.5 - 1, 1.2 - 1, 1.85 - 2."""
    assert m.adaptive_ece(SURE, RIGHT, bins=3) == pytest.approx((0.5 + 0.2 + 0.15) / 6)
    assert m.adaptive_ece(SURE, RIGHT, bins=1) == pytest.approx(abs(SURE.sum() - 4) / 6)


def test_a_perfect_network_shows_an_ece_too():
    """With one bin the ECE is the size of a mean of n draws: about sqrt(2 p (1 - p) / (pi n))."""
    sure = np.full(400, 0.8)
    mean, high = m.perfect_ece(sure, draws=4000)
    assert mean == pytest.approx(np.sqrt(2 * 0.8 * 0.2 / np.pi / 400), rel=0.05)
    assert high == pytest.approx(1.96 * np.sqrt(0.8 * 0.2 / 400), rel=0.05)
    assert m.perfect_ece(sure, 50, seed=1) == m.perfect_ece(sure, 50, seed=1)


def test_the_gap_of_what_is_said():
    preds = np.array([0, 0, 1, 1, 1, 3])
    gaps, said = m.said_gaps(preds, SURE, RIGHT, 4)
    np.testing.assert_allclose(gaps, [-0.075, 1.5 / 3 - 2 / 3, np.nan, 0.2])
    assert list(said) == [2, 3, 0, 1]
    assert m.said_gap(preds, SURE, RIGHT, 4) == pytest.approx((0.15 + 0.5 + 0.2) / 6)


def test_the_surest():
    assert m.surest(SURE, RIGHT, 0.5) == pytest.approx(2 / 3)
    assert m.surest(SURE, RIGHT, 1.0) == pytest.approx(4 / 6)
    assert m.surest(SURE, RIGHT, 0.01) == 1.0
    errors = [0, 0, 1 / 3, 1 / 4, 1 / 5, 2 / 6]
    assert m.area_under_risk_coverage(SURE, RIGHT) == pytest.approx(np.mean(errors))
