"""The study of CREMA-D's votes: its estimates by hand, and all of it on made-up ratings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_cbam.data.crema_d import Ratings
from train.fusion import crema_d

VOTES = np.array([[6, 2, 0, 0, 2, 0], [0, 0, 0, 5, 5, 0]])


def test_votes_are_shrunk_towards_the_prior():
    prior = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    got = crema_d.posteriors(VOTES, prior, 2.0)
    np.testing.assert_allclose(got[0], [7 / 12, 2.2 / 12, 0.2 / 12, 0.2 / 12, 2.2 / 12, 0.2 / 12])
    np.testing.assert_allclose(got.sum(1), 1)


def test_cross_entropy_and_favourite():
    probs = np.array([[0.5, 0.1, 0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1, 0.5, 0.1]])
    expected = -(0.6 * np.log(0.5) + 0.4 * np.log(0.1))
    np.testing.assert_allclose(crema_d.cross_entropies(probs, crema_d.shares(VOTES))[0], expected)
    np.testing.assert_array_equal(crema_d.favourite(probs, VOTES), [True, True])  # a tie counts
    np.testing.assert_array_equal(crema_d.favourite(probs[::-1], VOTES), [False, False])


def made_up(count: int = 600, actors: int = 20) -> Ratings:
    """Voice and face each see half of the emotions; both together see all."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, count)
    sure = 0.8 * np.eye(6) + 0.2 / 6
    blind = {"voice": truth < 3, "face": truth >= 3, "both": np.zeros(count, bool)}
    votes = {
        name: np.array([rng.multinomial(10, np.full(6, 1 / 6) if dark[i] else sure[truth[i]])
                        for i in range(count)])
        for name, dark in blind.items()
    }  # fmt: skip
    who = tuple(f"{1000 + i % actors}" for i in range(count))
    return Ratings(tuple(f"{a}_IEO_NEU_{i}" for i, a in enumerate(who)), who, **votes)


def test_fusion_beats_either_where_each_knows_a_half(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(crema_d, "read_votes", lambda path: made_up())
    out = tmp_path / "report.json"
    crema_d.main(["--data", "votes.zip", "--out", str(out)])
    found = {(r["metric"], r["weights"]): r for r in json.loads(out.read_text())["records"]}
    assert "attention" in capsys.readouterr().out
    for method in ("a number", "a matrix", "attention"):
        gain = found["cross_entropy over the better alone", method]
        assert gain["high"] < 0, method
        assert found["favourite", method]["value"] > 0.8
    assert found["favourite", "face alone"]["value"] == pytest.approx(0.6, abs=0.15)
    assert found["cross_entropy", "attention"]["n"] == 600
