"""A clip's result as JSON."""

from __future__ import annotations

import dataclasses
import json

from fer_cbam.decide import Decision
from fer_cbam.serve.clip_numbers import clip_numbers
from fer_cbam.video.analysis import ClipResult, TrackSummary
from fer_cbam.video.episodes import Episode
from fer_cbam.video.timeline import TimelinePoint

LABELS = ("anger", "happiness")
DECISION = Decision(LABELS, lift=(2.0, 0.0), uncertain_below=0.3)


def point(time: float, happiness: float | None) -> TimelinePoint:
    if happiness is None:
        return TimelinePoint(time, None)
    return TimelinePoint(time, {"anger": 1 - happiness, "happiness": happiness})


def track(number: int, *points: TimelinePoint, frames: int = 5) -> TrackSummary:
    shares = {"happiness": 0.8, "anger": 0.2}
    episodes = [Episode("happiness", 0.1234, 2.0, 3.5, 0.9)]
    times = points[0].time, points[-1].time
    return TrackSummary(number, *times, frames, shares, points, episodes)


def result(*tracks: TrackSummary, notes=(), seconds: float = 10.0) -> ClipResult:
    return ClipResult(seconds, 100, 50, tracks, notes)


def test_a_point_is_said_as_if_it_had_not_been_softened():
    # A softened 0.75: the square roots of 0.9 and 0.1. ln(0.1) + 2 is less than ln(0.9).
    soft = dataclasses.replace(result(track(1, point(0.0, 0.75))), softens=2.0)
    (face,) = clip_numbers(soft, "name", DECISION)["tracks"]
    assert face["timeline"][0]["label"] == "happiness"


def test_numbers():
    points = point(0.05, 0.75), point(0.15, None), point(0.25, 0.95)
    numbers = clip_numbers(result(track(1, *points)), "name", DECISION)
    assert json.loads(json.dumps(numbers)) == numbers
    assert numbers["weights"] == "name" and numbers["labels"] == list(LABELS)
    (face,) = numbers["tracks"]
    assert face["dominant"] == "happiness" and face["shares"] == {"happiness": 0.8, "anger": 0.2}
    assert face["expressions"] == [
        {"label": "happiness", "onset": 0.123, "apex": 2.0, "offset": 3.5, "intensity": 0.9}
    ]
    assert face["timeline"] == [
        # ln(0.25) + 2 is more than ln(0.75): anger is said, with its own probability.
        {"time": 0.05, "label": "anger", "uncertain": True,
         "probs": {"anger": 0.25, "happiness": 0.75}},
        {"time": 0.15, "probs": None},
        {"time": 0.25, "label": "happiness", "uncertain": False,
         "probs": {"anger": 0.05, "happiness": 0.95}},
    ]  # fmt: skip
