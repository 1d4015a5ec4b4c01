"""The networks of this package as ONNX graphs, for folders of weights that have none beside them.

``graphs/<architecture>.onnx`` holds no weights and ``MOST_CLASSES`` classes: the classifier of the
weights is filled up with zeros, and what is said of the classes that it has not is left out. So one
small file serves every label set, and needs neither torch nor onnx. ``<architecture>.plain.onnx``
is the network before its last spatial gate had a mean of 1. ``python -m tools.known_graphs`` makes
the files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam.errors import WeightsError

FOLDER = Path(__file__).with_name("graphs")
MOST_CLASSES = 128
INPUT_SIZE = (1, 48, 48)
PLAIN = ".plain"
ONNX = ".onnx"
# Arguments that the tensors show, and the pool.
_SHOWN = {"num_classes", "in_chans", "img_size", "attention", "global_pool"}
_NORMALIZED = ".attention.spatial.norm."  # in the names of the tensors of a gate of mean 1


def known_graph(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> bytes:
    """The graph for a config.json and its tensors, to be opened with `filled_up` weights.

    Raises:
        WeightsError: there is none, and why.
    """
    return (FOLDER / f"{graph_name(config, weights)}{ONNX}").read_bytes()


def graph_name(config: Mapping[str, Any], names: Collection[str], suffix: str = ONNX) -> str:
    """The name of the file for a config.json and its tensors, of whose names there are `names`.

    Raises:
        WeightsError: there is none, and why.
    """
    architecture, cfg = config["architecture"], config["pretrained_cfg"]
    files = {path.name.removesuffix(suffix) for path in FOLDER.glob(f"*{suffix}")}
    if architecture not in files:
        known = ", ".join(sorted(name for name in files if PLAIN not in name))
        raise WeightsError(f"architecture {architecture!r}; without torch expected one of {known}")
    options = config.get("model_args") or {}
    changed = sorted(set(options) - _SHOWN)
    if changed or options.get("global_pool", "avg") not in ("avg", "flatten"):
        raise WeightsError(f"model_args {options}; without torch expected those of {architecture}")
    if tuple(cfg.get("input_size", ())) != INPUT_SIZE:
        raise WeightsError(f"input_size {cfg.get('input_size')}; without torch expected "
                           f"{list(INPUT_SIZE)}")  # fmt: skip
    plain = f"{architecture}{PLAIN}"
    has_mean = any(_NORMALIZED in name for name in names)
    return architecture if has_mean or plain not in files else plain


def filled_up(
    weights: Mapping[str, np.ndarray], config: Mapping[str, Any], count: int
) -> dict[str, np.ndarray]:
    """The tensors, those of the classifier with zeros for classes beyond the count.

    Raises:
        WeightsError: more classes than a graph has, or a classifier of another number of them.
    """
    filled = dict(weights)
    if count > MOST_CLASSES:
        raise WeightsError(f"{count} classes; without torch expected at most {MOST_CLASSES}")
    classifier = config["pretrained_cfg"].get("classifier", "head.fc")
    for name in (f"{classifier}.weight", f"{classifier}.bias"):
        own = weights.get(name)
        if own is None or len(own) != count:
            found = "missing" if own is None else f"of shape {own.shape}"
            raise WeightsError(f"{name} is {found}; expected a row for each of {count} classes")
        filled[name] = np.zeros((MOST_CLASSES, *own.shape[1:]), np.float32)
        filled[name][:count] = own
    return filled
