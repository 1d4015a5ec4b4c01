"""A folder that runs without torch: network, configuration, licence. Needs torch and onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

import fer_cbam
from fer_cbam import pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.data.base import Dataset
from fer_cbam.deploy.folder import (
    CALIBRATION_SPLIT,
    JUDGING_SPLIT,
    LICENSE_FILE,
    MAX_LOSS,
    Exported,
    check_new,
    compare,
    images,
    licence,
    write,
    write_config,
)
from fer_cbam.deploy.graph import OPSET, build
from fer_cbam.deploy.int8 import quantize
from fer_cbam.hub import LoadedModel, load_model


def export(source: str | Path, folder: Path, dataset: Dataset | None = None) -> Exported:
    """Write ``model.onnx``, ``config.json`` and a licence.

    source: weights as in :func:`fer_cbam.hub.resolve`. dataset: FER2013 or FER+; with it the
    accuracy is measured on ``PublicTest``, and ``model.int8.onnx`` is calibrated on ``Training``
    and kept if it loses at most half a point.

    Raises:
        WeightsError: the weights cannot be loaded, or the folder is one of weights itself.
        DataError: the data set has no such splits.
    """
    check_new(folder)
    loaded = load_model(source)
    calibration = images(dataset, CALIBRATION_SPLIT)[0]
    crops, labels = images(dataset, JUDGING_SPLIT)
    graph = build(loaded)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / pretrained.INT8_FILE).unlink(missing_ok=True)
    write(folder / pretrained.GRAPH_FILE, graph.SerializeToString())
    write(folder / LICENSE_FILE, licence(loaded, "ONNX").encode())
    record: dict[str, Any] = {"format": "onnx", "opset": OPSET, "fer_cbam": fer_cbam.__version__}
    config = {**loaded.config, "export": record}
    write_config(folder, config)
    backends: dict[str, Backend] = {
        "torch": TorchBackend(loaded, "cpu"),
        "onnx": OnnxBackend.load(folder, threads=1),
    }
    if dataset:
        write(folder / pretrained.INT8_FILE, _quantized(graph, loaded, calibration))
        backends["onnx-int8"] = OnnxBackend.load(folder, int8=True, threads=1)
    files = {
        "torch": loaded.folder / pretrained.WEIGHTS_FILE,
        "onnx": folder / pretrained.GRAPH_FILE,
        "onnx-int8": folder / pretrained.INT8_FILE,
    }
    variants = compare(backends, files, crops, labels)
    if not dataset:
        return Exported(folder, variants)
    accuracy = {v.name: v.accuracy for v in variants}
    if (accuracy["onnx"] or 0) - (accuracy["onnx-int8"] or 0) > MAX_LOSS:
        (folder / pretrained.INT8_FILE).unlink()
        return Exported(folder, variants, dropped=("onnx-int8",))
    record["int8"] = {
        "calibration": f"{len(calibration)} images of {dataset.name} {CALIBRATION_SPLIT}",
        f"accuracy on {dataset.name} {JUDGING_SPLIT}": accuracy,
    }
    write_config(folder, config)
    return Exported(folder, variants)


def _quantized(graph: onnx.ModelProto, loaded: LoadedModel, crops: list[np.ndarray]) -> bytes:
    content: bytes = quantize(graph, loaded.preprocess(crops)).SerializeToString()
    return content
