"""Grad-CAM without autograd is Grad-CAM, and the graph holds no weights twice."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from fer_cbam import hub, pretrained
from fer_cbam.deploy import graph
from fer_cbam.explain import class_gradcams


def test_closed_form_is_what_autograd_gives(folder, x):
    """Every class of every image: features weighted by the mean gradient of the logit."""
    model = hub.load_model(folder).model
    features = model.forward_features(torch.from_numpy(x)).requires_grad_()
    logits = model.forward_head(features)
    found = class_gradcams(model, features)
    assert found.shape == (*logits.shape, *features.shape[2:])
    for k in range(logits.shape[1]):
        gradient = torch.autograd.grad(logits[:, k].sum(), features, retain_graph=True)[0]
        expected = (gradient.mean((2, 3), keepdim=True) * features).sum(1)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(found[:, k], expected, rtol=1e-4, atol=1e-6)


def test_heads_without_a_closed_form_are_refused():
    import timm

    features = torch.rand(1, 120, 6, 6)
    model = timm.create_model("fer_cbam_tiny", global_pool="max")
    with pytest.raises(ValueError, match="no closed form for ClassifierHead"):
        class_gradcams(model, features)
    with pytest.raises(ValueError, match="classifier Identity; expected a linear layer"):
        class_gradcams(timm.create_model("fer_cbam_tiny", num_classes=0), features)
    model = timm.create_model("fer_cbam_paper", act_layer="gelu")
    with pytest.raises(ValueError, match=r"activation .*; expected ELU"):
        class_gradcams(model, torch.rand(1, 128, 6, 6))


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
