"""Find weights, and load them: embedded, in a folder, or on a hub.

Loading goes through timm; this file finds the folder and checks it before anything is built.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub import remote
from fer_cbam.hub.download import fetch
from fer_cbam.preprocess import Preprocess

if TYPE_CHECKING:  # a folder is found, and its config read, without torch
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
        return _fetch(text)
    raise _unknown(text)


def _fetch(source: str) -> Path:
    """From a hub, but for what reads as a mistyped folder: its name stays on this computer."""
    if source.startswith(HUB_PREFIX):
        return fetch(source)
    folder = Path(source)
    if folder.parent.is_dir():
        raise WeightsError(
            f"weights {source!r}: no such folder in {str(folder.parent)!r}; expected one, or "
            f"'{HUB_PREFIX}{source}' for a hub repository"
        )
    try:
        return fetch(source)
    except WeightsError as error:
        raise type(error)(f"{error}; nor is there a folder of that name here") from error


def local_folder(source: str | Path) -> Path:
    """The folder of embedded weights, or a folder that is given.

    Raises:
        WeightsError: neither.
    """
    folder = _local(source)
    if folder is None:
        raise _unknown(str(source))
    return folder


def _local(source: str | Path) -> Path | None:
    with suppress(WeightsError):
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
        known = ", ".join(timm.list_models("fer_cbam*", module="fer_cbam"))
        raise WeightsError(f"{folder}: architecture {architecture!r}; expected one of: {known}")
    preprocess = Preprocess.from_config(config)
    model = cast("FerCbam", timm.create_model(f"local-dir:{folder}", pretrained=True))
    model.eval().requires_grad_(False)
    name = folder.name if folder.parent == pretrained.EMBEDDED else str(source)
    return LoadedModel(model, preprocess, pretrained.label_names(config), name, folder, config)
