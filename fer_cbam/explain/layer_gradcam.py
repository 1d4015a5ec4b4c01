"""Grad-CAM at any layer, and the spatial attention of a network's last pass. Needs torch.

Grad-CAM after Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391, by autograd. The last
feature map (behind the last attention) is the default layer; there only the head is differentiated.
Another layer is reached with hooks, at the price of a backward pass. For every class of the last
feature map at once, see :mod:`fer_cbam.models.class_maps`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fer_cbam.models.cbam import CBAM
from fer_cbam.models.fer_cbam import FerCbam
from fer_cbam.saliency import attention_maps, saliency_maps


def gradcam(
    model: FerCbam, x: Tensor, target: Tensor | None = None, target_layer: str | None = None
) -> Tensor:
    """Grad-CAM of a batch.

    x: ``(B, C, H, W)``, preprocessed. target: int64 ``(B,)``, the class to explain, by default the
    one with the largest logit. target_layer: a module's name for ``get_submodule``; by default the
    output of ``forward_features``. Returns float32 ``(B, H, W)`` in [0, 1]: 0 is no evidence for
    the class, 1 the largest in that image (all 0 where nothing speaks for it).

    Raises:
        AttributeError: no such layer.
    """
    if target_layer is None:
        with torch.no_grad():
            features = model.forward_features(x)
        return head_gradcam(model, features, target, x.shape[-2:])
    activations: list[Tensor] = []
    layer = model.get_submodule(target_layer)
    hook = layer.register_forward_hook(lambda _module, _inputs, output: activations.append(output))
    try:
        with torch.enable_grad():
            logits = model(x.detach().requires_grad_())
            gradient = _class_gradient(logits, activations[-1], target)
    finally:
        hook.remove()
    return _weighted_map(activations[-1].detach(), gradient, x.shape[-2:])


def head_gradcam(
    model: FerCbam,
    features: Tensor,
    target: Tensor | None = None,
    size: Sequence[int] = (48, 48),
) -> Tensor:
    """Grad-CAM from features that are already there, for one class after another.

    features: ``(B, C, h, w)`` of ``forward_features``. size: height and width of the result. See
    :func:`gradcam` for the rest.
    """
    with torch.enable_grad():
        features = features.detach().requires_grad_()
        gradient = _class_gradient(model.forward_head(features), features, target)
    return _weighted_map(features.detach(), gradient, size)


def spatial_attention(model: FerCbam, size: Sequence[int]) -> Tensor | None:
    """The spatial gate of the model's last CBAM in its last forward pass.

    size: height and width of the result. Returns float32 ``(B, H, W)``, stretched in each image so
    that the least attended place is 0 and the most attended 1 (the gate itself spans a narrower
    range); None where the model has no spatial attention.
    """
    gates = [m.spatial_map for m in model.modules() if isinstance(m, CBAM)]
    known = [gate for gate in gates if gate is not None]
    if not known:
        return None
    gate = known[-1][:, 0].float()
    return torch.from_numpy(attention_maps(gate.cpu().numpy(), size)).to(gate.device)


def _class_gradient(logits: Tensor, activations: Tensor, target: Tensor | None) -> Tensor:
    if target is None:
        target = logits.argmax(1)
    scores = logits.gather(1, target[:, None])
    return torch.autograd.grad(scores.sum(), activations)[0]


def _weighted_map(activations: Tensor, gradient: Tensor, size: Sequence[int]) -> Tensor:
    """Relu of the activations weighted by their mean gradients, at the size of the input."""
    cam = (gradient.mean((2, 3), keepdim=True) * activations).sum(1).float()
    return torch.from_numpy(saliency_maps(cam.cpu().numpy(), size)).to(cam.device)
