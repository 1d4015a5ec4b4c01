"""A clip's result, ready for JSON: what programs get, and what the page draws timelines from."""

from __future__ import annotations

from typing import Any

from fer_cbam.decide import Decision
from fer_cbam.video.analysis import ClipResult, TrackSummary
from fer_cbam.video.timeline import TimelinePoint


def clip_numbers(result: ClipResult, weights: str, decision: Decision) -> dict[str, Any]:
    """`ClipResult.to_dict`, and the ``weights``, their ``labels``, and what is said at each point
    of a timeline: ``label`` and ``uncertain``. decision: of the weights."""
    of_means = decision.softened(result.softens)
    tracks = [_track_numbers(track, of_means) for track in result.tracks]
    labels = list(decision.label_names)
    return {"weights": weights, "labels": labels, **result.to_dict(), "tracks": tracks}


def _track_numbers(track: TrackSummary, decision: Decision) -> dict[str, Any]:
    numbers = track.to_dict()
    timeline = [
        {**point, **_said(told, decision)}
        for point, told in zip(numbers["timeline"], track.points, strict=True)
    ]
    return {**numbers, "timeline": timeline}


def _said(point: TimelinePoint, decision: Decision) -> dict[str, Any]:
    if point.probs is None:
        return {}
    said = decision.of_probs(point.probs)
    return {"label": said.label, "uncertain": said.uncertain}
