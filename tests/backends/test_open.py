"""Picking a backend: what there is, what it needs, where it runs."""

from __future__ import annotations

import shutil
import sys

import pytest

from fer_cbam import EmotionRecognizer, pretrained
from fer_cbam.backends import open as module
from fer_cbam.backends.open import default_backend, fastest_backend, open_backend
from fer_cbam.errors import BackendError, WeightsError


def test_the_default_is_torch_where_it_is_installed(folder, monkeypatch):
    assert default_backend() == "torch"
    assert type(open_backend(folder, device="cpu")).__name__ == "TorchBackend"
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "timm" else object())
    assert default_backend() == "onnx"
    assert type(open_backend(folder)).__name__ == "OnnxBackend"


def installed(monkeypatch, *packages: str) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: object() if name in packages else None)


def test_the_fastest_of_those_installed_that_has_a_network(folder, tmp_path, monkeypatch):
    everything = ("torch", "timm", "onnxruntime", "ai_edge_litert")
    installed(monkeypatch, *everything)
    assert fastest_backend("fer_cbam_tiny.ferplus") == "litert"
    assert fastest_backend("fer_cbam_paper.ckplus48") == "onnx"  # LiteRT has no network for it
    assert fastest_backend(tmp_path) == fastest_backend("hf-hub:user/name") == "torch"
    for name in ("model.onnx", "model.tflite"):
        (tmp_path / name).touch()
    assert fastest_backend(tmp_path) == "litert"
    installed(monkeypatch, *everything[:3])
    assert fastest_backend(tmp_path) == "onnx"
    installed(monkeypatch, *everything[:2])
    assert fastest_backend(tmp_path) == fastest_backend(folder) == "torch"


def test_litert_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setattr("fer_cbam.backends.litert._check_fits", lambda *_: None)
    shutil.copy(pretrained.embedded_dir("fer_cbam_tiny.ferplus") / "config.json", tmp_path)
    (tmp_path / "model.tflite").touch()
    message = r"'litert' needs ai_edge_litert, .*'fer-cbam\[litert\]', or backend 'onnx'"
    with pytest.raises(BackendError, match=message):
        open_backend(tmp_path, "litert")


def test_devices(folder):
    with pytest.raises(BackendError, match="'onnx': got device 'cuda'; expected 'cpu'"):
        open_backend(folder, "onnx", "cuda")
    assert open_backend(folder, "onnx", "cpu").device == "cpu"
    with pytest.raises(BackendError, match="device 'tpu'; expected 'cpu' or 'cuda'"):
        open_backend(folder, "torch", "tpu")


def test_unknown_backend():
    with pytest.raises(
        BackendError, match="'tflite'; expected one of: torch, onnx, onnx-int8, litert"
    ):
        EmotionRecognizer.from_pretrained(backend="tflite")


def test_onnxruntime_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = r"'onnx' needs onnxruntime, .*: pip install 'fer-cbam\[onnx\]', or backend 'torch'"
    with pytest.raises(BackendError, match=message):
        EmotionRecognizer.from_pretrained(backend="onnx")


@pytest.mark.parametrize(
    ("architecture", "does"),
    [("fer_cbam_prosody", "hears voices"), ("fer_cbam_text", "reads words")],
)
def test_networks_that_read_no_faces(tmp_path, architecture, does):
    source = pretrained.embedded_dir("fer_cbam_tiny.ferplus") / "config.json"
    text = source.read_text().replace('"fer_cbam_tiny"', f'"{architecture}"')
    (tmp_path / "config.json").write_text(text)
    message = f"{architecture} {does}; expected weights that read faces, such as fer_cbam_base"
    with pytest.raises(WeightsError, match=message):
        open_backend(tmp_path)
