"""bfloat16 only where the processor has instructions for it."""

from __future__ import annotations

import pytest
import torch

from train.precision import has_bf16


@pytest.mark.parametrize(("avx", "amx"), [(False, False), (True, False), (False, True)])
def test_on_x86_it_takes_amx(avx, amx, monkeypatch):
    """AVX-512 has it too, and is slower with it than in float32."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert has_bf16(torch.device("cpu")) is amx


def test_on_cuda_imitation_does_not_count(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **kw: asked.append(kw) or True)
    assert has_bf16(torch.device("cuda"))
    assert asked == [{"including_emulation": False}]
