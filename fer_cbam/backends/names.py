"""What export and runtime have to agree on."""

from __future__ import annotations

INPUT = "x"
LOGITS, GRADCAM, ATTENTION, EMBEDDING = "logits", "gradcam", "spatial_attention", "embedding"
CONFIG_KEY = "fer_cbam"  # of the metadata: see fer_cbam.pretrained.graph_key
