"""The networks of this package for LiteRT, for folders of weights that have none beside them.

``graphs/<architecture>.tflite`` is what ``fer-cbam export --format litert`` makes for processors,
without its weights and what else it is packed with. Beside it ``<architecture>.tflite.json`` says
what goes where: of which tensor and which BatchNorm each constant is made, and which numbers are
those of the classes. So a few kilobytes serve any weights and every label set, and LiteRT needs
neither torch nor an export. ``python -m tools.known_litert`` makes the files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam import pretrained
from fer_cbam.backends.known_graphs import FOLDER, MOST_CLASSES, graph_name
from fer_cbam.errors import WeightsError

#: Of the network and of what says how it is filled.
SUFFIXES = (".tflite", ".tflite.json")
NORM_EPS = 1e-5  # of the BatchNorms of these architectures: torch's default
PLACES = 36  # of a class map
LARGEST = 127  # of an int8 weight, whose range is even


@dataclass(frozen=True)
class Recipe:
    """How a constant is made.

    tensor: the name of a tensor, None for the shift of a BatchNorm alone. norm: the BatchNorm
    behind it, or None. kind: "kernel" of a convolution, "depthwise" that of one with a single
    channel in, "matrix", "share" of a matrix in each place of a class map, or "shift" of a layer.
    """

    tensor: str | None
    norm: str | None
    kind: str

    def entry(self) -> dict[str, Any]:
        return asdict(self)

    def made(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """The constant, float32; kernels as ``(out, height, width, in)``, with a single channel in
        as ``(in, height, width, out)``."""
        factor: float | np.ndarray = 1.0
        shift: float | np.ndarray = 0.0
        if self.norm is not None:
            scale, bias, mean, var = (
                weights[f"{self.norm}.{part}"].astype(np.float64)
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            factor = scale / np.sqrt(var + NORM_EPS)
            shift = bias - mean * factor
        tensor = 0.0 if self.tensor is None else weights[self.tensor].astype(np.float64)
        if self.kind == "shift":
            return np.asarray(tensor * factor + shift, np.float32)
        if self.kind in ("matrix", "share"):
            return np.asarray(tensor / (PLACES if self.kind == "share" else 1), np.float32)
        scaled = tensor * np.reshape(factor, (-1, 1, 1, 1))
        order = (1, 2, 3, 0) if self.kind == "depthwise" else (0, 2, 3, 1)
        return np.ascontiguousarray(scaled.transpose(order), np.float32)


def quantised(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A kernel ``(out, ...)`` as int8, and the float32 scale of each ``out``."""
    largest = np.abs(kernel.reshape(len(kernel), -1)).max(axis=1)
    scales = np.maximum(largest, np.finfo(np.float32).tiny) / np.float32(LARGEST)
    steps = np.rint(kernel / scales.reshape(-1, *[1] * (kernel.ndim - 1)))
    return steps.astype(np.int8), scales.astype(np.float32)


def is_known(folder: Path) -> bool:
    """Whether the weights of a folder can run on LiteRT without an export."""
    try:
        config = pretrained.read_config(folder)
        names = pretrained.tensor_shapes(folder)
        graph_name(config, names, SUFFIXES[0])
    except WeightsError:
        return False
    return len(pretrained.label_names(config)) <= MOST_CLASSES


def known_network(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> bytes:
    """The network of a config.json, with its tensors in it.

    Raises:
        WeightsError: there is none, and why; or tensors that are not those of the architecture.
    """
    name = graph_name(config, weights, SUFFIXES[0])
    network, text = (FOLDER / f"{name}{suffix}" for suffix in SUFFIXES)
    plan = json.loads(text.read_text(encoding="utf-8"))
    content = np.frombuffer(network.read_bytes().ljust(plan["size"], b"\0"), np.uint8).copy()
    count = len(pretrained.label_names(config))
    if count > MOST_CLASSES:
        raise WeightsError(f"{count} classes; without an export expected at most {MOST_CLASSES}")
    for place, factor in plan["classes"]:
        content[place : place + 4] = np.frombuffer(np.int32(factor * count).tobytes(), np.uint8)
    for entry in plan["constants"]:
        try:
            _fill(content, entry, weights, count)
        except (KeyError, ValueError) as error:
            raise WeightsError(f"not the weights of {config['architecture']!r}: {error}") from error
    return content.tobytes()


def _fill(
    content: np.ndarray, entry: Mapping[str, Any], weights: Mapping[str, np.ndarray], count: int
) -> None:
    """count: of classes, for which an entry's shape has 0."""
    values = Recipe(entry["tensor"], entry["norm"], entry["kind"]).made(weights)
    expected = tuple(side or count for side in entry["shape"])
    if values.shape != expected:
        raise ValueError(f"{entry['tensor']} is of shape {values.shape}; expected {expected}")
    if entry["scales"] is not None:
        values, scales = quantised(values)
        _put(content, entry["scales"], scales)
    _put(content, entry["at"], values)


def _put(content: np.ndarray, place: int, values: np.ndarray) -> None:
    whole = np.frombuffer(values.tobytes(), np.uint8)
    content[place : place + len(whole)] = whole
