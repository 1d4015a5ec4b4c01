"""From an image to emotions, and to what spoke for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fer_cbam.detect.base import FaceDetector
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.errors import WeightsError
from fer_cbam.explain import head_gradcam, spatial_attention
from fer_cbam.hub import DEFAULT_WEIGHTS, LoadedModel, load_model
from fer_cbam.images import decode_image
from fer_cbam.types import Face, Prediction, Recognition, Saliency


class EmotionRecognizer:
    """Finds faces, aligns them as the training crops were, classifies and explains.

    Safe to share between threads.
    """

    def __init__(self, loaded: LoadedModel, detector: FaceDetector | None = None):
        if len(loaded.preprocess.landmarks) != 5:
            raise WeightsError(
                f"{loaded.name}: config.json has {len(loaded.preprocess.landmarks)} landmarks; "
                "expected 5, without which faces cannot be aligned"
            )
        self.name = loaded.name
        self.model = loaded.model
        self.preprocess = loaded.preprocess
        self.label_names = loaded.label_names
        self.temperature = float(loaded.config.get("temperature", 1.0))
        self.uncertain_below = float(loaded.config.get("uncertain_below", 0.0))
        self.detector: FaceDetector = detector or YuNetDetector()
        # The model keeps its attention maps from one forward pass to the next.
        self._lock = threading.Lock()

    @classmethod
    def from_pretrained(
        cls, source: str | Path = DEFAULT_WEIGHTS, detector: FaceDetector | None = None
    ) -> EmotionRecognizer:
        """Load weights: ``<arch>.<tag>``, a folder, or ``hf-hub:user/name[@revision]``.

        Raises:
            WeightsError: they are missing, damaged, or do not fit their architecture.
        """
        return cls(load_model(source), detector)

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
        x = torch.from_numpy(self.preprocess(crops))
        with self._lock:
            features, logits = self._forward(x)
            attention = spatial_attention(self.model, x.shape[-2:]) if explain else None
        predictions = [self._decide(row) for row in logits]
        if not explain:
            return predictions, [()] * len(crops)
        cams = head_gradcam(self.model, features, logits.argmax(1), x.shape[-2:])
        return predictions, [
            self._saliencies(prediction.label, cam, None if attention is None else attention[i])
            for i, (prediction, cam) in enumerate(zip(predictions, cams, strict=True))
        ]

    def explain(self, crop: np.ndarray, label: str) -> Saliency:
        """The Grad-CAM of one crop for an emotion of one's choice.

        Raises:
            ValueError: the weights do not know that emotion.
        """
        if label not in self.label_names:
            raise ValueError(f"label {label!r}; expected one of: {', '.join(self.label_names)}")
        x = torch.from_numpy(self.preprocess([crop]))
        with self._lock:
            features, _ = self._forward(x)
        target = torch.tensor([self.label_names.index(label)])
        cam = head_gradcam(self.model, features, target, x.shape[-2:])[0]
        return Saliency(cam.numpy(), "gradcam", label)

    @torch.no_grad()
    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.model.forward_features(x)
        return features, self.model.forward_head(features)

    def _decide(self, logits: Tensor) -> Prediction:
        probs = (logits / self.temperature).softmax(0).tolist()
        best = max(range(len(probs)), key=probs.__getitem__)
        return Prediction(
            label=self.label_names[best],
            confidence=probs[best],
            probs=dict(zip(self.label_names, probs, strict=True)),
            uncertain=probs[best] < self.uncertain_below,
        )

    @staticmethod
    def _saliencies(label: str, cam: Tensor, attention: Tensor | None) -> tuple[Saliency, ...]:
        maps = (Saliency(cam.numpy(), "gradcam", label),)
        if attention is None:
            return maps
        return (*maps, Saliency(attention.numpy(), "spatial_attention"))
