"""Picking a backend: what there is, what it needs, where it runs."""

from __future__ import annotations

import sys

import pytest

from fer_cbam import EmotionRecognizer
from fer_cbam.backends import open as module
from fer_cbam.backends.open import default_backend, open_backend
from fer_cbam.errors import BackendError


def test_the_default_is_torch_where_it_is_installed(folder, monkeypatch):
    assert default_backend() == "torch"
    assert type(open_backend(folder, device="cpu")).__name__ == "TorchBackend"
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "timm" else object())
    assert default_backend() == "onnx"
    assert type(open_backend(folder)).__name__ == "OnnxBackend"


def test_devices(folder):
    with pytest.raises(BackendError, match="'onnx': got device 'cuda'; expected 'cpu'"):
        open_backend(folder, "onnx", "cuda")
    assert open_backend(folder, "onnx", "cpu").device == "cpu"
    with pytest.raises(BackendError, match="device 'tpu'; expected 'cpu' or 'cuda'"):
        open_backend(folder, "torch", "tpu")


def test_unknown_backend():
    with pytest.raises(BackendError, match="'tflite'; expected one of: torch, onnx, onnx-int8"):
        EmotionRecognizer.from_pretrained(backend="tflite")


def test_onnxruntime_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = r"'onnx' needs onnxruntime, .*: pip install 'fer-cbam\[onnx\]', or backend 'torch'"
    with pytest.raises(BackendError, match=message):
        EmotionRecognizer.from_pretrained(backend="onnx")
