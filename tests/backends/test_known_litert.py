"""Weights without an export run on the package's own networks for LiteRT."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch.nn.utils.fusion import fuse_conv_bn_weights

from fer_cbam import hub, pretrained
from fer_cbam.backends import known_litert
from fer_cbam.backends.known_graphs import FOLDER, MOST_CLASSES
from fer_cbam.backends.known_litert import (
    NORM_EPS,
    SUFFIXES,
    Recipe,
    is_known,
    known_network,
    quantised,
)
from fer_cbam.backends.litert import LitertBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.errors import WeightsError
from tests.backends.test_known_graphs import change, weights_of
from tools.known_litert import NETWORKS

TINY = "fer_cbam_tiny.ferplus"


def plan_of(name: str) -> dict:
    return json.loads((FOLDER / f"{name}{SUFFIXES[1]}").read_text())


def tensors_of(name: str, count: int, folder: Path) -> tuple[dict, dict]:
    weights_of(name, count, folder)
    return pretrained.read_config(folder), pretrained.read_tensors(folder)


def test_there_is_one_for_each_network():
    for suffix in SUFFIXES:
        found = {path.name.removesuffix(suffix) for path in FOLDER.glob(f"*{suffix}")}
        assert found == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_has_its_place(name, tmp_path):
    _, weights = tensors_of(name, 3, tmp_path)
    entries = plan_of(name)["constants"]
    norms = {entry["norm"] for entry in entries}
    used = {entry["tensor"] for entry in entries}
    left = [key for key in weights if key not in used and key.rpartition(".")[0] not in norms]
    assert left == []


@pytest.mark.parametrize("name", NETWORKS)
def test_constants_lie_apart_and_within(name):
    plan = plan_of(name)
    spans = []
    for entry in plan["constants"]:
        count = int(np.prod([side or MOST_CLASSES for side in entry["shape"]]))
        spans.append((entry["at"], entry["at"] + count * (4 if entry["scales"] is None else 1)))
        if entry["scales"] is not None:
            spans.append((entry["scales"], entry["scales"] + 4 * entry["shape"][0]))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] == plan["size"]


def test_kernels_are_fused_with_their_norms_as_torch_fuses_them():
    torch.manual_seed(0)
    kernel, (scale, bias, mean), var = torch.randn(5, 4, 3, 3), torch.randn(3, 5), torch.rand(5)
    names = ("n.weight", "n.bias", "n.running_mean", "n.running_var")
    weights = {
        key: value.numpy() for key, value in zip(names, (scale, bias, mean, var), strict=True)
    }
    weights["c.weight"] = kernel.numpy()
    fused, shift = fuse_conv_bn_weights(kernel, None, mean, var, NORM_EPS, scale, bias)
    made = Recipe("c.weight", "n", "kernel").made(weights)
    np.testing.assert_allclose(made, fused.detach().permute(0, 2, 3, 1), rtol=1e-5, atol=1e-6)
    made = Recipe(None, "n", "shift").made(weights)
    np.testing.assert_allclose(made, shift.detach(), rtol=1e-4, atol=1e-5)


def test_int8_is_within_half_a_step_of_each_channel():
    kernel = np.random.default_rng(0).normal(size=(6, 3, 3, 2)).astype(np.float32)
    kernel[1] *= 100
    kernel[2] = 0
    steps, scales = quantised(kernel)
    assert steps.dtype == np.int8
    assert np.abs(steps).reshape(6, -1).max(axis=1).tolist() == [127, 127, 0, 127, 127, 127]
    apart = np.abs(steps * scales[:, None, None, None] - kernel).reshape(6, -1).max(axis=1)
    assert (apart <= 0.5001 * scales).all()


def test_the_number_of_classes_is_written_everywhere(tmp_path):
    config, weights = tensors_of("fer_cbam_tiny", 5, tmp_path)
    network = known_network(config, weights)
    plan = plan_of("fer_cbam_tiny")
    assert len(network) == plan["size"]
    assert len(plan["classes"]) >= 4
    for place, factor in plan["classes"]:
        assert np.frombuffer(network[place : place + 4], "<i4")[0] == 5 * factor


def test_other_weights_are_refused(tmp_path):
    folder = weights_of("fer_cbam_tiny", 4, tmp_path)
    assert is_known(folder)
    config, weights = pretrained.read_config(folder), pretrained.read_tensors(folder)
    with pytest.raises(WeightsError, match=r"not the weights of 'fer_cbam_base': .* of shape"):
        known_network({**config, "architecture": "fer_cbam_base"}, weights)
    with pytest.raises(WeightsError, match=r"not the weights of 'fer_cbam_tiny': 'head.fc.weight'"):
        known_network(config, {k: v for k, v in weights.items() if k != "head.fc.weight"})
    many, weights = tensors_of("fer_cbam_tiny", MOST_CLASSES + 1, tmp_path / "many")
    assert not is_known(tmp_path / "many")
    with pytest.raises(WeightsError, match="129 classes; without an export expected at most 128"):
        known_network(many, weights)
    change(folder, architecture="fer_cbam_huge")
    assert not is_known(folder)
    with pytest.raises(WeightsError, match=r"'fer_cbam_huge'; .*'fer-cbam export --format litert'"):
        LitertBackend.load(folder)
    with pytest.raises(WeightsError, match=r"model.fp16.tflite: no such file; expected a folder"):
        LitertBackend.load(folder, fp16=True)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", [2, MOST_CLASSES])
def test_any_label_count_says_what_torch_says(name, count, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install '.[litert]'")
    folder = weights_of(name, count, tmp_path)
    x = np.random.default_rng(0).random((3, 1, 48, 48), np.float32)
    found, expected = LitertBackend.load(folder).forward(x), TorchBackend(
        hub.load_model(folder), "cpu"
    ).forward(x)  # fmt: skip
    assert found.logits.shape == (3, count)
    for part in ("logits", "class_maps", "embedding", "attention"):
        ours, theirs = getattr(found, part), getattr(expected, part)
        assert ours.shape == theirs.shape
        apart = np.abs(ours - theirs).max() / np.ptp(theirs)
        assert apart < 0.1, (part, apart)  # int8


def opened(network: bytes):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=network, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def kernels(network: bytes) -> dict[tuple[int, ...], list[tuple[np.ndarray, np.ndarray]]]:
    """Shape -> the int8 constants of a network in their order, as steps and scales."""
    interpreter = opened(network)
    found: dict[tuple[int, ...], list[tuple[np.ndarray, np.ndarray]]] = {}
    for entry in interpreter.get_tensor_details():
        if entry["dtype"] is np.int8:
            steps = interpreter.get_tensor(entry["index"]).astype(int)
            scales = entry["quantization_parameters"]["scales"]
            found.setdefault(steps.shape, []).append((steps, scales))
    return found


def numbers(network: bytes) -> list[np.ndarray]:
    """The float32 constants of a network, and whatever else its memory holds before a run."""
    interpreter = opened(network)
    found = []
    for entry in interpreter.get_tensor_details():
        if entry["dtype"] is np.float32:
            try:
                found.append(interpreter.get_tensor(entry["index"]).copy())
            except ValueError:
                continue  # what a run fills
    return found


def like(made, steps: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The one of some kernels that is the same but for half steps."""
    near = [each for each in made[steps.shape] if np.abs(each[0] - steps).max() <= 1]
    assert len(near) == 1
    theirs, their_scales = near[0]
    return theirs.astype(np.int8), np.asarray(their_scales, np.float32)


def as_rounded(known: list[np.ndarray], values: np.ndarray) -> np.ndarray:
    """The one of some constants that differs in its last digits alone; itself where none does."""
    for each in known:
        if each.size == values.size:
            theirs = each.reshape(values.shape)
            if np.allclose(theirs, values, rtol=1e-5, atol=1e-6):
                return theirs
    return values


def test_it_is_what_an_export_is(tmp_path, monkeypatch):
    pytest.importorskip("litert_torch", reason="litert-torch is not installed: '.[litert-export]'")
    from fer_cbam.deploy.litert import export_litert

    folder = export_litert(TINY, tmp_path / "export").folder
    exported = LitertBackend.load(folder)
    source = pretrained.embedded_dir(TINY)
    filled = kernels(known_network(pretrained.read_config(source), pretrained.read_tensors(source)))
    made = kernels((folder / pretrained.LITERT_FILE).read_bytes())
    assert {shape: len(each) for shape, each in filled.items()} == {
        shape: len(each) for shape, each in made.items()
    }
    for shape, each in made.items():
        for (steps, scales), (theirs, their_scales) in zip(filled[shape], each, strict=True):
            np.testing.assert_allclose(scales, their_scales, rtol=1e-6)
            apart = np.abs(steps - theirs)  # half a step is rounded to either side
            assert apart.max() <= 1 and (apart > 0).mean() < 0.005
    # With the export's own last digits and sides of half steps only the graph is left to differ.
    monkeypatch.setattr(known_litert, "quantised", lambda kernel: like(made, *quantised(kernel)))
    floats, fold = numbers((folder / pretrained.LITERT_FILE).read_bytes()), Recipe.made
    monkeypatch.setattr(Recipe, "made", lambda *own: as_rounded(floats, fold(*own)))
    known = LitertBackend.load(TINY)
    assert known.name == TINY
    assert known.weights_file.name == "model.safetensors"
    x = np.random.default_rng(0).random((4, 1, 48, 48), np.float32)
    for part in ("logits", "class_maps", "embedding", "attention"):
        ours, theirs = getattr(known.forward(x), part), getattr(exported.forward(x), part)
        np.testing.assert_allclose(ours, theirs, atol=2e-3 * np.ptp(theirs))


def test_weights_stored_as_float16(tmp_path):
    model = timm.create_model("fer_cbam_tiny", num_classes=3)
    folder = hub.save_model(model, tmp_path, "abc", dtype=torch.float16)
    network = known_network(pretrained.read_config(folder), pretrained.read_tensors(folder))
    assert len(network) == plan_of("fer_cbam_tiny")["size"]
