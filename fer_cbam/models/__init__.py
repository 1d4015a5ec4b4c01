"""The networks, registered with timm when this package is imported. Needs torch and timm."""

from __future__ import annotations

from fer_cbam.models.cbam import (
    CBAM,
    ChannelAttention,
    NormalizedSpatialAttention,
    SpatialAttention,
)
from fer_cbam.models.fer_cbam import FerCbam, fer_cbam_paper
from fer_cbam.models.prosody import FerCbamProsody
from fer_cbam.models.temporal import FerCbamRecurrent

__all__ = [
    "CBAM",
    "ChannelAttention",
    "FerCbam",
    "FerCbamProsody",
    "FerCbamRecurrent",
    "NormalizedSpatialAttention",
    "SpatialAttention",
    "fer_cbam_paper",
]
