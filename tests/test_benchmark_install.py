"""What the benchmark of an installation counts."""

from __future__ import annotations

import os

import pytest

from benchmarks.install import LIGHT, ROOT, WHOLE, closure, folder_bytes, installed_bytes


def test_a_file_under_two_names_counts_once(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(bytes(1000))
    (tmp_path / "below" / "b").write_bytes(bytes(50))
    os.link(tmp_path / "a", tmp_path / "below" / "again")
    assert folder_bytes(tmp_path) == 1050


def test_what_is_needed_by_what_is_needed_counts():
    pytest.importorskip("torch", reason="torch is not installed: the whole is not here")
    light, whole = closure(ROOT / LIGHT), closure(ROOT / WHOLE)
    assert {"gradio", "onnxruntime", "starlette"} <= light < whole  # gradio needs starlette
    assert "torch" in whole - light
    assert "pytest" not in whole
    assert 0 < installed_bytes({"numpy"}) < installed_bytes(light) < installed_bytes(whole)
