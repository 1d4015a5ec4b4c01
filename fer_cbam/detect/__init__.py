"""Face detectors: the protocol in ``base``, one file for each backend."""

from __future__ import annotations

from importlib.util import find_spec

from fer_cbam.detect.base import FaceDetector as FaceDetector
from fer_cbam.detect.yunet import YuNetDetector as YuNetDetector


def face_detector(backend: str = "torch", max_side: int = 4096) -> FaceDetector:
    """The detector that goes with a backend of the recogniser: YuNet by ONNX Runtime for ``onnx``
    and ``onnx-int8``, and for ``litert`` where it is installed, else by OpenCV.

    max_side: see :class:`YuNetDetector`.
    """
    if backend.startswith("onnx") or (backend == "litert" and find_spec("onnxruntime")):
        from fer_cbam.detect.yunet_onnx import OnnxYuNetDetector

        return OnnxYuNetDetector(max_side=max_side)
    return YuNetDetector(max_side=max_side)
