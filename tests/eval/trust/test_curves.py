"""Curves and their areas, worked out by hand for a network that reads one half of the face."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc

from eval.trust.baselines import BASELINES, class_means
from eval.trust.curves import Curves, Judge, block_ranks, pixel_ranks
from eval.trust.fills import FILLS
from fer_cbam.decide import Decision


def test_areas_are_scikit_learn_s_and_aopc_is_the_mean_loss():
    rng = np.random.default_rng(0)
    curves = Curves(rng.random((3, 9)), rng.random((3, 9)))
    found, at = curves.scores, np.linspace(0, 1, 9)
    for i in range(3):
        down, up = auc(at, curves.deletion[i]), auc(at, curves.insertion[i])
        assert found["deletion_auc"][i] == pytest.approx(down)
        assert found["insertion_auc"][i] == pytest.approx(up)
        assert found["abpc"][i] == pytest.approx(up - down)
        loss = np.mean([curves.deletion[i, 0] - p for p in curves.deletion[i]])
        assert found["aopc"][i] == pytest.approx(loss)


def test_ranks_follow_the_map_and_ties_are_broken_at_random():
    maps = np.zeros((2, 12, 12), np.float32)
    maps[:, 3, 4], maps[:, 5, 5] = 2, 1
    ranks = pixel_ranks(maps, np.random.default_rng(0))
    assert ranks[0, 3, 4] == 0 and ranks[0, 5, 5] == pytest.approx(1 / 144)
    assert sorted(np.round(ranks[0].ravel() * 144)) == list(range(144))
    assert (ranks[0] != ranks[1]).mean() > 0.9
    assert abs(np.corrcoef(ranks[0].ravel(), np.arange(144))[0, 1]) < 0.3
    blocks = block_ranks(maps, np.random.default_rng(0))
    assert blocks[0, 2:4, 4:6].ravel() == pytest.approx([0] * 4)  # the block of pixel (3, 4)
    assert blocks[0, 4:6, 4:6].ravel() == pytest.approx([1 / 36] * 4)


def judge(fill: str = "mean") -> Judge:
    """Label 1 is for light in the left half of the upper half, which is all the light there is."""
    x = np.zeros((2, 1, 12, 12), np.float32)
    x[:, :, :6, :6] = 1

    def ask(faces):
        assert faces.dtype == np.float32
        return np.stack([np.zeros(len(faces)), 8 * faces[:, 0, :6, :6].mean((1, 2)) - 4], 1)

    return Judge(ask, x, np.array([1, 1]), FILLS[fill], np.zeros_like(x), Decision(("a", "b")))


def test_the_right_map_is_high_the_wrong_one_low_and_a_random_one_nought():
    right = judge().x[:, 0]
    ranks = pixel_ranks(right, np.random.default_rng(0))
    good, odds = (c.scores["abpc"][0] for c in judge().curves(ranks, 4))
    # Deletion in quarters: all light goes in the first. With a quarter of it left, -2 in logits.
    shown, gone = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(2))
    deletion = (shown + gone) / 2 / 4 + 3 * gone / 4
    insertion = (shown + gone) / 2 / 4 + 3 * shown / 4
    assert good == pytest.approx(insertion - deletion, abs=1e-6)
    assert odds == pytest.approx(6 * 3 / 4, abs=1e-6)  # from 4 to -2 in logits
    bad = judge().curves(pixel_ranks(-right, np.random.default_rng(0)), 4)[0].scores["abpc"][0]
    assert bad < -0.3
    rng = np.random.default_rng(3)
    drawn = [judge().curves(pixel_ranks(rng.random((2, 12, 12)), rng), 4)[0].scores["abpc"]
             for _ in range(60)]  # fmt: skip
    assert abs(np.mean(drawn)) < 0.05


def test_the_temperature_belongs_to_probabilities_alone():
    ranks = pixel_ranks(judge().x[:, 0], np.random.default_rng(0))
    hot = Judge(
        judge().ask,
        judge().x,
        judge().labels,
        FILLS["mean"],
        judge().noise,
        Decision(("a", "b"), 4.0),
    )
    probs, odds = hot.curves(ranks, 4)
    assert probs.deletion[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))
    np.testing.assert_allclose(odds.deletion, judge().curves(ranks, 4)[1].deletion)


def test_baselines_know_nothing_but_the_pixels():
    x = np.zeros((2, 1, 48, 48), np.float32)
    x[:, :, :, 30:] = 1
    maps = {name: make(x, np.random.default_rng(0)) for name, make in BASELINES.items()}
    for found in maps.values():
        assert found.shape == (2, 48, 48) and 0 <= found.min() <= found.max() <= 1
    assert np.unravel_index(maps["Gaussian"][0].argmax(), (48, 48)) in ((23, 23), (23, 24))
    np.testing.assert_allclose(maps["Gaussian"][0], maps["Gaussian"][0, ::-1, ::-1], rtol=1e-6)
    assert maps["Sobel"][0].mean(0).argmax() in (29, 30)
    assert (maps["random 6x6"][0] != maps["random 6x6"][1]).any()


def test_a_class_mean_is_that_of_the_others():
    maps = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((4, 2, 2), np.float32)
    means = class_means(maps, np.array([0, 0, 0, 1]))[:, 0, 0]
    assert list(means) == [1.5, 1.0, 0.5, 1.0]  # the last is alone: the mean of all others
