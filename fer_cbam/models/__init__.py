"""The networks, registered with timm when this package is imported."""

from fer_cbam.models.cbam import CBAM, ChannelAttention, SpatialAttention
from fer_cbam.models.fer_cbam import FerCbam, fer_cbam_paper

__all__ = ["CBAM", "ChannelAttention", "FerCbam", "SpatialAttention", "fer_cbam_paper"]
