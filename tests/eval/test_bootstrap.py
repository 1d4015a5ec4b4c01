from __future__ import annotations

import numpy as np
from scipy.stats import binom

from eval import bootstrap as b
from tests.eval.conftest import make_table


def share_right(table, weights):
    """Accuracy of a table whose logits say 'anger' for what is right."""
    right = (table["logit_anger"] > 0).to_numpy(float)
    return right @ weights / weights.sum(0)


def right_table(right, subjects=None):
    logits = np.zeros((len(right), 3))
    logits[:, 0] = np.where(right, 1, -1)
    return make_table(["anger"] * len(right), logits, subjects=subjects)


def test_interval_over_images_is_the_binomial_one():
    low, high = b.bootstrap(right_table(np.arange(200) < 160), share_right, n=4000)
    expected = np.array([binom.ppf(q, 200, 0.8) for q in (0.025, 0.975)]) / 200
    np.testing.assert_allclose((low, high), expected, atol=0.005)


def test_people_are_drawn_whole():
    # 20 people with 10 images each, all right or all wrong: the variance of 20 draws, not of 200.
    subjects = [f"S{i // 10}" for i in range(200)]
    table = right_table(np.arange(200) < 160, subjects)
    low, high = b.bootstrap(table, share_right, n=4000)
    expected = np.array([binom.ppf(q, 20, 0.8) for q in (0.025, 0.975)]) / 20
    np.testing.assert_allclose((low, high), expected, atol=1e-9)


def test_units():
    table = right_table([True] * 4, ["S1", None, "S1", None])
    table["sample_id"] = ["a", "b", "c", "b"]
    unit = b.units(table)
    assert unit[0] == unit[2]
    assert unit[1] == unit[3]
    assert unit[0] != unit[1]


def test_every_draw_has_as_many_units_as_there_are():
    unit = np.array([0, 0, 1, 2])
    counts = b.resample(unit, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(counts[0], counts[1])
    np.testing.assert_array_equal(counts[1:].sum(0), np.full(50, 3))


def test_the_same_seed_gives_the_same_interval_in_any_chunks(monkeypatch):
    table = right_table(np.arange(40) % 3 > 0)
    whole = b.bootstrap(table, share_right, n=101)
    monkeypatch.setattr(b, "CHUNK", 40 * 7)
    assert b.bootstrap(table, share_right, n=101) == whole
    assert b.bootstrap(table, share_right, n=101, seed=1) != whole


def test_several_metrics_and_one_without_a_value():
    table = right_table(np.arange(40) % 4 > 0)

    def both(table, weights):
        value = share_right(table, weights)
        return np.stack([value, 1 - value, np.full_like(value, np.nan)], axis=-1)

    low, high = b.bootstrap(table, both, n=200)
    np.testing.assert_allclose(low[0], 1 - high[1])
    np.testing.assert_allclose(high[0], 1 - low[1])
    assert np.isnan([low[2], high[2]]).all()
