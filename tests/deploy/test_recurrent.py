"""The exported step of a recurrent network, over many frames, against the one in NumPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fer_cbam import cli, hub, pretrained
from fer_cbam.backends.open import open_backend
from fer_cbam.deploy import recurrent as module
from fer_cbam.deploy.recurrent import INPUTS, export_step, litert_step, onnx_step
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.smoothing.recurrent import Recurrent

LABELS = LABEL_SETS["ferplus"]


def saved(name: str, folder: Path) -> Path:
    torch.manual_seed(0)
    model = timm.create_model(name, in_features=8 + 8 + 20, width=12, hidden_size=16)
    for parameter in model.parameters():  # so that no part of it is 0
        torch.nn.init.normal_(parameter, 0, 0.4)
    model.mean.normal_()
    model.std.uniform_(0.5, 2)
    extra = {"temperature": 1.5, "reads": {"weights": "mine", "sha256": ""}}
    return hub.save_model(model, folder, LABELS, extra, torch.float16)


def largest_difference(run, smoother: Recurrent) -> float:
    """Over 40 frames, the state of each carried to the next."""
    rng = np.random.default_rng(1)
    own = theirs = np.zeros(smoother.state_size, np.float32)
    differences = []
    for i in range(40):
        x = rng.normal(size=36).astype(np.float32)
        seconds = (0.0, 0.0, 40.0)[i] if i < 3 else float(rng.exponential(0.2))
        expected, own = smoother.logits(x, seconds, own)
        (logits,), (theirs,) = run((x[None], np.array([seconds], np.float32), theirs[None]))
        differences += [np.abs(logits - expected).max(), np.abs(theirs - own).max()]
    return float(max(differences))


@pytest.mark.parametrize("name", pretrained.RECURRENT)
def test_onnx_over_many_frames(name, tmp_path):
    weights = saved(name, tmp_path / "weights")
    exported = export_step(weights, tmp_path / "out")
    assert [v.name for v in exported.variants] == ["torch", "numpy", "onnx"]
    assert all(v.milliseconds > 0 and v.size > 0 for v in exported.variants)
    run = onnx_step((tmp_path / "out" / pretrained.GRAPH_FILE).read_bytes())
    assert largest_difference(run, Recurrent.load(weights)) < 1e-4
    config = json.loads((tmp_path / "out" / pretrained.CONFIG_FILE).read_text())
    assert config["temperature"] == 1.5 and config["export"]["x"][0] == "log p(anger)"
    assert config["export"]["state_size"] == (32 if name == "fer_cbam_lstm" else 16)


def test_several_faces_at_once(tmp_path):
    weights = saved("fer_cbam_gru", tmp_path / "weights")
    export_step(weights, tmp_path / "out")
    run = onnx_step((tmp_path / "out" / pretrained.GRAPH_FILE).read_bytes())
    rng, smoother = np.random.default_rng(0), Recurrent.load(weights)
    x, state = rng.normal(size=(20, 36)), rng.normal(size=(20, 16))
    inputs = tuple(a.astype(np.float32) for a in (x, rng.uniform(0, 1, 20), state))
    logits, states = run(inputs)
    for i in range(20):
        expected = smoother.logits(inputs[0][i], float(inputs[1][i]), inputs[2][i])
        np.testing.assert_allclose(logits[i], expected[0], atol=1e-4)
        np.testing.assert_allclose(states[i], expected[1], atol=1e-4)


def test_litert_over_many_frames(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install '.[litert]'")
    pytest.importorskip("litert_torch", reason="litert-torch is not installed: '.[litert-export]'")
    weights = saved("fer_cbam_gru", tmp_path / "weights")
    export_step(weights, tmp_path / "out", "litert")
    run = litert_step((tmp_path / "out" / pretrained.LITERT_FILE).read_bytes())
    assert largest_difference(run, Recurrent.load(weights)) < 1e-4


def test_the_command(tmp_path, capsys):
    weights = saved("fer_cbam_gru", tmp_path / "weights")
    assert cli.main(["export", "--weights", str(weights), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "numpy" in said and f"written to {tmp_path / 'out'}" in said


def test_a_converter_that_errs_is_found(tmp_path, monkeypatch):
    weights = saved("fer_cbam_gru", tmp_path / "weights")
    right = module.onnx_step
    monkeypatch.setattr(module, "onnx_step", lambda content: lambda inputs: tuple(
        value + 0.01 for value in right(content)(inputs)
    ))  # fmt: skip
    with pytest.raises(WeightsError, match="onnx: its step differs from torch's by"):
        export_step(weights, tmp_path / "out")
    assert INPUTS == ("x", "seconds", "state")


def test_it_reads_no_faces(tmp_path):
    weights = saved("fer_cbam_gru", tmp_path / "weights")
    with pytest.raises(WeightsError, match="answers over time, on what others see"):
        open_backend(weights, "onnx")
