"""What the parts hand to each other. Frozen: a result never changes after it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face, in pixels of the image it was found in.

    box: ``(x1, y1, x2, y2)``, may reach beyond the image. score: detector confidence in [0, 1].
    landmarks: float32 ``(5, 2)``: the eye on the image's left, the eye on its right, nose tip,
    mouth corner on the left, mouth corner on the right.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray

    @property
    def size(self) -> float:
        """The longer side of the box in pixels."""
        x1, y1, x2, y2 = self.box
        return max(x2 - x1, y2 - y1)


@dataclass(frozen=True)
class Prediction:
    """What the model says of one face.

    label: the most probable emotion. confidence: its probability. probs: label -> probability, in
    the order of the logits, summing to 1. uncertain: confidence is below the threshold that was
    saved with the weights (never, where none was).
    """

    label: str
    confidence: float
    probs: Mapping[str, float]
    uncertain: bool = False


@dataclass(frozen=True, eq=False)
class Saliency:
    """Where the model looked: float32 ``(S, S)`` in [0, 1] over the crop.

    kind: ``"gradcam"`` or ``"spatial_attention"``. label: the emotion that is explained, None for
    attention, which does not depend on one.
    """

    values: np.ndarray
    kind: str
    label: str | None = None


@dataclass(frozen=True, eq=False)
class Recognition:
    """One face with all that is known of it.

    crop: RGB uint8 ``(S, S, 3)``, what the classifier saw before it was turned grey. affine:
    float64 ``(2, 3)``, from crop pixels to image pixels. saliencies: empty unless asked for.
    """

    face: Face
    prediction: Prediction
    crop: np.ndarray
    affine: np.ndarray
    saliencies: tuple[Saliency, ...] = ()


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled face of a data set.

    pixels: uint8 ``(H, W)`` grey or ``(H, W, 3)`` RGB. label: canonical name. subject_id: the
    person, where the data set says so. group: what must not be torn apart (a sequence, a group of
    near-identical images). split: the data set's own, where it has one. label_probs: canonical
    name -> probability (FER+ vote distribution), empty where there is one label only.
    """

    sample_id: str
    pixels: np.ndarray
    label: str
    subject_id: str | None = None
    group: str | None = None
    split: str | None = None
    label_probs: Mapping[str, float] = field(default_factory=dict)
