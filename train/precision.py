"""Whether a device computes in bfloat16 faster than in float32."""

from __future__ import annotations

import platform

import torch


def has_bf16(device: torch.device) -> bool:
    """Whether it multiplies matrices in bfloat16. AVX-512's own instructions for it do not pay:
    with them these networks train more slowly than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() in ("x86_64", "AMD64"):
        return torch.cpu._is_amx_tile_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
