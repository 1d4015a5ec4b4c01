"""Weights as timm reads them: config.json and model.safetensors, written in one step."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_cbam import pretrained

if TYPE_CHECKING:
    import torch
    from torch import nn


def save_model(
    model: nn.Module,
    folder: str | Path,
    label_names: Sequence[str],
    extra: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    """Write ``config.json`` and ``model.safetensors`` as timm reads them.

    extra: our own keys for the root of config.json (landmarks, temperature, training, ...). dtype:
    how floating-point tensors are stored, by default float32; they are read back as float32. A
    folder that exists keeps its files until both new ones are complete.
    """
    import torch
    from timm.models import save_for_hf

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # A copy: the model in training stays channels_last, which safetensors does not store.
    stored = copy.deepcopy(model).to(device="cpu", dtype=dtype or torch.float32)
    stored = stored.to(memory_format=torch.contiguous_format)
    labels = {"num_classes": len(label_names), "label_names": list(label_names)}
    model_config = {"pretrained_cfg": labels, **(extra or {})}
    with tempfile.TemporaryDirectory(dir=folder) as partial:
        save_for_hf(stored, partial, model_config=model_config, safe_serialization=True)
        for name in (pretrained.WEIGHTS_FILE, pretrained.CONFIG_FILE):
            (Path(partial) / name).chmod(0o644)  # safetensors writes for its owner only
            (Path(partial) / name).replace(folder / name)
    return folder
