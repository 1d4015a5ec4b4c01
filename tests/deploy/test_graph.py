"""The graph says all that the network says, and holds no weights twice."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from fer_cbam import hub, pretrained
from fer_cbam.deploy import graph


def test_heads_without_a_closed_form_are_not_exported(folder):
    loaded = hub.load_model(folder)
    loaded.model.reset_classifier(0)
    with pytest.raises(ValueError, match="classifier Identity; expected a linear layer"):
        graph.build(loaded)


@pytest.mark.parametrize("name", pretrained.embedded_names())
def test_embedded_graphs_have_all_outputs(name):
    built = onnx.load(pretrained.embedded_dir(name) / "model.onnx", load_external_data=False).graph
    found = [output.name for output in built.output]
    assert found == ["logits", "embedding", "gradcam", "spatial_attention"]


def test_the_graph_beside_weights_holds_none(folder):
    bare = onnx.load(folder / pretrained.GRAPH_FILE, load_external_data=False).graph
    weights = pretrained.read_tensors(folder)
    outside = {t.name for t in bare.initializer if t.data_location == onnx.TensorProto.EXTERNAL}
    assert outside == set(weights)
    inside = sum(len(t.raw_data) for t in bare.initializer)
    assert inside < 2000  # shapes and the like
    assert (folder / pretrained.GRAPH_FILE).stat().st_size < 50_000


def test_equal_tensors_keep_their_own_names(folder):
    """The exporter would make one tensor of two that are equal."""
    loaded = hub.load_model(folder)
    for name, tensor in loaded.model.state_dict().items():
        if name.endswith("norm.bias"):
            tensor.zero_()
    built = graph.build(loaded)
    names = {t.name for t in built.graph.initializer}
    floats = {n for n, t in loaded.model.state_dict().items() if t.is_floating_point()}
    assert floats <= names
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in built.graph.initializer}
    for name in floats:
        np.testing.assert_array_equal(tensors[name], loaded.model.state_dict()[name].numpy())
