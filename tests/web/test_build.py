"""The committed kernel is what its sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import build_kernel


def test_the_kernel_is_built_from_its_sources(tmp_path: Path):
    found = build_kernel.zig_version()
    if found != build_kernel.ZIG:
        pytest.skip(f"ziglang {found} here: the kernel is not built again; "
                    f"expected: pip install ziglang=={build_kernel.ZIG}")  # fmt: skip
    build_kernel.build(tmp_path / "kernel.wasm")
    assert (tmp_path / "kernel.wasm").read_bytes() == build_kernel.KERNEL.read_bytes()


def test_the_kernel_is_small_and_asks_for_nothing():
    """No import, so it can reach nothing outside its memory."""
    kernel = build_kernel.KERNEL.read_bytes()
    assert kernel[:8] == b"\0asm\1\0\0\0" and len(kernel) < 64_000
    sections, at = [], 8
    while at < len(kernel):
        section, at = kernel[at], at + 1
        size = shift = 0
        while True:
            byte, at = kernel[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        sections.append(section)
        at += size
    assert {1, 3, 7, 10} < set(sections) and 2 not in sections


def test_another_compiler_is_refused(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(build_kernel, "zig_version", lambda: "0.1")
    with pytest.raises(SystemExit, match=r"found 0.1; expected: pip install ziglang==0"):
        build_kernel.build(tmp_path / "kernel.wasm")
