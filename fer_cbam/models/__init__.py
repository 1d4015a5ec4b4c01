"""The networks, registered with timm when this package is imported. Needs torch and timm."""

from __future__ import annotations

try:
    import timm
    import torch
except ModuleNotFoundError as error:
    raise ImportError(
        f"fer_cbam.models needs torch and timm, and {error.name} is not installed; "
        "expected: pip install 'fer-cbam[torch]'"
    ) from error

from fer_cbam.models.cbam import CBAM, ChannelAttention, SpatialAttention
from fer_cbam.models.fer_cbam import FerCbam, fer_cbam_paper

del timm, torch

__all__ = ["CBAM", "ChannelAttention", "FerCbam", "SpatialAttention", "fer_cbam_paper"]
