"""Load, save, push and pull weights: embedded, in a folder, or on a hub."""

from __future__ import annotations

from fer_cbam.hub.load import (
    DEFAULT_WEIGHTS,
    HUB_PREFIX,
    LoadedModel,
    load_model,
    resolve,
    with_revision,
)
from fer_cbam.hub.pull import pull
from fer_cbam.hub.push import push
from fer_cbam.hub.save import save_model

__all__ = [
    "DEFAULT_WEIGHTS",
    "HUB_PREFIX",
    "LoadedModel",
    "load_model",
    "pull",
    "push",
    "resolve",
    "save_model",
    "with_revision",
]
