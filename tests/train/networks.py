"""Networks small enough to be made in a test."""

from __future__ import annotations

import timm
import torch

import fer_cbam  # noqa: F401  (registers the models)

SMALL = {"channels": (8, 8, 8, 16), "depths": (1, 1, 1, 1)}


def small(num_classes: int, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return timm.create_model("fer_cbam_tiny", num_classes=num_classes, **SMALL).eval()
