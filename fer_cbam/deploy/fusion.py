"""Cross-modal attention as an ONNX graph. Needs torch and onnx.

Inputs for each modality, in the order of the network's ``widths``: ``<name>_tokens`` float32
``(B, T, D)``, ``<name>_times`` float32 ``(B, T)`` and ``<name>_present`` bool ``(B, T)``; T may
differ between modalities, and one that is missing is given one token that is not present. Output:
``logits`` ``(B, K)``.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from fer_cbam import pretrained
from fer_cbam.deploy.graph import OPSET
from fer_cbam.models.fusion import CrossModalAttention

PARTS = ("tokens", "times", "present")
LOGITS = "logits"


class _Flat(nn.Module):
    """The network with its inputs in a row."""

    def __init__(self, network: CrossModalAttention):
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        names = list(self.network.widths)
        kinds = [dict(zip(names, inputs[place::3], strict=True)) for place in range(3)]
        logits: Tensor = self.network(*kinds)
        return logits


def build_fusion(network: CrossModalAttention) -> onnx.ModelProto:
    """The graph with its weights in it."""
    inputs: list[Tensor] = []
    axes: dict[str, dict[int, str]] = {LOGITS: {0: "batch"}}
    for name, width in network.widths.items():
        inputs += [torch.randn(2, 3, width), torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)]
        axes |= {f"{name}_{part}": {0: "batch", 1: f"{name}_length"} for part in PARTS}
    names = [name for name in axes if name != LOGITS]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / pretrained.GRAPH_FILE
        torch.onnx.export(
            _Flat(network).eval(), tuple(inputs), path, input_names=names, output_names=[LOGITS],
            dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
        graph = onnx.load(path)
    for node in graph.graph.node:
        node.ClearField("doc_string")
    onnx.checker.check_model(graph, full_check=True)
    return graph
