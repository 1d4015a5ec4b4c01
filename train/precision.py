"""Whether a device computes in bfloat16 faster than in float32."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def has_bf16(device: torch.device) -> bool:
    """Whether it multiplies matrices in bfloat16 faster than in float32. Of AVX-512's own
    instructions for it those of AMD are: with those of Intel these networks train more slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() in ("x86_64", "AMD64"):
        amx, avx = torch.cpu._is_amx_tile_supported(), torch.cpu._is_avx512_bf16_supported()
        return amx or (avx and _of_amd())
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _of_amd(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    try:
        return "AuthenticAMD" in cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return False  # no Linux
