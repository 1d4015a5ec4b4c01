"""Clips: read, followed face by face, summed up and written; see :mod:`fer_cbam.video.analysis`."""

from __future__ import annotations

from fer_cbam.video.analysis import (
    ClipResult,
    Progress,
    TrackSummary,
    analyse,
    analyse_video,
    run,
)

__all__ = ["ClipResult", "Progress", "TrackSummary", "analyse", "analyse_video", "run"]
