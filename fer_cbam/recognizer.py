"""From an image to emotions, and to what spoke for them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam.backends.base import BACKENDS, Backend, Explained
from fer_cbam.decide import predictions
from fer_cbam.detect import face_detector
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import BackendError, WeightsError
from fer_cbam.hub import DEFAULT_WEIGHTS, with_revision
from fer_cbam.images import decode_image
from fer_cbam.types import Face, Prediction, Recognition, Saliency


class EmotionRecognizer:
    """Finds faces, aligns them as the training crops were, classifies and explains.

    Safe to share between threads.
    """

    def __init__(self, backend: Backend, detector: FaceDetector | None = None):
        if len(backend.preprocess.landmarks) != 5:
            raise WeightsError(
                f"{backend.name}: config.json has {len(backend.preprocess.landmarks)} landmarks; "
                "expected 5, without which faces cannot be aligned"
            )
        self.backend = backend
        self.name = backend.name
        self.preprocess = backend.preprocess
        self.label_names = backend.label_names
        self.temperature = float(backend.config.get("temperature", 1.0))
        self.uncertain_below = float(backend.config.get("uncertain_below", 0.0))
        self.detector: FaceDetector = detector or face_detector()

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path = DEFAULT_WEIGHTS,
        detector: FaceDetector | None = None,
        backend: str | None = None,
        *,
        revision: str | None = None,
    ) -> EmotionRecognizer:
        """Load weights: ``<arch>.<tag>``, a folder, or ``[hf-hub:]user/name[@revision]``.

        revision: a tag, branch or commit of a hub repository.

        backend: what runs the network: "torch"; "onnx", which needs no torch; "onnx-int8", for a
        folder that ``fer-cbam export`` put an int8 network into. By default torch where it is
        installed, else onnx. Both find faces with the same network and give the same answers.

        Raises:
            WeightsError: they are missing, damaged, or do not fit their architecture.
            BackendError: an unknown backend, or packages that it needs are not installed.
        """
        if backend is None:
            backend = "torch" if find_spec("torch") and find_spec("timm") else "onnx"
        source = with_revision(source, revision)
        return cls(open_backend(source, backend), detector or face_detector(backend))

    def __call__(self, image: Any, explain: bool = False) -> list[Recognition]:
        """Recognise every face of an image, from the largest to the smallest.

        image: whatever :func:`fer_cbam.images.decode_image` reads: path, bytes, PIL image or RGB
        array. explain: add a Grad-CAM of the predicted emotion and the spatial attention. An image
        without a face gives an empty list.

        Raises:
            ImageError: the image cannot be read.
        """
        pixels = decode_image(image)
        return self.recognize(pixels, self.detector.detect(pixels), explain)

    def recognize(
        self, image: np.ndarray, faces: Sequence[Face], explain: bool = False
    ) -> list[Recognition]:
        """The same for faces that are known already; image is RGB uint8 ``(H, W, 3)``."""
        if not faces:
            return []
        faces = sorted(faces, key=lambda face: -face.size)
        aligned = [self.preprocess.align(image, face) for face in faces]
        crops = [crop for crop, _ in aligned]
        predictions, saliencies = self.classify(crops, explain)
        return [
            Recognition(face, prediction, crop, affine, maps)
            for face, prediction, (crop, affine), maps in zip(
                faces, predictions, aligned, saliencies, strict=True
            )
        ]

    def classify(
        self, crops: Sequence[np.ndarray], explain: bool = False
    ) -> tuple[list[Prediction], list[tuple[Saliency, ...]]]:
        """Classify face crops, uint8 ``(h, w)`` grey or ``(h, w, 3)`` RGB.

        Returns a prediction and a tuple of saliencies (empty unless ``explain``) for each crop.
        """
        x = self.preprocess(crops)
        explained = self.backend.explain(x) if explain else None
        logits = self.backend.logits(x) if explained is None else explained.logits
        answers = predictions(logits, self.label_names, self.temperature, self.uncertain_below)
        if explained is None:
            return answers, [()] * len(crops)
        return answers, [_saliencies(explained, i, a.label) for i, a in enumerate(answers)]

    def explain(self, crop: np.ndarray, label: str) -> Saliency:
        """The Grad-CAM of one crop for an emotion of one's choice.

        Raises:
            ValueError: the weights do not know that emotion.
        """
        if label not in self.label_names:
            raise ValueError(f"label {label!r}; expected one of: {', '.join(self.label_names)}")
        target = np.array([self.label_names.index(label)])
        cam = self.backend.explain(self.preprocess([crop]), target).gradcam[0]
        return Saliency(cam, "gradcam", label)


def _saliencies(explained: Explained, row: int, label: str) -> tuple[Saliency, ...]:
    cam = Saliency(explained.gradcam[row], "gradcam", label)
    if explained.attention is None:
        return (cam,)
    return (cam, Saliency(explained.attention[row], "spatial_attention"))


def open_backend(source: str | Path, backend: str) -> Backend:
    """Load weights for one of ``BACKENDS``; see :meth:`EmotionRecognizer.from_pretrained`."""
    if backend not in BACKENDS:
        raise BackendError(f"backend {backend!r}; expected one of: {', '.join(BACKENDS)}")
    try:
        if backend == "torch":
            from fer_cbam.backends.torch import TorchBackend
            from fer_cbam.hub import load_model

            return TorchBackend(load_model(source))
        from fer_cbam.backends.onnx import OnnxBackend

        return OnnxBackend.load(source, int8=backend == "onnx-int8")
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "timm", "onnxruntime"):
            raise
        extra, other = ("torch", "onnx") if backend == "torch" else ("onnx", "torch")
        raise BackendError(
            f"backend {backend!r} needs {error.name}, which is not installed; "
            f"expected: pip install 'fer-cbam[{extra}]', or backend {other!r}"
        ) from error
