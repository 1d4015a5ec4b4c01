"""Static int8 quantisation of an ONNX network. Needs onnx and onnxruntime.

QDQ format, int8 weights with a scale for each channel, int8 activations with the ranges seen on
training images (Jacob et al. 2018, https://arxiv.org/abs/1712.05877). Convolutions and the pooling
between them are quantised; attention, head and Grad-CAM cost nearly nothing and stay in float32.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from fer_cbam.backends.names import INPUT

BATCH = 32


class _Batches:
    """onnxruntime's CalibrationDataReader: batches, then None."""

    def __init__(self, x: np.ndarray):
        self._batches: Iterator[np.ndarray] = iter(np.array_split(x, -(-len(x) // BATCH)))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantize(graph: onnx.ModelProto, x: np.ndarray) -> onnx.ModelProto:
    """The same network in int8. x: preprocessed training images, float32 ``(N, C, H, W)``, from
    which the range of each activation is taken."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().addFilter(_no_advice)
    try:
        with tempfile.TemporaryDirectory() as folder:
            given, folded, small = (str(Path(folder) / f"{n}.onnx") for n in ("a", "b", "c"))
            onnx.save(graph, given)
            quant_pre_process(given, folded, skip_symbolic_shape=True)  # BatchNorm into convolution
            nodes = onnx.load(folded).graph.node
            quantize_static(
                folded, small, _Batches(x),
                quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv", "MaxPool"],
                nodes_to_exclude=[
                    n.name for n in nodes if any(".attention." in name for name in n.input)
                ],  # by their weights
            )  # fmt: skip
            quantized = onnx.load(small)
    finally:
        logging.getLogger().removeFilter(_no_advice)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(graph.metadata_props)
    return quantized


def _no_advice(record: logging.LogRecord) -> bool:
    """onnxruntime advises, through the root logger, to do the preprocessing that was just done."""
    return "pre-processing before quantization" not in record.getMessage()
