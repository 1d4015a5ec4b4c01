"""What the page shows of a clip: a timeline for each face as HTML and SVG, and the same as numbers.

Plain strings; gradio is not needed. Labels are escaped: anyone may have made the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fer_cbam.render import color_of, percent
from fer_cbam.serve.page import css_color
from fer_cbam.video.analysis import ClipResult, TrackSummary
from fer_cbam.video.timeline import TimelinePoint

WIDTH, HEIGHT = 1000, 60  # of a timeline's own coordinates; the page stretches it
MOST_SHOWN = 12  # timelines; the CSV has every face


def clip_result(result: ClipResult, labels: Sequence[str]) -> str:
    """Notes, a legend, and a timeline for each of the faces seen longest, by number."""
    notes = "".join(f'<p class="fer-note">{escape(note)}</p>' for note in result.notes)
    if not result.tracks:
        return notes
    longest = sorted(result.tracks, key=lambda track: -track.frames)[:MOST_SHOWN]
    shown = sorted(longest, key=lambda track: track.track)
    rows = "".join(_row(track, labels, result.seconds) for track in shown)
    left_out = len(result.tracks) - len(shown)
    more = f'<p class="fer-subdued">{left_out} more in the CSV.</p>' if left_out else ""
    return (
        f'{notes}<p class="fer-legend">{"".join(map(_swatch, labels))}</p>{rows}'
        f'<p class="fer-axis"><span>0:00</span><span>{clock(result.seconds)}</span></p>{more}'
    )


def _swatch(label: str) -> str:
    return f'<span><i style="background: {css_color(color_of(label))}"></i>{escape(label)}</span>'


def _row(track: TrackSummary, labels: Sequence[str], seconds: float) -> str:
    title = (
        f"Face {track.track}: {escape(track.dominant)} {escape(percent(track.share))} of the time "
        f"({clock(track.first)} to {clock(track.last)})"
    )
    areas = "".join(
        f'<polygon points="{points}" fill="{css_color(color_of(label))}"/>'
        for stretch in stretches(track.points)
        for label, points in areas_of(stretch, labels, seconds)
    )
    return (
        f'<div class="fer-clip-row"><h4>{title}</h4>'
        f'<svg class="fer-clip-timeline" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'preserveAspectRatio="none" aria-label="{title}">{areas}</svg></div>'
    )


def stretches(points: Sequence[TimelinePoint]) -> Iterator[list[TimelinePoint]]:
    """The parts of a timeline in which the face was seen without a gap."""
    stretch: list[TimelinePoint] = []
    for point in points:
        if point.probs is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def areas_of(
    stretch: Sequence[TimelinePoint], labels: Sequence[str], seconds: float
) -> Iterator[tuple[str, str]]:
    """Label and SVG points of each area, stacked from the bottom in the order of the labels."""
    across = [min(1.0, point.time / max(seconds, 1e-9)) * WIDTH for point in stretch]
    if len(across) == 1:  # a moment is drawn as wide as a hair
        across = [across[0] - 1, across[0] + 1]
        stretch = [stretch[0], stretch[0]]
    floor = [float(HEIGHT)] * len(stretch)
    for label in labels:
        probs = [(point.probs or {}).get(label, 0.0) for point in stretch]
        top = [f - HEIGHT * p for f, p in zip(floor, probs, strict=True)]
        there = zip(across, floor, strict=True)
        back = reversed(list(zip(across, top, strict=True)))
        yield label, " ".join(f"{x:.1f},{y:.1f}" for x, y in (*there, *back))
        floor = top


def clock(seconds: float) -> str:
    """``75`` -> ``1:15``"""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def clip_numbers(result: ClipResult, weights: str, labels: Sequence[str]) -> dict[str, Any]:
    """A clip's result, ready for JSON. Times are seconds; a point without probs is a gap."""
    return {
        "weights": weights,
        "labels": list(labels),
        "seconds": round(result.seconds, 3),
        "frames": result.frames,
        "analysed": result.analysed,
        "notes": list(result.notes),
        "tracks": [_track_numbers(track) for track in result.tracks],
    }


def _track_numbers(track: TrackSummary) -> dict[str, Any]:
    return {
        "track": track.track,
        "first": round(track.first, 3),
        "last": round(track.last, 3),
        "frames": track.frames,
        "dominant": track.dominant,
        "shares": {label: round(share, 4) for label, share in track.shares.items()},
        "timeline": [
            {"time": round(point.time, 3), "probs": _rounded(point.probs)} for point in track.points
        ],
    }


def _rounded(probs: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if probs is None else {name: round(p, 4) for name, p in probs.items()}
