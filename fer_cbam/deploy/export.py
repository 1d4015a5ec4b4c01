"""A folder that runs without torch: network, configuration, licence. Needs torch and onnx."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import fer_cbam
from fer_cbam import pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.data.base import Dataset
from fer_cbam.decide import Decision
from fer_cbam.deploy.graph import OPSET, build
from fer_cbam.deploy.int8 import quantize
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.hub import LoadedModel, load_model

CALIBRATION_SPLIT, JUDGING_SPLIT = "Training", "PublicTest"
CALIBRATION_IMAGES = 512
MAX_LOSS = 0.005  # of accuracy, for which int8 is still offered
LICENSE_FILE = "LICENSE.md"

LICENSE = """\
# Licence

These are the weights `{name}` (architecture `{architecture}`, trained on {data}), exported to ONNX.
Licence of the weights: {license}. Weights trained on FER2013, FER+ or CK+ are for research and not
for commercial use; CK+ is under an agreement of its own.

The code of the network is FER-CBAM's, Apache License 2.0:
<https://www.apache.org/licenses/LICENSE-2.0>.
"""


@dataclass(frozen=True)
class Variant:
    """One way to run the weights. size: bytes. milliseconds: for one face on one thread, median.
    accuracy: on ``PublicTest``, None without data."""

    name: str
    size: int
    milliseconds: float
    accuracy: float | None


@dataclass(frozen=True)
class Exported:
    """The folder written, and what was measured of it. int8: whether it was good enough to stay."""

    folder: Path
    variants: tuple[Variant, ...]
    int8: bool


def export(source: str | Path, folder: Path, dataset: Dataset | None = None) -> Exported:
    """Write ``model.onnx``, ``config.json`` and a licence.

    source: weights as in :func:`fer_cbam.hub.resolve`. dataset: FER2013 or FER+; with it the
    accuracy is measured on ``PublicTest``, and ``model.int8.onnx`` is calibrated on ``Training``
    and kept if it loses at most half a point.

    Raises:
        WeightsError: the weights cannot be loaded, or the folder is one of weights itself.
        DataError: the data set has no such splits.
    """
    if (folder / pretrained.WEIGHTS_FILE).exists():
        raise WeightsError(
            f"{folder}: holds {pretrained.WEIGHTS_FILE}, which belongs to another network; "
            "expected a new folder, or one of an earlier export"
        )
    loaded = load_model(source)
    calibration = _images(dataset, CALIBRATION_SPLIT)[0] if dataset else []
    crops, labels = _images(dataset, JUDGING_SPLIT) if dataset else ([], [])
    graph = build(loaded)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / pretrained.INT8_FILE).unlink(missing_ok=True)
    _write(folder / pretrained.GRAPH_FILE, graph.SerializeToString())
    _write(folder / LICENSE_FILE, _licence(loaded).encode())
    record: dict[str, Any] = {"format": "onnx", "opset": OPSET, "fer_cbam": fer_cbam.__version__}
    config = {**loaded.config, "export": record}
    _write_config(folder, config)
    backends: dict[str, Backend] = {
        "torch": TorchBackend(loaded, "cpu"),
        "onnx": OnnxBackend.load(folder, threads=1),
    }
    if dataset:
        _write(folder / pretrained.INT8_FILE, _quantized(graph, loaded, calibration))
        backends["onnx-int8"] = OnnxBackend.load(folder, int8=True, threads=1)
    variants = _compare(backends, folder, loaded, crops, labels)
    accuracy = {v.name: v.accuracy for v in variants}
    keep = bool(dataset) and (accuracy["onnx"] or 0) - (accuracy["onnx-int8"] or 0) <= MAX_LOSS
    if keep and dataset:
        record["int8"] = {
            "calibration": f"{len(calibration)} images of {dataset.name} {CALIBRATION_SPLIT}",
            f"accuracy on {dataset.name} {JUDGING_SPLIT}": accuracy,
        }
        _write_config(folder, config)
    else:
        (folder / pretrained.INT8_FILE).unlink(missing_ok=True)
    return Exported(folder, variants, keep)


def _images(dataset: Dataset, split: str) -> tuple[list[np.ndarray], list[str]]:
    """Pixels and labels of a split; of ``Training`` a sample that is the same every time."""
    samples = [s for s in dataset.samples if s.split == split]
    if not samples:
        raise DataError(
            f"{dataset.name}: no images of {split}; expected FER2013 or FER+, whose "
            f"{CALIBRATION_SPLIT} calibrates int8 and whose {JUDGING_SPLIT} judges it"
        )
    if split == CALIBRATION_SPLIT and len(samples) > CALIBRATION_IMAGES:
        chosen = np.random.default_rng(0).choice(len(samples), CALIBRATION_IMAGES, replace=False)
        samples = [samples[i] for i in sorted(chosen)]
    return [s.pixels for s in samples], [s.label for s in samples]


def _quantized(graph: onnx.ModelProto, loaded: LoadedModel, crops: list[np.ndarray]) -> bytes:
    content: bytes = quantize(graph, loaded.preprocess(crops)).SerializeToString()
    return content


def _compare(
    backends: dict[str, Backend], folder: Path, loaded: LoadedModel,
    crops: Sequence[np.ndarray], labels: Sequence[str],
) -> tuple[Variant, ...]:  # fmt: skip
    files = {
        "torch": loaded.folder / pretrained.WEIGHTS_FILE,
        "onnx": folder / pretrained.GRAPH_FILE,
        "onnx-int8": folder / pretrained.INT8_FILE,
    }
    times = milliseconds(backends)
    return tuple(
        Variant(name, files[name].stat().st_size, times[name], _accuracy(backend, crops, labels))
        for name, backend in backends.items()
    )


def _accuracy(backend: Backend, crops: Sequence[np.ndarray], labels: Sequence[str]) -> float | None:
    if not len(crops):
        return None
    decision = Decision.of(backend.config, backend.label_names)
    answers = [p.label for p in decision.predictions(forward_many(backend, crops).logits)]
    return float(np.mean(np.array(answers) == np.array(labels)))


def milliseconds(
    backends: dict[str, Backend], batch: int = 1, rounds: int = 50
) -> dict[str, float]:
    """Name -> median milliseconds a face, maps included; the backends take turns, so that a machine
    whose speed drifts treats all alike. Torch uses as many threads as it was told to."""
    size = next(iter(backends.values())).preprocess.input_size
    x = np.random.default_rng(0).random((batch, *size), np.float32)
    taken: dict[str, list[float]] = {name: [] for name in backends}
    for turn in range(rounds + 3):
        for name, backend in backends.items():
            started = time.perf_counter()
            backend.forward(x)
            if turn >= 3:  # the first warm up
                taken[name].append(time.perf_counter() - started)
    return {name: 1e3 * statistics.median(values) / batch for name, values in taken.items()}


def _licence(loaded: LoadedModel) -> str:
    config = loaded.config
    return LICENSE.format(
        name=loaded.name,
        architecture=config["architecture"],
        data=config.get("training", {}).get("data", "unnamed data"),
        license=config["pretrained_cfg"].get("license", "not stated"),
    )


def _write_config(folder: Path, config: dict[str, Any]) -> None:
    _write(folder / pretrained.CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
