"""What export and runtime have to agree on."""

from __future__ import annotations

INPUT, LOGITS, GRADCAM, ATTENTION = "x", "logits", "gradcam", "spatial_attention"
CONFIG_KEY = "fer_cbam"  # of the metadata: see fer_cbam.pretrained.graph_key
