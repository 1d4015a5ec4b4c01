"""Onset, apex and offset of curves whose crossings are known."""

from __future__ import annotations

import pytest

from fer_cbam.video import episodes as module
from fer_cbam.video.episodes import EpisodeFinder


def found(points: list[tuple[float, float]]):
    """Episodes of a face whose probability of a smile is given by time; the rest is neutral."""
    finder = EpisodeFinder()
    for time, smile in points:
        finder.add(time, {"neutral": 1 - smile, "happiness": smile})
    return finder.episodes()


def test_first_crossing_maximum_last_crossing():
    smiles = [(0.0, 0.1), (1.0, 0.3), (2.0, 0.7), (3.0, 0.9), (4.0, 0.6), (5.0, 0.2), (6.0, 0.2)]
    first, smile, last = found(smiles)
    assert (smile.label, smile.onset, smile.apex) == ("happiness", pytest.approx(1.5), 3.0)
    assert (smile.offset, smile.intensity) == (pytest.approx(4.25), 0.9)
    # Neutral before and behind: from the first frame, and up to the last.
    assert (first.label, first.onset, first.apex, first.offset) == ("neutral", 0, 0, 1.5)
    assert (last.label, last.onset, last.offset) == ("neutral", pytest.approx(4.25), 6)


def test_a_dip_does_not_end_an_expression():
    steps = [(0.0, 0.9), (0.4, 0.9), (0.5, 0.4), (0.6, 0.8), (1.0, 0.95), (1.2, 0.9)]
    (smile,) = found(steps)
    assert (smile.onset, smile.apex, smile.offset) == (0.0, 1.0, 1.2)


def test_a_wrong_frame_is_no_expression():
    (neutral,) = found([(0.0, 0.1), (1.0, 0.1), (1.04, 0.9), (1.08, 0.1), (2.0, 0.1)])
    assert (neutral.label, neutral.onset, neutral.offset) == ("neutral", 0.0, 2.0)


def test_nothing_is_shown_where_nothing_is_above_a_half():
    finder = EpisodeFinder()
    for i in range(5):
        finder.add(i / 4, {"neutral": 0.4, "happiness": 0.3, "anger": 0.3})
    assert finder.episodes() == []
    assert EpisodeFinder().episodes() == []


def test_an_hour_of_changes_takes_bounded_space(monkeypatch):
    monkeypatch.setattr(module, "MOST", 5)
    finder = EpisodeFinder()
    time = 0.0
    for n in range(400):
        for _ in range(2 if n != 200 else 40):
            finder.add(time, {"neutral": float(n % 2), "happiness": float(1 - n % 2)})
            time += 0.5
    episodes = finder.episodes()
    assert len(episodes) <= 7 and max(e.offset - e.onset for e in episodes) > 19
    assert [e.onset for e in episodes] == sorted(e.onset for e in episodes)
