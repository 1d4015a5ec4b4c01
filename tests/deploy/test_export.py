"""The exported folder: self-contained, measured, and int8 only where it is good enough."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_cbam import EmotionRecognizer, cli, hub, pretrained
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.commands import export as export_command
from fer_cbam.data import Dataset
from fer_cbam.deploy import export as module
from fer_cbam.deploy.export import export
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.types import Sample


@pytest.fixture
def dataset(folder, faces, x) -> Dataset:
    """The network's own answers as the truth, but for one: its accuracy is 11 of 12."""
    backend = TorchBackend(hub.load_model(folder))
    answers = backend.forward(x).logits.argmax(1)
    answers[0] = (answers[0] + 1) % len(backend.label_names)
    samples = [
        Sample(f"{split}{i}", face, backend.label_names[k], split=split)
        for split in ("Training", "PublicTest")
        for i, (face, k) in enumerate(zip(faces, answers, strict=True))
    ]
    return Dataset("fer2013", backend.label_names, tuple(samples))


def test_without_data(folder, x, tmp_path):
    exported = export(folder, tmp_path / "out")
    out = exported.folder
    assert sorted(p.name for p in out.iterdir()) == ["LICENSE.md", "config.json", "model.onnx"]
    assert [v.name for v in exported.variants] == ["torch", "onnx"]
    assert all(v.accuracy is None is v.agreement and v.milliseconds > 0 for v in exported.variants)
    assert exported.variants[1].size == (out / "model.onnx").stat().st_size
    config = json.loads((out / pretrained.CONFIG_FILE).read_text())
    original = pretrained.read_config(folder)
    assert config.pop("export")["format"] == "onnx"
    assert config == original
    assert "trained on nothing" in (out / "LICENSE.md").read_text()
    expected, found = TorchBackend(hub.load_model(folder)).forward(x), OnnxBackend.load(out)
    assert found.weights_file == out / "model.onnx"
    found = found.forward(x)
    for name in ("logits", "class_maps", "embedding", "attention"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4)
    assert EmotionRecognizer.from_pretrained(out, backend="onnx").decision.temperature == 1.3


def test_int8_is_measured_and_kept(folder, x, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LOSS", 0.5)  # these weights were not trained
    exported = export(folder, tmp_path, dataset)
    assert not exported.dropped
    torch_, onnx_, int8 = exported.variants
    assert (torch_.name, onnx_.name, int8.name) == ("torch", "onnx", "onnx-int8")
    assert torch_.accuracy == onnx_.accuracy == 11 / 12
    backend = OnnxBackend.load(tmp_path, int8=True)
    right = [
        backend.label_names[k] == s.label
        for k, s in zip(backend.forward(x).logits.argmax(1), dataset.samples[-12:], strict=True)
    ]
    assert int8.accuracy == np.mean(right)
    assert int8.size == (tmp_path / pretrained.INT8_FILE).stat().st_size < 0.7 * onnx_.size
    record = pretrained.read_config(tmp_path)["export"]["int8"]
    assert record["calibration"] == "12 images of fer2013 Training"
    assert record["accuracy on fer2013 PublicTest"]["onnx-int8"] == int8.accuracy
    assert backend.weights_file == tmp_path / pretrained.INT8_FILE
    whole, small = OnnxBackend.load(tmp_path).forward(x), backend.forward(x)
    assert np.abs(whole.logits - small.logits).max() < 0.25 * np.ptp(whole.logits)
    assert not np.array_equal(whole.logits, small.logits)
    for name in ("class_maps", "embedding"):
        one, other = getattr(whole, name), getattr(small, name)
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_int8_that_loses_too_much_is_removed(folder, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LOSS", -1)
    exported = export(folder, tmp_path, dataset)
    assert exported.dropped == ("onnx-int8",) and len(exported.variants) == 3
    assert not (tmp_path / pretrained.INT8_FILE).exists()
    assert "int8" not in pretrained.read_config(tmp_path)["export"]
    assert "onnx-int8: removed, for it loses more than half a point" in export_command.export_table(
        exported
    )


def test_a_folder_of_weights_is_not_overwritten(folder):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(WeightsError, match=r"holds model.safetensors.*expected a new folder"):
        export(folder, folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_data_set_without_the_splits(folder, dataset, tmp_path):
    ck = Dataset("ckplus48", dataset.label_names, dataset.samples[:12])
    with pytest.raises(DataError, match="ckplus48: no images of PublicTest; expected FER2013"):
        export(folder, tmp_path / "out", ck)
    assert not (tmp_path / "out").exists()


def test_command(folder, tmp_path, capsys):
    assert cli.main(["export", "--weights", str(folder), "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["accuracy", "as", "torch", "size", "one", "face,", "one", "thread"]
    assert [line.split()[0] for line in lines[1:3]] == ["torch", "onnx"]
    assert lines[-1] == f"written to {tmp_path / 'out'}"
    assert cli.main(["export", "--weights", "nowhere", "--out", str(tmp_path)]) == 1
    assert "'nowhere': neither embedded" in capsys.readouterr().err
