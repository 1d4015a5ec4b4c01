"""A clip's result, ready for JSON: what programs get, and what the page draws timelines from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_cbam.video.analysis import ClipResult, TrackSummary


def clip_numbers(result: ClipResult, weights: str, labels: Sequence[str]) -> dict[str, Any]:
    """Times are seconds; a point without probs is a gap."""
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
