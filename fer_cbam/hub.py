"""Load and save weights: embedded, in a folder, or on a hub.

Loading and saving go through timm and huggingface_hub; this file only finds the folder, checks it
before anything is built, and adds what timm does not know (our keys at the root of config.json).
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.preprocess import Preprocess

if TYPE_CHECKING:  # a folder is found, and its config read, without torch
    import torch
    from torch import nn

    from fer_cbam.models.fer_cbam import FerCbam

DEFAULT_WEIGHTS = "fer_cbam_paper.ckplus48"
HUB_PREFIX = "hf-hub:"


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network with all that is needed to use it.

    model: in eval mode, parameters without gradients; ``(B, C, H, W)`` -> logits ``(B, K)``.
    label_names: in the order of the logits. name: ``<arch>.<tag>`` or the source as given.
    config: the config.json as read.
    """

    model: FerCbam
    preprocess: Preprocess
    label_names: tuple[str, ...]
    name: str
    folder: Path
    config: dict[str, Any]


def resolve(source: str | Path) -> Path:
    """The folder that a source of weights stands for.

    source: ``<arch>.<tag>`` of embedded weights, a folder, or ``hf-hub:user/name[@revision]``.

    Raises:
        WeightsError: nothing is there.
    """
    text = str(source)
    if text.startswith(HUB_PREFIX):
        return _download(text.removeprefix(HUB_PREFIX))
    if text in pretrained.embedded_names():
        return pretrained.embedded_dir(text)
    if Path(source).is_dir():
        return Path(source)
    known = ", ".join(pretrained.embedded_names()) or "none"
    raise WeightsError(
        f"weights {text!r}: neither embedded ({known}), nor a folder, nor '{HUB_PREFIX}user/name'"
    )


def _download(repo: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"hub repository {repo!r}: {error.name} is not installed; "
            "expected: pip install 'fer-cbam[hub]'"
        ) from error

    repo_id, _, revision = repo.partition("@")
    try:
        folder = snapshot_download(
            repo_id,
            revision=revision or None,
            allow_patterns=[
                pretrained.CONFIG_FILE,
                pretrained.WEIGHTS_FILE,
                pretrained.GRAPH_FILE,
            ],
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsError(f"hub repository {repo!r} cannot be read: {error}") from error
    return Path(folder)


def load_model(source: str | Path = DEFAULT_WEIGHTS) -> LoadedModel:
    """Load weights for inference. See :func:`resolve` for what a source may be.

    Raises:
        WeightsError: missing, damaged, of an unknown architecture, or not fitting it.
    """
    import timm

    import fer_cbam.models  # noqa: F401  registers the architectures

    folder = resolve(source)
    config = pretrained.read_config(folder)
    architecture = config["architecture"]
    if not architecture.startswith("fer_cbam") or not timm.is_model(architecture):
        known = ", ".join(timm.list_models("fer_cbam*"))
        raise WeightsError(f"{folder}: architecture {architecture!r}; expected one of: {known}")
    preprocess = Preprocess.from_config(config)
    model = cast("FerCbam", timm.create_model(f"local-dir:{folder}", pretrained=True))
    model.eval().requires_grad_(False)
    name = folder.name if folder.parent == pretrained.EMBEDDED else str(source)
    return LoadedModel(model, preprocess, pretrained.label_names(config), name, folder, config)


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
