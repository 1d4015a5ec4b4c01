"""Onset, apex and offset in the page are those of Python."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.video.episodes import MOST, EpisodeFinder

LABELS = ("anger", "fear", "happiness")
FOUND = """data.map((frames) => {
  const finder = new module.EpisodeFinder();
  frames.forEach(([time, probs]) => finder.add(time, probs));
  return finder.episodes();
})"""


def frames(seed: int, count: int, slow: float) -> list[tuple[float, dict[str, float]]]:
    """Probabilities that drift, faster or slower, with dips and flashes between frames that come
    unevenly."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.12, count))
    logits, found = np.zeros(3), []
    for time in times:
        logits = slow * logits + rng.normal(0, 1.5, 3)
        shares = np.exp(logits * (0.2 if rng.random() < 0.05 else 1))
        probs = (shares / shares.sum()).tolist()
        found.append((float(time), dict(zip(LABELS, probs, strict=True))))
    return found


def test_the_same_expressions(evaluate):
    clips = [frames(seed, 150, 0.9) for seed in range(20)] + [frames(99, 9000, 0.85)]
    answers = evaluate("episodes.mjs", FOUND, clips)
    lengths = []
    for clip, answer in zip(clips, answers, strict=True):
        finder = EpisodeFinder()
        for time, probs in clip:
            finder.add(time, probs)
        expected = finder.episodes()
        assert [found.pop("label") for found in answer] == [e.label for e in expected]
        for found, other in zip(answer, expected, strict=True):
            for name, value in found.items():
                assert value == pytest.approx(getattr(other, name), abs=1e-9), name
        lengths.append(len(expected))
    assert min(lengths) > 0 and lengths[-1] > 0.6 * MOST


def test_frames_without_an_expression(evaluate):
    flat = [[0.1 * i, {"anger": 0.4, "fear": 0.35, "happiness": 0.25}] for i in range(9)]
    assert evaluate("episodes.mjs", FOUND, [[], flat]) == [[], []]
