"""A clip's result, ready for JSON: what programs get, and what the page draws timelines from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_cbam.decide import Decision
from fer_cbam.video.analysis import ClipResult, TrackSummary
from fer_cbam.video.timeline import TimelinePoint


def clip_numbers(result: ClipResult, weights: str, decision: Decision) -> dict[str, Any]:
    """Times are seconds; a point without probs is a gap. decision: of the weights."""
    return {
        "weights": weights,
        "labels": list(decision.label_names),
        "seconds": round(result.seconds, 3),
        "frames": result.frames,
        "analysed": result.analysed,
        "notes": list(result.notes),
        "tracks": [_track_numbers(track, decision) for track in result.tracks],
    }


def _track_numbers(track: TrackSummary, decision: Decision) -> dict[str, Any]:
    return {
        "track": track.track,
        "first": round(track.first, 3),
        "last": round(track.last, 3),
        "frames": track.frames,
        "dominant": track.dominant,
        "shares": {label: round(share, 4) for label, share in track.shares.items()},
        "timeline": [_point(point, decision) for point in track.points],
    }


def _point(point: TimelinePoint, decision: Decision) -> dict[str, Any]:
    time = round(point.time, 3)
    if point.probs is None:
        return {"time": time, "probs": None}
    said = decision.of_probs(point.probs)
    probs = _rounded(point.probs)
    return {"time": time, "label": said.label, "uncertain": said.uncertain, "probs": probs}


def _rounded(probs: Mapping[str, float]) -> dict[str, float]:
    return {name: round(p, 4) for name, p in probs.items()}
