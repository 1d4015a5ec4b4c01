"""Folders of weights without a graph run on the package's own, whatever their label set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch

from fer_cbam import hub, pretrained
from fer_cbam.backends.known_graphs import FOLDER, MOST_CLASSES
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.errors import WeightsError
from tools.known_graphs import GRAPHS, graph_of


def weights_of(name: str, count: int, folder: Path) -> Path:
    """Weights of a network of GRAPHS, with values of no two tensors alike, and no graph."""
    architecture, options = GRAPHS[name]
    torch.manual_seed(count)
    model = timm.create_model(architecture, num_classes=count, **options)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if tensor.ndim < 2 else tensor.normal_(0, 0.05)
    return hub.save_model(model, folder, [f"class {i}" for i in range(count)])


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("count", [2, 5, MOST_CLASSES])
def test_any_label_count_says_what_torch_says(name, count, tmp_path):
    folder = weights_of(name, count, tmp_path)
    assert not (folder / pretrained.GRAPH_FILE).exists()
    x = np.random.default_rng(0).random((3, 1, 48, 48), np.float32)
    found, expected = OnnxBackend.load(folder).forward(x), TorchBackend(
        hub.load_model(folder), "cpu"
    ).forward(x)  # fmt: skip
    assert np.ptp(expected.logits, axis=1).min() > 0.1  # else nothing is compared
    for part in ("logits", "class_maps", "embedding", "attention"):
        ours, theirs = getattr(found, part), getattr(expected, part)
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4, err_msg=part)


def test_the_files_are_those_that_the_tool_makes():
    assert {path.stem for path in FOLDER.glob("*.onnx")} == set(GRAPHS)
    for name in GRAPHS:
        kept = onnx.load(FOLDER / f"{name}.onnx", load_external_data=False).graph
        made = onnx.load_model_from_string(graph_of(name)).graph
        for part in ("node", "input", "output"):
            theirs = [item.SerializeToString() for item in getattr(made, part)]
            assert [item.SerializeToString() for item in getattr(kept, part)] == theirs
        tensors = [[(t.name, list(t.dims)) for t in g.initializer] for g in (kept, made)]
        assert tensors[0] == tensors[1]


def test_weights_stored_as_float16(tmp_path):
    model = timm.create_model("fer_cbam_tiny", num_classes=3)
    folder = hub.save_model(model, tmp_path, "abc", dtype=torch.float16)
    x = np.random.default_rng(0).random((1, 1, 48, 48), np.float32)
    expected = TorchBackend(hub.load_model(folder), "cpu").forward(x).logits
    np.testing.assert_allclose(OnnxBackend.load(folder).forward(x).logits, expected, atol=1e-4)


def change(folder: Path, **changes: object) -> None:
    path = folder / pretrained.CONFIG_FILE
    config = json.loads(path.read_text())
    cfg = {**config["pretrained_cfg"], **changes.pop("pretrained_cfg", {})}
    path.write_text(json.dumps({**config, **changes, "pretrained_cfg": cfg}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "fer_cbam_huge"}, "'fer_cbam_huge'; without torch expected one of "
         "fer_cbam_base, fer_cbam_paper, fer_cbam_tiny, or a folder made by 'fer-cbam export'"),
        ({"model_args": {"act_layer": "gelu"}}, "model_args .*gelu.* expected those of fer_cbam_t"),
        ({"model_args": {"global_pool": "max"}}, "model_args .*max.* expected those of"),
        ({"pretrained_cfg": {"input_size": [1, 64, 64]}}, r"input_size \[1, 64, 64\]; .*48, 48"),
        ({"pretrained_cfg": {"classifier": "head.out"}}, "head.out.weight is missing; expected a "),
        ({"architecture": "fer_cbam_base"}, "not the weights of 'fer_cbam_base'"),
    ],
)  # fmt: skip
def test_networks_that_no_graph_is_for(changes, message, tmp_path):
    folder = weights_of("fer_cbam_tiny", 4, tmp_path)
    change(folder, **changes)
    with pytest.raises(WeightsError, match=message):
        OnnxBackend.load(folder)


def test_more_classes_than_a_graph_has(tmp_path):
    folder = weights_of("fer_cbam_paper", MOST_CLASSES + 1, tmp_path)
    with pytest.raises(WeightsError, match="129 classes; without torch expected at most 128"):
        OnnxBackend.load(folder)
