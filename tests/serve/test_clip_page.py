"""Timelines as SVG, by points worked out by hand."""

from __future__ import annotations

import json

import pytest

from fer_cbam.serve import clip_page
from fer_cbam.video.analysis import ClipResult, TrackSummary
from fer_cbam.video.timeline import TimelinePoint

LABELS = ("anger", "happiness")


def point(time: float, happiness: float | None) -> TimelinePoint:
    if happiness is None:
        return TimelinePoint(time, None)
    return TimelinePoint(time, {"anger": 1 - happiness, "happiness": happiness})


def track(number: int, *points: TimelinePoint, frames: int = 5) -> TrackSummary:
    shares = {"happiness": 0.8, "anger": 0.2}
    return TrackSummary(number, points[0].time, points[-1].time, frames, shares, points)


def result(*tracks: TrackSummary, notes=(), seconds: float = 10.0) -> ClipResult:
    return ClipResult(seconds, 100, 50, tracks, notes)


def test_areas_are_stacked_from_the_bottom_and_fill_the_height():
    areas = dict(clip_page.areas_of([point(0, 0.25), point(5, 1.0)], LABELS, seconds=10))
    # There along the floor, back along the top; 60 high, 1000 wide.
    assert areas["anger"] == "0.0,60.0 500.0,60.0 500.0,60.0 0.0,15.0"
    assert areas["happiness"] == "0.0,15.0 500.0,60.0 500.0,0.0 0.0,0.0"


def test_gaps_interrupt_the_areas():
    points = [point(0, 0.5), point(1, 0.5), point(2, None), point(3, None), point(4, 0.5)]
    found = [[p.time for p in stretch] for stretch in clip_page.stretches(points)]
    assert found == [[0, 1], [4]]
    html = clip_page.clip_result(result(track(1, *points)), LABELS)
    assert html.count("<polygon") == 2 * 2


def test_a_single_moment_is_seen():
    areas = dict(clip_page.areas_of([point(5, 1.0)], LABELS, seconds=10))
    assert areas["happiness"] == "499.0,60.0 501.0,60.0 501.0,0.0 499.0,0.0"


def test_titles_legend_and_notes():
    html = clip_page.clip_result(
        result(track(3, point(0, 1.0), point(65.2, 1.0)), notes=["It <breaks> off."], seconds=75),
        LABELS,
    )
    assert "Face 3: happiness 80 % of the time (0:00 to 1:05)" in html
    assert "It &lt;breaks&gt; off." in html
    assert html.count("<i style") == 2 and "1:15" in html


def test_labels_are_escaped():
    evil = "<script>x</script>"
    probs = TimelinePoint(0.0, {evil: 1.0})
    summary = TrackSummary(1, 0, 1, 1, {evil: 1.0}, [probs])
    html = clip_page.clip_result(result(summary), (evil,))
    assert "<script" not in html and "&lt;script&gt;" in html


def test_of_a_crowd_those_seen_longest_are_shown():
    tracks = [track(i, point(0, 1.0), frames=i) for i in range(1, 31)]
    html = clip_page.clip_result(result(*tracks), LABELS)
    assert html.count("fer-clip-row") == clip_page.MOST_SHOWN
    assert "Face 30:" in html and "Face 18:" not in html and "18 more in the CSV" in html


def test_nobody():
    html = clip_page.clip_result(result(notes=["No face was found."]), LABELS)
    assert html == '<p class="fer-note">No face was found.</p>'


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (601, "10:01")]
)
def test_clock(seconds, text):
    assert clip_page.clock(seconds) == text


def test_numbers():
    numbers = clip_page.clip_numbers(
        result(track(1, point(0.05, 0.75), point(0.15, None))), "name", LABELS
    )
    assert json.loads(json.dumps(numbers)) == numbers
    assert numbers["weights"] == "name" and numbers["labels"] == list(LABELS)
    (face,) = numbers["tracks"]
    assert face["dominant"] == "happiness" and face["shares"] == {"happiness": 0.8, "anger": 0.2}
    assert face["timeline"] == [
        {"time": 0.05, "probs": {"anger": 0.25, "happiness": 0.75}},
        {"time": 0.15, "probs": None},
    ]
