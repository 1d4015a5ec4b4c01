"""The network as an ONNX graph that explains itself. Needs torch and onnx.

Inputs: ``x`` float32 ``(B, C, H, W)``, preprocessed. Outputs, all of one forward pass:

- ``logits`` ``(B, K)``;
- ``embedding`` ``(B, D)``: what the classifier sees;
- ``gradcam`` ``(B, K, h, w)``: Grad-CAM of every class in closed form, see
  :mod:`fer_cbam.models.class_maps`; rectified and scaled by the runtime;
- ``spatial_attention`` ``(B, 1, h, w)``: the gate of the last CBAM, where there is one.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from fer_cbam import pretrained
from fer_cbam.backends.names import ATTENTION, CONFIG_KEY, EMBEDDING, GRADCAM, INPUT, LOGITS
from fer_cbam.hub import LoadedModel, load_model
from fer_cbam.models.cbam import CBAM
from fer_cbam.models.class_maps import forward_explained, without_closed_form
from fer_cbam.models.fer_cbam import FerCbam

OPSET = 17  # ONNX 1.12; read by every ONNX Runtime since 1.12


class ExplainedNetwork(nn.Module):
    """``x`` -> the outputs above, in that order."""

    def __init__(self, model: FerCbam):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(output for output in forward_explained(self.model, x) if output is not None)


def build(loaded: LoadedModel) -> onnx.ModelProto:
    """The graph with its weights under the names of the state_dict.

    Raises:
        ValueError: a head of which Grad-CAM has no closed form.
    """
    if reason := without_closed_form(loaded.model):
        raise ValueError(f"{loaded.name}: Grad-CAM: {reason}")
    # Exported with values of no two tensors alike, and given the real ones afterwards: the exporter
    # makes one of tensors that are equal (the zeros of two biases, say).
    scrambled = copy.deepcopy(loaded.model)
    for tensor in scrambled.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    graph = _export(ExplainedNetwork(scrambled).eval(), loaded.preprocess.input_size)
    give_values(graph, loaded.model.state_dict())
    entry = graph.metadata_props.add()
    entry.key, entry.value = CONFIG_KEY, pretrained.graph_key(loaded.config)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _export(network: ExplainedNetwork, input_size: tuple[int, int, int]) -> onnx.ModelProto:
    gated = any(isinstance(m, CBAM) and m.spatial is not None for m in network.modules())
    names = [LOGITS, EMBEDDING, GRADCAM, *([ATTENTION] if gated else [])]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / pretrained.GRAPH_FILE
        # The exporter that goes through TorchScript is the older one. It needs no further package,
        # and with PRESERVE and without folding it keeps each weight as it is, under its own name.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.rand(2, *input_size),), path,
            input_names=[INPUT], output_names=names,
            dynamic_axes={name: {0: "batch"} for name in (INPUT, *names)},
            opset_version=OPSET, training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False, dynamo=False,
        )  # fmt: skip
        return onnx.load(path)


def give_values(graph: onnx.ModelProto, state: Mapping[str, Tensor]) -> None:
    """Put a state_dict's tensors, by their own names, in place of those that were exported."""
    for initializer in graph.graph.initializer:
        name = initializer.name.removeprefix("model.")
        if name in state:
            initializer.CopyFrom(numpy_helper.from_array(state[name].numpy(), name))
    for node in graph.graph.node:
        node.input[:] = [name.removeprefix("model.") for name in node.input]
        node.ClearField("doc_string")  # where on this machine the line of code stands


def without_weights(graph: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """The same graph, to be given the named tensors of ``model.safetensors`` when it is opened."""
    bare = onnx.ModelProto()
    bare.CopyFrom(graph)
    for tensor in bare.graph.initializer:
        if tensor.name not in names:  # a constant of the graph itself
            continue
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = tensor.external_data.add()
        place.key, place.value = "location", pretrained.WEIGHTS_FILE
    return bare


def add_graph(folder: Path) -> Path:
    """Write ``model.onnx`` beside the ``model.safetensors`` of a folder: a few kilobytes, with
    which its weights run without torch."""
    path = folder / pretrained.GRAPH_FILE
    bare = without_weights(build(load_model(folder)), pretrained.read_tensors(folder))
    path.write_bytes(bare.SerializeToString())
    return path
