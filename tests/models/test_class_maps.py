"""Grad-CAM without autograd is Grad-CAM."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from fer_cbam import hub
from fer_cbam.models.class_maps import autograd_class_gradcams, class_gradcams, forward_explained
from fer_cbam.saliency import saliency_maps


def test_closed_form_is_what_autograd_gives(folder, x):
    """Every class of every image: features weighted by the mean gradient of the logit."""
    model = hub.load_model(folder).model
    features = model.forward_features(torch.from_numpy(x)).requires_grad_()
    logits = model.forward_head(features)
    found = class_gradcams(model, features)
    torch.testing.assert_close(autograd_class_gradcams(model, features), found)
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


def test_every_class_agrees_with_pytorch_grad_cam(folder, x):
    model = hub.load_model(folder).model
    with torch.no_grad():
        maps = forward_explained(model, torch.from_numpy(x)).class_maps
    saliencies, compared = saliency_maps(maps.numpy(), (48, 48)), 0
    layer = model.get_submodule(model.feature_info[-1]["module"])
    with GradCAM(model=model, target_layers=[layer]) as reference:
        for k in range(saliencies.shape[1]):
            inputs = torch.from_numpy(x).requires_grad_()
            expected = reference(inputs, [ClassifierOutputTarget(k)] * len(x))
            for a, b in zip(saliencies[:, k], expected, strict=True):
                if b.std() == 0:  # nothing speaks for the class
                    assert a.max() == 0
                    continue
                assert np.corrcoef(a.ravel(), b.ravel())[0, 1] >= 0.999
                compared += 1
    assert compared > len(x)
