"""What scenes promise: truth at every frame, fades that add up, clips that depend on their seed."""

from __future__ import annotations

import numpy as np
import pytest

from eval.clips.scene import (
    MAX_FRAMES,
    MAX_SECONDS,
    SHORTEST_HOLD,
    draw_scene,
    draw_stills,
    fade_shares,
    frame_times,
    hold_starts,
    wander,
)  # fmt: skip

LABELS = np.array([0, 0, 1, 1, 2, 2, 2])


def scenes(count: int = 60):
    return [draw_scene(np.random.default_rng([5, i]), LABELS, np.ones(7)) for i in range(count)]


def test_shares_add_up_and_say_what_is_shown():
    for scene in scenes():
        np.testing.assert_allclose(scene.shares.sum(1), 1, atol=1e-6)
        assert (scene.shares >= 0).all()
        shown = scene.shown()
        # The one that shows most is the last whose change lies behind: fades are even.
        behind = (scene.times[:, None] >= scene.changes[None]).sum(1)
        np.testing.assert_array_equal(shown, behind)


def test_times_and_holds():
    for i in range(200):
        rng = np.random.default_rng(i)
        times = frame_times(rng)
        assert times[0] == 0 and len(times) <= MAX_FRAMES and times[-1] < MAX_SECONDS + 1
        assert (np.diff(times) > 0).all()
        starts = hold_starts(rng, times[-1])
        assert starts[0] == 0 and (np.diff(starts) >= SHORTEST_HOLD).all()
        assert starts[-1] <= max(0, times[-1] - SHORTEST_HOLD / 2)
    held = [len(hold_starts(np.random.default_rng(i), 7.0)) == 1 for i in range(500)]
    assert 0.2 < np.mean(held) < 0.35


def test_faces_that_follow_each_other_are_never_the_same():
    rng = np.random.default_rng(0)
    stills = draw_stills(rng, LABELS, np.ones(7), 4000)
    assert (stills[1:] != stills[:-1]).all()
    same = LABELS[stills[1:]] == LABELS[stills[:-1]]
    assert 0.26 < same.mean() < 0.34
    # How likely a face is drawn is its weight; one of no weight is never shown.
    weights = np.array([1, 1, 1, 1, 0, 1, 3.0])
    counts = np.bincount(draw_stills(rng, LABELS, weights, 4000), minlength=7)
    assert counts[4] == 0 and counts[6] > 1.5 * counts[0]
    lonely = draw_stills(rng, np.array([0, 1]), np.ones(2), 50)
    assert (lonely[1:] != lonely[:-1]).all()


def test_a_cut_is_sudden_and_a_fade_is_even():
    times = np.arange(0, 4, 0.05)
    kinds = set()
    for seed in range(30):
        shares = fade_shares(np.random.default_rng(seed), times, np.array([0.0, 2.0]))
        between = (shares[:, 0] > 0) & (shares[:, 0] < 1)
        kinds.add(bool(between.any()))
        np.testing.assert_allclose(shares[times < 1.55, 0], 1)
        np.testing.assert_allclose(shares[times > 2.45, 1], 1)
        if between.any():
            steps = np.diff(shares[:, 1])[between[1:] & between[:-1]]
            np.testing.assert_allclose(steps, steps.mean(), atol=1e-5)
    assert kinds == {True, False}


def test_wandering_has_its_deviation_and_its_memory():
    times = np.arange(20_000) * 0.1
    values = wander(np.random.default_rng(0), times, 0.5, 0.4)
    assert values.std() == pytest.approx(0.5, rel=0.05)
    correlation = np.corrcoef(values[:-1], values[1:])[0, 1]
    assert correlation == pytest.approx(np.exp(-0.1 / 0.4), abs=0.02)


def test_a_clip_is_its_seed():
    one, same, other = (draw_scene(np.random.default_rng(s), LABELS, np.ones(7)) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.shift, same.shift)
    assert len(one.times) != len(other.times) or not np.array_equal(one.shift, other.shift)
