"""Torch: one pass, from any number of threads, on the device that was asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.errors import BackendError
from fer_cbam.labels import LABEL_SETS
from tests.graph_folders import LANDMARKS

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def test_each_output_is_that_of_the_model(folder, x):
    loaded = hub.load_model(folder)
    found = TorchBackend(loaded, "cpu").forward(x)
    model, pixels = loaded.model, torch.from_numpy(x)
    features = model.forward_features(pixels)
    np.testing.assert_allclose(found.logits, model(pixels).numpy(), atol=1e-5)
    expected = model.forward_head(features, pre_logits=True)
    np.testing.assert_allclose(found.embedding, expected.numpy(), atol=1e-5)
    gate = model.stages[-1].attention.spatial_map
    np.testing.assert_allclose(found.attention, gate.numpy(), atol=1e-6)
    assert found.class_maps.shape == (12, len(loaded.label_names), *features.shape[2:])


def test_one_pass_through_the_stages(folder, x):
    loaded, calls = hub.load_model(folder), []
    for stage in loaded.model.stages:
        stage.convs.register_forward_hook(lambda *_: calls.append(1))
    TorchBackend(loaded, "cpu").forward(x)
    assert len(calls) == len(loaded.model.stages)


def test_threads_get_what_one_thread_gets(folder, x):
    """No lock: the gate is an output of the pass, not something left behind in the model."""
    backend = TorchBackend(hub.load_model(folder), "cpu")
    alone = [backend.forward(x[i : i + 1]) for i in range(len(x))] * 8
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: backend.forward(x[i : i + 1]), [*range(len(x))] * 8))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-6)
        np.testing.assert_allclose(one.class_maps, other.class_maps, atol=1e-5)


@pytest.mark.parametrize("options", [{"global_pool": "max"}, {"attention": ("", "", "", "")}])
def test_heads_without_a_closed_form_and_networks_without_a_gate(options, x, tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("fer_cbam_tiny", **options)
    extra = {"landmarks": LANDMARKS, "model_args": options}
    loaded = hub.load_model(hub.save_model(model, tmp_path, LABEL_SETS["ferplus"], extra))
    found = TorchBackend(loaded, "cpu").forward(x[:2])
    assert (found.attention is None) == ("attention" in options)
    features = loaded.model.forward_features(torch.from_numpy(x[:2])).requires_grad_()
    logits = loaded.model.forward_head(features)
    for k in range(8):
        gradient = torch.autograd.grad(logits[:, k].sum(), features, retain_graph=True)[0]
        expected = (gradient.mean((2, 3), keepdim=True) * features).sum(1).detach()
        np.testing.assert_allclose(found.class_maps[:, k], expected.numpy(), atol=1e-6)


def test_cuda_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = hub.load_model(folder)
    assert TorchBackend(loaded).device == "cpu"
    with pytest.raises(BackendError, match="'cuda': torch finds none here; expected 'cpu'"):
        TorchBackend(loaded, "cuda")


@on_cuda
def test_cuda_says_what_the_cpu_says(folder, x):
    loaded = hub.load_model(folder)
    backend = TorchBackend(loaded)
    assert backend.device == "cuda" and next(loaded.model.parameters()).device.type == "cpu"
    found, expected = backend.forward(x), TorchBackend(loaded, "cpu").forward(x)
    for name in ("logits", "class_maps", "embedding", "attention"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4)
