"""Explainers against pytorch-grad-cam, captum, and networks whose reasons are known."""

from __future__ import annotations

from types import SimpleNamespace

import captum.attr
import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM, HiResCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from fer_cbam.backends.base import Forward
from fer_cbam.backends.open import open_backend
from fer_cbam.errors import BackendError, WeightsError
from fer_cbam.explain.blend import OcclusionGradCam
from fer_cbam.explain.class_gradcam import GradCam
from fer_cbam.explain.gate import AttentionGate
from fer_cbam.explain.hirescam import HiResCam
from fer_cbam.explain.integrated_gradients import IntegratedGradients
from fer_cbam.explain.layercam import LayerCam
from fer_cbam.explain.named import DEFAULTS, EXPLAINERS, default_explainer, open_explainer
from fer_cbam.explain.occlusion import Occlusion, patches
from fer_cbam.saliency import attention_maps, saliency_maps, upsample


@pytest.fixture(scope="module", params=["fer_cbam_tiny.ferplus", "fer_cbam_paper.ckplus48"])
def backend(request):
    return open_backend(request.param, "torch", "cpu")


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    rng = np.random.default_rng(3)
    return upsample(rng.random((4, 1, 12, 12), np.float32), (48, 48))


LABELS = np.array([0, 3, 5, 6])


def reference(kind, backend, x, stage: int) -> np.ndarray:
    """pytorch-grad-cam's map ``(B, h, w)`` before it is rectified and scaled."""
    model = backend.model.requires_grad_(True)
    layer = model.stages[stage]
    try:
        with kind(model=model, target_layers=[layer]) as cam:
            inputs = torch.from_numpy(x).clone()
            cam(inputs, [ClassifierOutputTarget(int(t)) for t in LABELS])
            hooks = cam.activations_and_grads
            arrays = (hooks.activations[0].numpy(), hooks.gradients[0].numpy())
            if kind is GradCAM:
                weights = cam.get_cam_weights(inputs, layer, None, *arrays)
                return (weights[:, :, None, None] * arrays[0]).sum(1)
            return cam.get_cam_image(inputs, layer, None, *arrays, False)
    finally:
        model.requires_grad_(False)


@pytest.mark.parametrize(
    ("ours", "theirs", "stage"),
    [(lambda b, s: GradCam(b), GradCAM, -1), *(
        (cls, theirs, stage) for stage in (0, 1) for cls, theirs in
        ((LayerCam, LayerCAM), (HiResCam, HiResCAM))
    )],
)  # fmt: skip
def test_equal_to_pytorch_grad_cam(backend, x, ours, theirs, stage):
    expected = reference(theirs, backend, x, stage)
    found = ours(backend, stage).maps(x, LABELS[:, None])[:, 0]
    assert np.abs(expected).max() > 0
    scale = np.abs(expected).max((1, 2), keepdims=True)
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-6)


def test_integrated_gradients_are_captum_s_and_sum_to_the_logit_s_change(backend, x):
    inputs, labels = torch.from_numpy(x), torch.from_numpy(LABELS)
    model = backend.model

    def behind_the_norm(z):
        return model.forward_head(model.stages(z))

    normed = model.input_norm(inputs)
    theirs = captum.attr.IntegratedGradients(behind_the_norm).attribute(
        normed, target=labels, n_steps=16, method="gausslegendre"
    )
    found = IntegratedGradients(backend).attributions(inputs, labels)
    torch.testing.assert_close(found, theirs.float(), atol=1e-5, rtol=1e-4)
    fine = IntegratedGradients(backend, steps=200).attributions(inputs, labels).sum((1, 2, 3))
    with torch.no_grad():
        change = behind_the_norm(normed) - behind_the_norm(torch.zeros_like(normed))
    torch.testing.assert_close(fine, change.gather(1, labels[:, None])[:, 0], atol=0.05, rtol=0.02)


def test_the_gate_is_the_forward_pass_s(backend, x):
    gate = backend.forward(x).attention
    found = AttentionGate(backend).maps(x, np.stack([LABELS, LABELS], 1))
    np.testing.assert_array_equal(found[:, 0], gate[:, 0])
    np.testing.assert_array_equal(found[:, 1], gate[:, 0])
    neutral = backend.config.get("gate_neutral")  # the weights' own, where they have one
    np.testing.assert_array_equal(
        AttentionGate(backend)(x, LABELS), attention_maps(gate[:, 0], (48, 48), neutral)
    )


def test_a_neutral_gate_is_where_its_map_begins(backend, x, monkeypatch):
    monkeypatch.setitem(backend.config, "gate_neutral", 0.4)
    gate = backend.forward(x).attention
    np.testing.assert_array_equal(
        AttentionGate(backend)(x, LABELS), attention_maps(gate[:, 0], (48, 48), 0.4)
    )


def test_every_explainer_gives_maps_for_each_label_asked(backend, x):
    x, labels = x[:2], np.array([[0, 1], [2, 0]])
    for name in EXPLAINERS:
        explainer = open_explainer(name, backend)
        found = explainer.maps(x, labels)
        assert found.shape[:2] == (2, 2) and found.dtype == np.float32, name
        alone = explainer.maps(x[1:2], labels[1:2, ::-1])
        scale = np.abs(found).max()
        np.testing.assert_allclose(alone[0] / scale, found[1, ::-1] / scale, atol=1e-5)
        shown = explainer(x, labels[:, 0])
        assert shown.shape == (2, 48, 48) and 0 <= shown.min() <= shown.max() <= 1 + 1e-6, name
        if name != "spatial_attention":
            np.testing.assert_array_equal(shown, saliency_maps(found[:, 0], (48, 48)))


class Corner:
    """Label 1 is for light in the upper left corner, label 2 for light in the lower right one."""

    name, config = "corner", {}

    def forward(self, x):
        light = x[:, 0, :8, :8].mean((1, 2)), x[:, 0, -8:, -8:].mean((1, 2))
        logits = np.stack([np.zeros(len(x)), 6 * light[0], 6 * light[1]], 1).astype(np.float32)
        return Forward(logits, np.zeros((len(x), 3, 1, 1), np.float32), None, None)


def faces_with_light() -> np.ndarray:
    face = np.zeros((2, 1, 48, 48), np.float32)
    face[:, 0, :8, :8] = face[:, 0, -8:, -8:] = 1
    return face


@pytest.mark.parametrize("rows", [4, 6, 11])
def test_occlusion_finds_what_a_label_is_for(rows):
    maps = Occlusion(Corner(), rows, rows).maps(faces_with_light(), np.array([[1, 2], [2, 0]]))
    assert maps.shape == (2, 2, rows, rows)
    assert maps[0, 0].argmax() == 0 and maps[0, 1].argmax() == rows**2 - 1
    assert maps[1, 0].argmax() == rows**2 - 1
    # What speaks for the others speaks against label 0.
    assert maps[1, 1].min() < -0.5 and maps[1, 1].max() < 0.1


def test_occlusion_is_the_loss_of_log_odds_patch_by_patch():
    x = faces_with_light()[:1]
    mask = patches(4, 4, 48)[0, 0]
    from fer_cbam.explain.hide import blurred

    def odds(face):
        z = Corner().forward(face).logits[0].astype(float)
        p = np.exp(z[1]) / np.exp(z).sum()
        return np.log(p / (1 - p))

    covered = x * (1 - mask) + blurred(x) * mask
    expected = odds(x) - odds(covered.astype(np.float32))
    found = Occlusion(Corner(), 4, 4).maps(x, np.array([[1]]))[0, 0, 0, 0]
    assert found == pytest.approx(expected, abs=1e-5) and expected > 1


def test_a_blend_is_half_occlusion_and_half_gradcam(backend, x):
    labels = LABELS[:, None]
    parts = [upsample(made.maps(x, labels), (48, 48))
             for made in (Occlusion(backend, 3, 3), GradCam(backend))]  # fmt: skip
    parts = [m / m.std((2, 3), keepdims=True) for m in parts]
    found = OcclusionGradCam(backend).maps(x, labels)
    np.testing.assert_allclose(found, (parts[0] + parts[1]) / 2, atol=1e-4)
    assert (found < 0).any()  # what speaks against stays below 0


def test_patches_cover_the_face_and_lie_where_cells_are_drawn():
    for rows, columns in ((4, 4), (6, 6), (11, 11), (5, 6)):
        masks = patches(rows, columns, 48)
        assert masks.shape == (rows, columns, 48, 48) and masks.min() == 0 and masks.max() <= 1
        assert masks.max((0, 1)).min() > 0.2
        y, x = np.mgrid[:48, :48]
        inner = masks[1, 1]
        centre = [(inner * a).sum() / inner.sum() for a in (y, x)]
        assert centre == pytest.approx([1.5 * 48 / rows - 0.5, 1.5 * 48 / columns - 0.5], abs=0.5)


def test_what_cannot_be_differentiated_is_named():
    for cls in (LayerCam, HiResCam, IntegratedGradients):
        with pytest.raises(BackendError, match=r"got Corner.*expected backend 'torch'"):
            cls(Corner())
    with pytest.raises(WeightsError, match="corner: no spatial attention"):
        AttentionGate(Corner()).maps(faces_with_light(), np.array([[1], [1]]))
    with pytest.raises(ValueError, match="explainer 'lime'; expected one of: gradcam"):
        open_explainer("lime", Corner())


def test_config_says_what_is_shown_first():
    def weights(config):
        return SimpleNamespace(name="w", config=config)

    assert default_explainer(weights({}), "still") == DEFAULTS["still"]
    assert default_explainer(weights({}), "live") == "gradcam"
    own = weights({"explain": {"live": "spatial_attention"}})
    assert default_explainer(own, "live") == "spatial_attention"
    assert default_explainer(own, "still") == DEFAULTS["still"]
    for use, name in (("live", "occlusion_6x6"), ("still", "lime")):
        with pytest.raises(WeightsError, match=f"explain: {use}: '{name}'; expected one of"):
            default_explainer(weights({"explain": {use: name}}), use)
