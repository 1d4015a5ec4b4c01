"""Grad-CAM against pytorch-grad-cam and a hand-computed case; attention maps against the gates."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam.explain import gradcam, head_gradcam, spatial_attention


def trained_like(name: str, seed: int = 0) -> nn.Module:
    """A model in eval mode whose BatchNorm statistics and gates are not those of a fresh one."""
    torch.manual_seed(seed)
    model = timm.create_model(name)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


@pytest.fixture(params=timm.list_models("fer_cbam*", module="fer_cbam"))
def model(request) -> nn.Module:
    return trained_like(request.param)


@pytest.fixture
def x(model) -> torch.Tensor:
    size = model.pretrained_cfg["input_size"]
    return torch.rand((6, *size), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layer", ["last", "middle"])
def test_agrees_with_pytorch_grad_cam(model, x, layer):
    stages = [info["module"] for info in model.feature_info]
    name = stages[-1] if layer == "last" else stages[-2]
    target = torch.tensor([0, 1, 2, 3, 4, 5])
    with GradCAM(model=model, target_layers=[model.get_submodule(name)]) as reference:
        expected = reference(x.clone(), [ClassifierOutputTarget(int(t)) for t in target])
    ours = gradcam(model, x, target, None if layer == "last" else name).numpy()
    compared = 0
    for a, b in zip(ours, expected, strict=True):
        if b.std() == 0:  # nothing speaks for the class
            assert a.max() == 0
            continue
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] >= 0.999
        compared += 1
    assert compared >= 3


def test_default_layer_is_the_output_of_forward_features(model, x):
    last = model.feature_info[-1]["module"]
    torch.testing.assert_close(gradcam(model, x), gradcam(model, x, target_layer=last))


def test_range_and_default_target(model, x):
    cam = gradcam(model, x)
    assert cam.shape == (6, *x.shape[-2:]) and cam.dtype == torch.float32
    assert cam.min() >= 0 and cam.max() <= 1
    predicted = model(x).argmax(1)
    torch.testing.assert_close(cam, gradcam(model, x, predicted))
    for image in cam:
        assert image.max() == pytest.approx(1.0) or image.max() == 0


class TwoChannels(nn.Module):
    """Features are the image's two channels; the class scores are weighted means of them."""

    def forward_features(self, x):
        return x

    def forward_head(self, features):
        means = features.mean((2, 3))
        return torch.stack([2 * means[:, 0] - means[:, 1], -means[:, 0] - means[:, 1]], 1)


def test_hand_computed_case():
    x = torch.tensor([[[[1.0, 3.0], [0.0, 2.0]], [[4.0, 2.0], [0.0, 1.0]]]])
    # Class 0: relu(2 a - b) = [[0, 4], [0, 3]], divided by its maximum.
    cam = gradcam(TwoChannels(), x, torch.tensor([0]))
    torch.testing.assert_close(cam, torch.tensor([[[0.0, 1.0], [0.0, 0.75]]]))
    # Class 1: every weight is negative, nothing speaks for it.
    assert gradcam(TwoChannels(), x, torch.tensor([1])).max() == 0


def test_features_serve_any_number_of_classes(model, x):
    with torch.no_grad():
        features = model.forward_features(x)
    for label in (0, 3):
        target = torch.full((6,), label)
        torch.testing.assert_close(
            head_gradcam(model, features, target, x.shape[-2:]), gradcam(model, x, target)
        )


def test_explaining_leaves_no_trace(model, x):
    before = {k: v.clone() for k, v in model.state_dict().items()}
    gradcam(model, x, target_layer=model.feature_info[0]["module"])
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_unknown_layer(model, x):
    with pytest.raises(AttributeError, match="nowhere"):
        gradcam(model, x, target_layer="nowhere")


def test_attention_is_the_stretched_gate_of_the_last_pass(model, x):
    features = model.forward_features(x)
    gate = model.stages[-1].attention.spatial_map[:, 0]
    size = tuple(features.shape[-2:])
    low, high = gate.amin((1, 2), keepdim=True), gate.amax((1, 2), keepdim=True)
    torch.testing.assert_close(spatial_attention(model, size), (gate - low) / (high - low))
    large = spatial_attention(model, x.shape[-2:])
    assert large.shape == (6, *x.shape[-2:])
    assert large.amin((1, 2)).eq(0).all() and large.amax((1, 2)).eq(1).all()


def test_no_attention_no_map():
    plain = timm.create_model("fer_cbam_paper", attention=("", "", ""))
    plain(torch.rand(1, 1, 48, 48))
    assert spatial_attention(plain, (48, 48)) is None
