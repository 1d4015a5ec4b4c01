"""Whether a device computes in bfloat16 faster than in float32."""

from __future__ import annotations

import platform

import torch


def has_bf16(device: torch.device) -> bool:
    """Whether it has instructions for bfloat16. Processors with AVX-512 alone only imitate them."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() in ("x86_64", "AMD64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
