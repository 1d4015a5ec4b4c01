"""Why: Grad-CAM and the network's own spatial attention.

Grad-CAM after Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391. The last feature map
(behind the last attention) is the default layer. There the network is run once without gradients
and only its head is differentiated, so that the map costs a forward pass and a backward pass
through the head alone. Another layer is reached with hooks, at the full price.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer_cbam.models.cbam import CBAM
from fer_cbam.models.fer_cbam import FerCbam, FlattenHead


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
    size: tuple[int, int] | torch.Size = (48, 48),
) -> Tensor:
    """Grad-CAM from features that are already there, for one class after another.

    features: ``(B, C, h, w)`` of ``forward_features``. size: height and width of the result. See
    :func:`gradcam` for the rest.
    """
    with torch.enable_grad():
        features = features.detach().requires_grad_()
        gradient = _class_gradient(model.forward_head(features), features, target)
    return _weighted_map(features.detach(), gradient, size)


def class_gradcams(model: FerCbam, features: Tensor) -> Tensor:
    """Grad-CAM of every class at once, without autograd, before it is rectified and scaled.

    features: ``(B, C, h, w)`` of ``forward_features``. Returns ``(B, K, h, w)``: the features
    weighted by the mean gradient of each logit, in closed form. Behind global average pooling and
    one linear layer that gradient is the layer's weight over the number of positions; behind the
    paper's dense layer it is the chain rule through one activation.

    Raises:
        ValueError: a head of which no closed form is known.
    """
    head = model.head
    if not isinstance(head.fc, nn.Linear):
        raise ValueError(f"Grad-CAM: classifier {type(head.fc).__name__}; expected a linear layer")
    if isinstance(head, FlattenHead):
        weights = _flatten_head_gradient(head, features)
    elif getattr(head.global_pool, "pool_type", None) == "avg":
        weights = (head.fc.weight / features[0, 0].numel())[None]
    else:
        raise ValueError(
            f"Grad-CAM: no closed form for {type(head).__name__} with pooling {head.global_pool}; "
            "expected average pooling and a linear layer, or a FlattenHead"
        )
    return (weights @ features.flatten(2)).reshape(-1, weights.shape[1], *features.shape[2:])


def _flatten_head_gradient(head: FlattenHead, features: Tensor) -> Tensor:
    """Gradient of each logit by each channel, mean over positions: ``(B, K, C)``."""
    if not isinstance(head.act, nn.ELU):
        raise ValueError(f"Grad-CAM: activation {type(head.act).__name__}; expected ELU")
    hidden, alpha = head.hidden(head.flatten(features)), float(head.act.alpha)
    slope = torch.where(hidden > 0, 1.0, alpha * hidden.clamp_max(0).exp())
    by_channel = head.hidden.weight.reshape(hidden.shape[1], features.shape[1], -1).mean(2)
    return (cast(nn.Linear, head.fc).weight * slope[:, None]) @ by_channel


def spatial_attention(model: FerCbam, size: tuple[int, int] | torch.Size) -> Tensor | None:
    """The spatial gate of the model's last CBAM in its last forward pass.

    size: height and width of the result. Returns float32 ``(B, H, W)``, stretched in each image so
    that the least attended place is 0 and the most attended 1 (the gate itself spans a narrower
    range); None where the model has no spatial attention.
    """
    gates = [m.spatial_map for m in model.modules() if isinstance(m, CBAM)]
    known = [gate for gate in gates if gate is not None]
    if not known:
        return None
    gate = _upsample(known[-1], size)
    low, high = gate.amin((1, 2), keepdim=True), gate.amax((1, 2), keepdim=True)
    return (gate - low) / (high - low).clamp_min(1e-12)


def _class_gradient(logits: Tensor, activations: Tensor, target: Tensor | None) -> Tensor:
    if target is None:
        target = logits.argmax(1)
    scores = logits.gather(1, target[:, None])
    return torch.autograd.grad(scores.sum(), activations)[0]


def _weighted_map(activations: Tensor, gradient: Tensor, size: torch.Size | tuple) -> Tensor:
    """Relu of the activations weighted by their mean gradients, at the size of the input."""
    weights = gradient.mean((2, 3), keepdim=True)
    cam = F.relu((weights * activations).sum(1, keepdim=True))
    cam = _upsample(cam, size)
    return cam / cam.amax((1, 2), keepdim=True).clamp_min(1e-12)


def _upsample(maps: Tensor, size: torch.Size | tuple) -> Tensor:
    """``(B, 1, h, w)`` -> float32 ``(B, H, W)``, bilinear."""
    maps = F.interpolate(maps.float(), tuple(size), mode="bilinear", align_corners=False)
    return maps[:, 0]
