"""Timelines, worked out by hand. Steps are powers of two, so that times are exact."""

from __future__ import annotations

import pytest

from fer_cbam.video.timeline import LIVE_SECONDS, Timeline, TimelinePoint


def probs(happiness: float) -> dict[str, float]:
    return {"happiness": happiness, "anger": 1 - happiness}


def told(timeline: Timeline) -> list[tuple[float, float | None]]:
    """Time and happiness of each point."""
    return [(p.time, None if p.probs is None else p.probs["happiness"]) for p in timeline.points()]


def test_nothing_was_seen():
    assert Timeline().points() == []


def test_a_step_is_the_mean_of_its_moments():
    timeline = Timeline(step=0.5)
    for time, happiness in ((0.0, 1.0), (0.25, 0.5), (0.499, 0.0), (0.5, 0.25)):
        timeline.add(time, probs(happiness))
    assert told(timeline) == [(0.25, 0.5), (0.75, 0.25)]
    assert timeline.points()[0].probs == {"happiness": 0.5, "anger": 0.5}


def test_gaps_are_steps_without_probs():
    timeline = Timeline(step=0.5)
    timeline.add(1.0, probs(0.25))
    timeline.add(2.75, probs(0.75))
    assert timeline.points() == [
        TimelinePoint(1.25, probs(0.25)),
        TimelinePoint(1.75, None),
        TimelinePoint(2.25, None),
        TimelinePoint(2.75, probs(0.75)),
    ]


def test_times_that_binary_cannot_hold_fall_into_their_own_steps():
    """0.3 // 0.1 is 2, 0.6 // 0.1 is 5: frames at 10 a second leave no gap."""
    timeline = Timeline(step=0.1)
    for number in range(100):
        timeline.add(number / 10, probs(0.5))
    assert [p.probs for p in timeline.points()] == [probs(0.5)] * 100


def test_what_is_added_is_not_kept_by_reference():
    timeline, values = Timeline(step=0.5), probs(0.25)
    timeline.add(0, values)
    timeline.add(0, values)
    values["happiness"] = 0.0
    assert told(timeline) == [(0.25, 0.25)]


def test_the_step_doubles_when_there_are_too_many():
    timeline = Timeline(step=0.5, max_points=4)
    for number, happiness in enumerate((0.0, 0.25, 0.5, 1.0)):
        timeline.add(number * 0.5, probs(happiness))
    assert timeline.step == 0.5
    assert told(timeline) == [(0.25, 0.0), (0.75, 0.25), (1.25, 0.5), (1.75, 1.0)]
    timeline.add(2.0, probs(0.125))  # a fifth: pairs of steps fall together
    assert timeline.step == 1.0
    assert told(timeline) == [(0.5, 0.125), (1.5, 0.75), (2.5, 0.125)]


def test_doubled_steps_weigh_moments_not_steps():
    """Three moments in the first half second and one in the second: (3 * 1 + 0) / 4."""
    timeline = Timeline(step=0.5, max_points=2)
    for time, happiness in ((0, 1.0), (0.125, 1.0), (0.25, 1.0), (0.5, 0.0), (1.0, 0.5)):
        timeline.add(time, probs(happiness))
    assert told(timeline) == [(0.5, 0.75), (1.5, 0.5)]


def test_an_hour_takes_no_more_space_than_a_minute():
    timeline = Timeline(step=0.125, max_points=16)
    for second in range(3600):
        timeline.add(second, probs(0.5))
        assert len(timeline.points()) <= 16
    assert timeline.step == 256  # 14 steps of 256 s
    assert told(timeline) == [(128 + 256 * i, 0.5) for i in range(15)]


def test_one_long_gap_doubles_as_often_as_it_must():
    timeline = Timeline(step=1, max_points=4)
    timeline.add(0, probs(0.25))
    timeline.add(1, probs(0.75))
    timeline.add(1000, probs(1.0))
    assert timeline.step == 256  # 0 to 3 * 256 = 768 .. 1024
    assert told(timeline) == [(128, 0.5), (384, None), (640, None), (896, 1.0)]


def test_only_the_span_counts_not_where_it_begins():
    timeline = Timeline(step=1, max_points=4)
    for second in range(1000, 1004):
        timeline.add(second, probs(0.5))
    assert timeline.step == 1
    assert [time for time, _ in told(timeline)] == [1000.5, 1001.5, 1002.5, 1003.5]


def test_rolling_forgets_the_oldest():
    timeline = Timeline(step=1, max_points=3, rolling=True)
    for second, happiness in enumerate((0.0, 0.25, 0.5, 0.75)):
        timeline.add(second, probs(happiness))
    assert timeline.step == 1
    assert told(timeline) == [(1.5, 0.25), (2.5, 0.5), (3.5, 0.75)]
    timeline.add(5, probs(1.0))
    assert told(timeline) == [(3.5, 0.75), (4.5, None), (5.5, 1.0)]
    timeline.add(100, probs(0.5))
    assert told(timeline) == [(100.5, 0.5)]


def test_a_live_one_keeps_its_seconds():
    assert (LIVE_SECONDS, Timeline.live().max_points) == (30, 300)
    timeline = Timeline.live(seconds=2, step=0.5)
    for quarter in range(40):
        timeline.add(quarter / 4, probs(0.5))
    assert [time for time, _ in told(timeline)] == [8.25, 8.75, 9.25, 9.75]
    assert Timeline.live(seconds=0.1, step=1).max_points == 2


def test_defaults():
    timeline = Timeline()
    assert (timeline.step, timeline.max_points, timeline.rolling) == (0.1, 600, False)


@pytest.mark.parametrize("step, most", [(0, 4), (-1, 4), (0.1, 1)])
def test_numbers_that_make_no_timeline(step, most):
    with pytest.raises(ValueError, match=rf"got step {step}, max_points {most}; expected > 0"):
        Timeline(step, most)
    assert Timeline(1e-9, 2).max_points == 2
