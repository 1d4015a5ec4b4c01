"""Grad-CAM of every class in one forward pass.

Grad-CAM after Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391: the last feature map,
each channel weighted by the mean gradient of the class's logit. Behind global average pooling and
one linear layer that gradient is the layer's weight over the number of positions; behind the
paper's dense layer it is the chain rule through one activation. So no backward pass is needed, and
all classes cost one matrix product. Other heads are differentiated.

The maps are neither rectified nor scaled: see :mod:`fer_cbam.saliency`.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from fer_cbam.models.fer_cbam import FerCbam, FlattenHead


class Outputs(NamedTuple):
    """logits ``(B, K)``, embedding ``(B, D)``, class_maps ``(B, K, h, w)``, and attention, the
    spatial gate of the last CBAM ``(B, 1, h, w)``, None where there is none."""

    logits: Tensor
    embedding: Tensor
    class_maps: Tensor
    attention: Tensor | None


def forward_explained(model: FerCbam, x: Tensor) -> Outputs:
    """All that a network says of ``(B, C, H, W)``, from one pass through its stages.

    May run in several threads at once: nothing is read back from the model.
    """
    features, gate = model.forward_gated(x)
    closed = without_closed_form(model) is None
    maps = class_gradcams(model, features) if closed else autograd_class_gradcams(model, features)
    embedding = model.forward_head(features, pre_logits=True)
    return Outputs(model.forward_head(features), embedding, maps, gate)


def without_closed_form(model: FerCbam) -> str | None:
    """Why Grad-CAM has no closed form for the head of a model; None where it has one."""
    head = model.head
    if not isinstance(head.fc, nn.Linear):
        return f"classifier {type(head.fc).__name__}; expected a linear layer"
    if isinstance(head, FlattenHead):
        known = isinstance(head.act, nn.ELU)
        return None if known else f"activation {type(head.act).__name__}; expected ELU"
    if getattr(head.global_pool, "pool_type", None) != "avg":
        return (
            f"no closed form for {type(head).__name__} with pooling {head.global_pool}; "
            "expected average pooling and a linear layer, or a FlattenHead"
        )
    return None


def class_gradcams(model: FerCbam, features: Tensor) -> Tensor:
    """Grad-CAM of every class in closed form.

    features: ``(B, C, h, w)`` of ``forward_features``. Returns ``(B, K, h, w)``.

    Raises:
        ValueError: a head of which no closed form is known.
    """
    if reason := without_closed_form(model):
        raise ValueError(f"Grad-CAM: {reason}")
    head = model.head
    if isinstance(head, FlattenHead):
        weights = _flatten_head_gradient(head, features)
    else:
        weights = (head.fc.weight / (features.shape[2] * features.shape[3]))[None]
    return torch.unflatten(weights @ features.flatten(2), 2, features.shape[2:])


def autograd_class_gradcams(model: FerCbam, features: Tensor) -> Tensor:
    """The same for any head, at the price of a backward pass through it for each class."""
    with torch.enable_grad():
        features = features.detach().requires_grad_()
        logits = model.forward_head(features)
        gradients = [
            torch.autograd.grad(score, features, retain_graph=True)[0] for score in logits.sum(0)
        ]
    weights = torch.stack([gradient.mean((2, 3)) for gradient in gradients], 1)
    return torch.unflatten(weights @ features.detach().flatten(2), 2, features.shape[2:])


def _flatten_head_gradient(head: FlattenHead, features: Tensor) -> Tensor:
    """Gradient of each logit by each channel, mean over positions: ``(B, K, C)``."""
    hidden, alpha = head.hidden(head.flatten(features)), float(cast(nn.ELU, head.act).alpha)
    slope = torch.where(hidden > 0, 1.0, alpha * hidden.clamp_max(0).exp())
    by_channel = head.hidden.weight.reshape(hidden.shape[1], features.shape[1], -1).mean(2)
    return (cast(nn.Linear, head.fc).weight * slope[:, None]) @ by_channel
