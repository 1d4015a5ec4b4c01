"""Weights on disk: where the embedded ones lie, and whether a folder of weights is whole.

A folder of weights holds ``config.json`` and ``model.safetensors``, the layout that timm reads with
``local-dir:`` and ``hf-hub:``, and perhaps ``model.onnx``. Everything here works without torch: the
checks read the header of the safetensors file, never a pickle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from fer_cbam.errors import WeightsError

EMBEDDED = Path(__file__).parent / "weights"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
# The network for ONNX Runtime. Beside WEIGHTS_FILE it is a graph that takes its weights from there
# (embedded weights); in a folder without one it holds them itself (`fer-cbam export`).
GRAPH_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
# The network for LiteRT (`fer-cbam export --format litert`), in int8 and in 16 bits.
LITERT_FILE, LITERT_FP16_FILE = "model.tflite", "model.fp16.tflite"
# Architectures of what reads no faces.
RECURRENT = ("fer_cbam_gru", "fer_cbam_lstm")
VOICES = ("fer_cbam_prosody",)
TEXTS = ("fer_cbam_text",)


def embedded_names() -> list[str]:
    """Names ``<arch>.<tag>`` of the weights that ship with the package and read faces."""
    others = (*RECURRENT, *VOICES, *TEXTS)
    return [name for name in _embedded() if name.partition(".")[0] not in others]


def embedded_voices() -> list[str]:
    """Names ``<arch>.<tag>`` of the weights that ship with the package and hear voices."""
    return [name for name in _embedded() if name.partition(".")[0] in VOICES]


def embedded_texts() -> list[str]:
    """Names ``<arch>.<tag>`` of the weights that ship with the package and read words."""
    return [name for name in _embedded() if name.partition(".")[0] in TEXTS]


def named_dir(kind: str, source: str | Path, embedded: list[str]) -> Path:
    """The folder of weights for something else than faces. kind: for words, ``voice`` or ``text``.
    source: one of the embedded names, or a folder.

    Raises:
        WeightsError: neither.
    """
    if str(source) in embedded:
        return EMBEDDED / str(source)
    if not Path(source).is_dir():
        known = ", ".join(embedded) or "none"
        raise WeightsError(f"{kind} {str(source)!r}: neither embedded ({known}), nor a folder")
    return Path(source)


def recurrent_dirs() -> list[Path]:
    """Folders of the recurrent networks that ship with the package, which read what others see."""
    return [EMBEDDED / name for name in _embedded() if name.partition(".")[0] in RECURRENT]


def _embedded() -> list[str]:
    return sorted(path.parent.name for path in EMBEDDED.glob(f"*/{CONFIG_FILE}"))


def embedded_dir(name: str) -> Path:
    """The folder of embedded weights ``<arch>.<tag>``, also of those that answer over time.

    Raises:
        WeightsError: no such weights are embedded.
    """
    if name not in {*embedded_names(), *(folder.name for folder in recurrent_dirs())}:
        known = ", ".join(embedded_names()) or "none"
        raise WeightsError(f"no embedded weights named {name!r}; embedded are: {known}")
    return EMBEDDED / name


def read_config(folder: Path) -> dict[str, Any]:
    """The checked config.json of a folder of weights.

    Raises:
        WeightsError: missing, not JSON, or without architecture and label names.
    """
    path = Path(folder) / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; expected a timm config.json") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(config, dict) or not isinstance(config.get("pretrained_cfg"), dict):
        raise WeightsError(f"{path}: expected an object with a 'pretrained_cfg' object in it")
    if not isinstance(config.get("architecture"), str):
        raise WeightsError(f"{path}: 'architecture' is missing; expected a name such as "
                           "'fer_cbam_paper'")  # fmt: skip
    check_labels(config, path)
    return config


def check_labels(config: Mapping[str, Any], source: Path | str = CONFIG_FILE) -> None:
    """Hold the label names of a config.json against its number of classes.

    source: the file, to be named in an error.

    Raises:
        WeightsError: not one name for each logit.
    """
    num_classes = config.get("num_classes", config["pretrained_cfg"].get("num_classes"))
    if num_classes != 0:  # 0: embeddings, nothing to name
        labels = label_names(config, source)
        if len(labels) != num_classes:
            raise WeightsError(f"{source}: {len(labels)} label_names for {num_classes} classes; "
                               "expected one name for each logit")  # fmt: skip


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Replace the config.json of a folder of weights in one step."""
    path = Path(folder) / CONFIG_FILE
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def label_names(config: Mapping[str, Any], source: Path | str = CONFIG_FILE) -> tuple[str, ...]:
    """Label names of a config.json, in the order of the logits.

    source: the file, to be named in an error.

    Raises:
        WeightsError: none, or names that are no strings or come twice.
    """
    names = config.get("label_names") or config["pretrained_cfg"].get("label_names")
    if not names or not isinstance(names, list | tuple):
        raise WeightsError(f"{source}: label_names is {names!r}; expected a list of one name for "
                           "each logit")  # fmt: skip
    if not all(isinstance(n, str) for n in names) or len(set(names)) != len(names):
        raise WeightsError(f"{source}: label_names {names}; expected different strings")
    return tuple(names)


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor in a folder's weights file.

    Raises:
        WeightsError: missing, truncated, or no safetensors file.
    """
    path = Path(folder) / WEIGHTS_FILE
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; expected safetensors weights")
    try:
        with safe_open(path, framework="np") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: damaged or no safetensors file ({error})") from error


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Name -> array of every floating-point tensor in a folder's weights file, as float32.

    Raises:
        WeightsError: as :func:`tensor_shapes`.
    """
    path = Path(folder) / WEIGHTS_FILE
    tensor_shapes(folder)
    tensors = load_file(path)
    floats = {name: array for name, array in tensors.items() if array.dtype.kind == "f"}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in floats.items()}


def graph_key(config: Mapping[str, Any]) -> str:
    """What of a config.json decides the graph of a network, to tell that ``model.onnx`` fits it."""
    cfg = config["pretrained_cfg"]
    deciding = {
        "architecture": config["architecture"],
        "model_args": config.get("model_args", {}),
        "input_size": list(cfg.get("input_size", ())),
        "num_classes": config.get("num_classes", cfg.get("num_classes")),
    }
    return json.dumps(deciding, sort_keys=True)


def check_tensors(
    found: Mapping[str, tuple[int, ...]],
    expected: Mapping[str, tuple[int, ...]],
    source: Path | str,
    optional: tuple[str, ...] = (),
) -> None:
    """Hold the tensors of a file against those of a model, both name -> shape.

    source: the file, to be named in an error. optional: prefixes of names that may differ (a
    classifier that is replaced on purpose).

    Raises:
        WeightsError: names the first few tensors that are missing, unexpected or of other shape.
    """
    compared = {n for n in {*found, *expected} if not n.startswith(optional)}
    missing, extra = compared - set(found), compared - set(expected)
    wrong = {n for n in compared - missing - extra if found[n] != expected[n]}
    problems = [f"missing {n}" for n in sorted(missing)]
    problems += [f"unexpected {n}" for n in sorted(extra)]
    problems += [f"{n} is {found[n]}, expected {expected[n]}" for n in sorted(wrong)]
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise WeightsError(f"{source}: not the weights of this model: "
                           + "; ".join(problems[:4]) + more)  # fmt: skip
