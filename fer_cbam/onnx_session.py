"""One way to open an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(model: bytes, weights: Mapping[str, np.ndarray] | None = None) -> InferenceSession:
    """A session on the CPU; its ``run`` may be called from several threads at once, and each call
    keeps to its own: that is fastest for a single face.

    model: the file's content. weights: name -> array for the weights that the file leaves out.

    Raises:
        onnxruntime's own exceptions: no ONNX model, or weights of another name, shape or type.
    """
    import onnxruntime as ort

    ort.disable_telemetry_events()  # of a program that imported it before this package
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    if weights:
        arrays = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), arrays)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
