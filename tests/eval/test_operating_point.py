"""Which label is said: rules that hold in every case, and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from eval import operating_point as o
from fer_cbam.decide import Decision

LABELS = ("contempt", "happiness", "neutral")
PRIOR = np.array([0.04, 0.36, 0.6])


def world(seed: int = 0, n: int = 1500, rare: float = 1.0):
    """Faces of one feature vector each, and the posterior of who knows how they are made.

    rare: how well contempt can be told.
    """
    rng = np.random.default_rng(seed)
    targets = rng.choice(3, n, p=PRIOR)
    centres = np.array([[0.0, 1.5 * rare], [2.0, 0], [0, 0]])
    x = centres[targets] + rng.normal(size=(n, 2))
    likelihood = np.exp(-((x[:, None] - centres) ** 2).sum(2) / 2) * PRIOR
    return likelihood / likelihood.sum(1, keepdims=True), targets


def test_wilson_is_where_the_score_test_just_rejects():
    for right, n, z in ((3, 10, 1.0), (10, 10, 1.0), (0, 4, 1.645), (40, 100, 2.0)):
        p = float(o.wilson_lower(right, n, z))
        if right:
            assert right / n - p == pytest.approx(z * np.sqrt(p * (1 - p) / n))
        else:
            assert p == pytest.approx(0, abs=1e-12)
    assert o.wilson_lower(0, 0) == 0


@pytest.mark.parametrize("rare", [0.0, 1.0, 2.0])
def test_no_label_is_said_that_is_right_less_often_than_asked(rare):
    probs, targets = world(rare=rare)
    logs = np.log(probs)
    lift = o.honest(logs, targets, np.array([4.0, 0.0, 0.0]))
    said = (logs + lift).argmax(1)
    for label in np.unique(said):
        hits = targets[said == label] == label
        assert len(hits) >= 5 and hits.mean() > 1 / 3
    assert list(lift[1:]) == [0, 0]  # these are, and stay
    if rare == 0:
        assert lift[0] == -np.inf  # nobody can tell it
    if rare == 2:
        assert np.isfinite(lift[0]) and lift[0] < 4.0
        one_step_more = (logs + lift + [o.STEP, 0, 0]).argmax(1) == 0
        hits = (targets[one_step_more] == 0).sum()
        assert o.wilson_lower(hits, one_step_more.sum()) < 1 / 3


def test_a_label_that_is_hardly_ever_said_is_silent():
    probs = np.array([[0.9, 0.05, 0.05]] * 4 + [[0.1, 0.2, 0.7]] * 50)
    targets = np.array([0] * 4 + [2] * 50)
    assert list(o.honest(np.log(probs), targets, np.zeros(3))) == [-np.inf, -np.inf, 0]


def test_the_mean_is_that_of_scikit_learn():
    _, targets = world()
    said = np.random.default_rng(1).integers(0, 3, len(targets))
    found = o.weighed(said, targets, 3, 0.3)
    expected = 0.7 * accuracy_score(targets, said) + 0.3 * balanced_accuracy_score(targets, said)
    assert found == pytest.approx(expected)


def test_a_point_is_what_its_numbers_give():
    """The same labels as :class:`Decision` says by them."""
    probs, targets = world(rare=2.0)
    prior = dict(zip(LABELS, PRIOR, strict=True))
    for point in o.points(probs, targets, LABELS, PRIOR, 0.5, (0.0, 0.5, 1.0), (0.0, -1.0)):
        decision = Decision.of({"decision": point.values(), "prior": prior}, LABELS)
        np.testing.assert_array_equal(decision.said(probs), point.said)
        assert point.mean == o.weighed(point.said, targets, 3, 0.5)


def test_of_equally_good_points_the_one_that_says_neutral_least():
    probs, targets = world(rare=2.0)
    found = list(o.points(probs, targets, LABELS, PRIOR, 0.5))
    chosen = o.choose(probs, targets, LABELS, PRIOR, 0.5)
    best = max(found, key=lambda p: p.mean)
    error = o.standard_error(best.said, targets, 3, 0.5)
    assert best.mean - error <= chosen.mean <= best.mean
    heard = (chosen.said == 2).mean()
    assert heard >= 1 / 3
    for point in found:
        if point.mean >= best.mean - error and (point.said == 2).mean() >= 1 / 3:
            assert (point.said == 2).mean() >= heard
    assert heard < (best.said == 2).mean()


def test_the_standard_error_is_that_of_a_share():
    _, targets = world()
    said = np.where(np.arange(len(targets)) % 4, targets, 2 - targets)
    right = (said == targets).mean()
    expected = np.sqrt(right * (1 - right) / len(said))
    assert o.standard_error(said, targets, 3, 0.0) == pytest.approx(expected, rel=0.15)


def test_without_neutral_the_best():
    probs, targets = world(rare=2.0)
    labels = ("contempt", "happiness", "sadness")
    chosen = o.choose(probs, targets, labels, PRIOR, 0.5)
    found = list(o.points(probs, targets, labels, PRIOR, 0.5))
    assert len(found) == len(o.BALANCES)
    assert chosen.mean == max(p.mean for p in found)
