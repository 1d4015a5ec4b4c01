"""The network for voices as an ONNX graph. Needs torch and onnx.

Input: ``samples`` float32 ``(B, 32000)``. Outputs: ``logits`` ``(B, K)`` and ``token`` ``(B, D)``.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path
from typing import cast

import onnx
import timm
import torch
from torch import Tensor, nn

import fer_cbam.models  # noqa: F401  registers the architectures
from fer_cbam import pretrained
from fer_cbam.deploy.graph import OPSET, give_values, without_weights
from fer_cbam.models.prosody import WINDOW, FerCbamProsody
from fer_cbam.voice import INPUT, LOGITS, TOKEN


class _Explained(nn.Module):
    def __init__(self, model: FerCbamProsody):
        super().__init__()
        self.model = model

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.forward_explained(samples)


def build_voice(model: FerCbamProsody) -> onnx.ModelProto:
    """The graph with its weights under the names of the state_dict."""
    # As in fer_cbam.deploy.graph: no two tensors alike while it is recorded.
    scrambled = copy.deepcopy(model).eval()
    for tensor in scrambled.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / pretrained.GRAPH_FILE
        torch.onnx.export(
            _Explained(scrambled), (0.1 * torch.randn(2, WINDOW),), path,
            input_names=[INPUT], output_names=[LOGITS, TOKEN],
            dynamic_axes={name: {0: "batch"} for name in (INPUT, LOGITS, TOKEN)},
            opset_version=OPSET, training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False, dynamo=False,
        )  # fmt: skip
        graph = onnx.load(path)
    give_values(graph, model.state_dict())
    onnx.checker.check_model(graph, full_check=True)
    return graph


def add_voice_graph(folder: Path) -> Path:
    """Write ``model.onnx`` beside the ``model.safetensors`` of a folder of weights for voices."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    path = folder / pretrained.GRAPH_FILE
    bare = without_weights(
        build_voice(cast(FerCbamProsody, model)), pretrained.read_tensors(folder)
    )
    path.write_bytes(bare.SerializeToString())
    return path
