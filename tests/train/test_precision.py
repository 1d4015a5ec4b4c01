"""bfloat16 only where the processor has instructions for it."""

from __future__ import annotations

import pytest
import torch

from train import precision


@pytest.mark.parametrize(
    ("avx", "amd", "amx", "expected"),
    [(False, False, False, False), (True, False, False, False), (True, True, False, True),
     (False, True, False, False), (False, False, True, True)],
)  # fmt: skip
def test_on_x86_it_takes_amx_or_amd(avx, amd, amx, expected, monkeypatch):
    """Intel's AVX-512 has it too, and is slower with it than in float32."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(precision, "_of_amd", lambda: amd)
    assert precision.has_bf16(torch.device("cpu")) is expected


def test_whose_processor_it_is(tmp_path):
    for vendor in ("AuthenticAMD", "GenuineIntel"):
        (tmp_path / vendor).write_text(f"vendor_id : {vendor}\n", encoding="utf-8")
    assert precision._of_amd(tmp_path / "AuthenticAMD")
    assert not precision._of_amd(tmp_path / "GenuineIntel")
    assert not precision._of_amd(tmp_path / "none")


def test_on_cuda_imitation_does_not_count(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **kw: asked.append(kw) or True)
    assert precision.has_bf16(torch.device("cuda"))
    assert asked == [{"including_emulation": False}]
