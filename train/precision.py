"""Whether a device computes in bfloat16 faster than in float32."""

from __future__ import annotations

import torch


def has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
