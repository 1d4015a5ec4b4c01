"""Load, save, push and pull weights: embedded, in a folder, or on a hub.

Loading and saving go through timm and huggingface_hub; this file only finds the folder, checks it
before anything is built, and adds what timm does not know (our keys at the root of config.json).
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub import remote
from fer_cbam.preprocess import Preprocess

if TYPE_CHECKING:  # a folder is found, and its config read, without torch
    import torch
    from torch import nn

    from fer_cbam.models.fer_cbam import FerCbam

DEFAULT_WEIGHTS = "fer_cbam_base.ferplus"
HUB_PREFIX = remote.PREFIX


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

    source: ``<arch>.<tag>`` of embedded weights, a folder, or ``[hf-hub:]user/name[@revision]``.

    Raises:
        WeightsError: nothing is there.
    """
    text = str(source)
    local = None if text.startswith(HUB_PREFIX) else _local(source)
    if local:
        return local
    if remote.is_hub_id(text):
        return remote.fetch(text)
    raise _unknown(text)


def _local(source: str | Path) -> Path | None:
    if str(source) in pretrained.embedded_names():
        return pretrained.embedded_dir(str(source))
    return Path(source) if Path(source).is_dir() else None


def _unknown(source: str) -> WeightsError:
    known = ", ".join(pretrained.embedded_names()) or "none"
    return WeightsError(
        f"weights {source!r}: neither embedded ({known}), nor a folder, nor '{HUB_PREFIX}user/name'"
    )


def with_revision(source: str | Path, revision: str | None) -> str | Path:
    """``user/name`` and a tag, branch or commit -> ``user/name@revision``.

    Raises:
        WeightsError: a revision of something that is not on a hub, or a second one.
    """
    if revision is None:
        return source
    text = str(source)
    if not remote.is_hub_id(text) or (not text.startswith(HUB_PREFIX) and _local(source)):
        raise WeightsError(f"revision {revision!r} of {text!r}; expected a hub repository")
    if "@" in text:
        raise WeightsError(f"revision {revision!r} of {text!r}, which names one already")
    remote.check_revision(revision)
    return f"{text}@{revision}"


def push(
    source: str | Path, repo_id: str, private: bool = False, revision: str | None = None
) -> remote.Pushed:
    """Put weights on a hub: config.json, model.safetensors and their model card, one commit, a tag.

    source: a folder, or ``<arch>.<tag>``; loaded first, so that nothing broken leaves. A README.md
    in the folder is the card, else one is composed. See :func:`fer_cbam.hub.remote.upload` for the
    rest.

    Raises:
        WeightsError: the weights do not load, or the hub does not take them.
    """
    folder = _local(source)
    if folder is None:
        raise _unknown(str(source))
    load_model(folder)
    return remote.upload(folder, repo_id, private, revision)


def pull(source: str, folder: str | Path) -> Path:
    """Fetch ``[hf-hub:]user/name[@revision]``, check that it loads, and copy it to a folder.

    Other files of the folder stay, and its old weights until all new files are complete.

    Raises:
        WeightsError: see :func:`fer_cbam.hub.remote.fetch` and :func:`load_model`.
    """
    cached = remote.fetch(source)
    if find_spec("torch") and find_spec("timm"):
        load_model(cached)
    else:  # what can be told without; the rest when it is loaded
        Preprocess.from_config(pretrained.read_config(cached))
        pretrained.tensor_shapes(cached)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in remote.REPOSITORY_FILES if (cached / name).is_file()]
    with tempfile.TemporaryDirectory(dir=folder) as partial:
        for name in names:
            shutil.copyfile(cached / name, Path(partial) / name)
        for name in names[::-1]:  # weights before the config that describes them, as save_model
            (Path(partial) / name).replace(folder / name)
    return folder


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
