"""Distances from ten votes, against other implementations and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from eval import votes as v
from fer_cbam.decide import softmax
from fer_cbam.errors import DataError
from fer_cbam.labels import FERPLUS_COLUMNS

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(5), (2, 20))
P[0] = [1, 0, 0, 0, 0]


def test_distances_are_those_of_scipy():
    np.testing.assert_allclose(v.jensen_shannon(P, Q), jensenshannon(P, Q, axis=1) ** 2)
    own = np.where(P > 0, -P * np.log(np.where(P > 0, P, 1)), 0).sum(1)
    np.testing.assert_allclose(v.cross_entropy(P, Q), rel_entr(P, Q).sum(1) + own)


def test_the_vote_temperature_is_that_the_votes_were_drawn_at():
    logits = RNG.normal(0, 2, (4000, 4))
    shares = RNG.multinomial(10, softmax(logits / 1.7)) / 10
    assert v.fit_vote_temperature(logits, shares) == pytest.approx(1.7, rel=0.03)
    with pytest.raises(DataError, match="vote_temperature"):
        v.fit_vote_temperature(np.eye(3), np.eye(3))


def test_shares_are_of_the_votes_for_these_labels():
    counts = np.zeros((1, 10), np.int64)
    for label, count in (("anger", 3), ("fear", 1), ("contempt", 4), ("NF", 2)):
        counts[0, FERPLUS_COLUMNS.index(label)] = count
    np.testing.assert_allclose(v.vote_shares(counts, ("fear", "anger")), [[0.25, 0.75]])


def test_one_voter_voter_by_voter():
    labels = ("neutral", "happiness", "surprise")
    counts = np.zeros((30, 10), np.int64)
    counts[:, :3] = RNG.multinomial(6, [0.5, 0.3, 0.2], 30)
    counts[0, :3] = [1, 0, 0]  # nobody else voted for a label: left out
    together = np.ones((3, 3))
    for face in counts[:, :3]:
        people = np.repeat(np.arange(3), face)
        for i, a in enumerate(people):
            for j, b in enumerate(people):
                together[a, b] += i != j
    table = together / together.sum(1, keepdims=True)
    entropies, divergences = [], []
    for face in counts[1:, :3]:
        people = np.repeat(np.arange(3), face)
        for i, vote in enumerate(people):
            others = np.bincount(np.delete(people, i), minlength=3) / 5
            entropies.append(-(others * np.log(table[vote])).sum())
            divergences.append(jensenshannon(others, table[vote]) ** 2)
    expected = (np.mean(entropies), np.mean(divergences))
    assert v.one_voter(counts, labels) == pytest.approx(expected)


def test_votes_are_found_by_the_row(tmp_path):
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear",
             "contempt", "unknown", "NF"]  # fmt: skip
    path = tmp_path / "votes.csv"
    path.write_text("\n".join([
        "Usage,Image name," + ",".join(names), "Training,a.png,1,0,0,0,9,0,0,0,0,0",
        "Training,,0,0,0,0,0,0,0,0,0,10", "Training,c.png,0,8,0,0,0,0,0,0,0,2",
    ]))  # fmt: skip
    found = v.vote_counts(path, ["fer2013:2", "fer2013:0"])
    assert found[:, 1].tolist() == [8, 0] and found[:, 4].tolist() == [0, 9]
    with pytest.raises(DataError, match="no votes for fer2013:1; expected ten"):
        v.vote_counts(path, ["fer2013:0", "fer2013:1"])
