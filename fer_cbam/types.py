"""What the parts hand to each other. Frozen: a result never changes after it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_cbam.dataframe import dataframe
from fer_cbam.saliency import attention_maps, saliency_maps

if TYPE_CHECKING:
    import pandas

FACE_COLUMNS = ("face", "x1", "y1", "x2", "y2", "score", "label", "confidence", "uncertain",
                "no_face")  # fmt: skip
IMAGE_COLUMNS = ("image", "source", *FACE_COLUMNS)


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face, in pixels of the image it was found in.

    box: ``(x1, y1, x2, y2)``, may reach beyond the image. score: detector confidence in [0, 1].
    landmarks: float32 ``(5, 2)``: the eye on the image's left, the eye on its right, nose tip,
    mouth corner on the left, mouth corner on the right, as they lie once the face is upright.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray

    @property
    def size(self) -> float:
        """The longer side of the box in pixels."""
        x1, y1, x2, y2 = self.box
        return max(x2 - x1, y2 - y1)

    def to_dict(self) -> dict[str, Any]:
        """``box``, ``score`` and ``landmarks`` as plain values, places to a tenth of a pixel."""
        return {
            "box": [round(float(v), 1) for v in self.box],
            "score": round(float(self.score), 4),
            "landmarks": [[round(float(v), 1) for v in point] for point in self.landmarks],
        }


@dataclass(frozen=True)
class Prediction:
    """What the model says of one face.

    label: the emotion that is said, by :mod:`fer_cbam.decide`; not always the most probable.
    confidence: its calibrated probability. probs: label -> calibrated probability, in the order of
    the logits, summing to 1. uncertain: confidence is below the threshold that was saved with the
    weights (never, where none was). no_face: the crop does not look like a face to the network;
    label and probs then mean nothing.
    """

    label: str
    confidence: float
    probs: Mapping[str, float]
    uncertain: bool = False
    no_face: bool = False

    @property
    def said(self) -> str:
        """The answer: ``"no face"``, ``"uncertain"``, or the label."""
        return "no face" if self.no_face else "uncertain" if self.uncertain else self.label

    def to_dict(self, digits: int = 6) -> dict[str, Any]:
        """``label``, ``confidence``, ``uncertain``, ``no_face`` and ``probs`` as plain values.

        digits: decimals of a probability.
        """
        return {
            "label": self.label,
            "confidence": round(float(self.confidence), digits),
            "uncertain": bool(self.uncertain),
            "no_face": bool(self.no_face),
            "probs": {label: round(float(p), digits) for label, p in self.probs.items()},
        }


@dataclass(frozen=True, eq=False)
class Saliency:
    """Where the model looked: float32 ``(S, S)`` in [0, 1] over the crop; NumPy takes it as such.

    kind: of the explainer, such as ``"gradcam"``, ``"occlusion"`` or ``"spatial_attention"``, see
    :mod:`fer_cbam.explain`. label: the emotion that is explained, None for attention, which does
    not depend on one.
    """

    values: np.ndarray
    kind: str
    label: str | None = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is None:  # where one is needed; NumPy 1 knows no such choice
            return np.asarray(self.values, dtype)
        return np.array(self.values, dtype, copy=copy)


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face cut out of its image as the training crops were cut.

    crop: RGB uint8 ``(S, S, 3)``. affine: float64 ``(2, 3)``, from crop pixels to image pixels.
    """

    face: Face
    crop: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True, eq=False)
class Recognition:
    """One face with all that is known of it.

    crop: RGB uint8 ``(S, S, 3)``, what the classifier saw before it was turned grey. affine:
    float64 ``(2, 3)``, from crop pixels to image pixels. saliencies: empty unless asked for.

    From the one forward pass, so that no explanation needs another: class_maps: label -> Grad-CAM
    as the network gives it, float32 ``(h, w)``, for `saliency`. gate: the network's own spatial
    attention, float32 ``(h, w)``, None where it has none, for `attention`. embedding: float32
    ``(D,)``, what the classifier sees; None where the backend gives none. gate_neutral: see
    :func:`fer_cbam.saliency.attention_maps`.
    """

    face: Face
    prediction: Prediction
    crop: np.ndarray
    affine: np.ndarray
    saliencies: tuple[Saliency, ...] = ()
    class_maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    gate: np.ndarray | None = None
    embedding: np.ndarray | None = None
    gate_neutral: float | None = None

    def saliency(self, label: str | None = None) -> Saliency:
        """The Grad-CAM of an emotion, by default of the predicted one, at the size of the crop.

        Raises:
            ValueError: the weights do not know that emotion.
        """
        label = self.prediction.label if label is None else label
        if label not in self.class_maps:
            known = ", ".join(self.class_maps) or "none, it was made without maps"
            raise ValueError(f"label {label!r}; expected one of: {known}")
        values = saliency_maps(self.class_maps[label], self.crop.shape[:2])
        return Saliency(values, "gradcam", label)

    def attention(self) -> Saliency | None:
        """The network's own spatial attention at the size of the crop; None where it has none."""
        if self.gate is None:
            return None
        values = attention_maps(self.gate, self.crop.shape[:2], self.gate_neutral)
        return Saliency(values, "spatial_attention")

    def to_dict(self, digits: int = 6) -> dict[str, Any]:
        """Face and prediction as plain values, ready for JSON: ``box``, ``score``, ``landmarks``,
        ``label``, ``confidence``, ``uncertain``, ``no_face``, ``probs``.

        digits: decimals of a probability.
        """
        return {**self.face.to_dict(), **self.prediction.to_dict(digits)}


class Recognitions(list[Recognition]):
    """The faces of one image, from the largest to the smallest: a list with two views of it."""

    def to_dict(self, digits: int = 6) -> list[dict[str, Any]]:
        """`Recognition.to_dict` of each face."""
        return [found.to_dict(digits) for found in self]

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each face: ``FACE_COLUMNS`` (its number from 1, box, score, label, ...), then
        the probability of each expression in a column of its name.

        Raises:
            ImportError: pandas is not installed.
        """
        return dataframe(list(_face_rows(self)), FACE_COLUMNS)


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What `EmotionRecognizer.recognize_many` says of one image.

    index: its place in the input, from 0. recognitions: its faces, from the largest to the
    smallest. error: why there are none, None where the image was read. source: its path or address,
    None for pixels and bytes.
    """

    index: int
    recognitions: tuple[Recognition, ...] = ()
    error: Exception | None = None
    source: str | None = None

    def to_dict(self, digits: int = 6) -> dict[str, Any]:
        """``faces``, see `Recognition.to_dict`, or ``error``."""
        if self.error is not None:
            return {"error": self._reason()}
        return {"faces": [found.to_dict(digits) for found in self.recognitions]}

    def _reason(self) -> str:
        return str(self.error) or type(self.error).__name__

    def _rows(self) -> Iterable[dict[str, Any]]:
        """A row for each face; one without a face where there is none."""
        image = {"image": self.index, "source": self.source}
        error = {} if self.error is None else {"error": self._reason()}
        for row in _face_rows(self.recognitions) if self.recognitions else [{}]:
            yield {**image, **row, **error}


class ImageResults(list[ImageResult]):
    """What was said of several images, in their order: a list with two views of it."""

    def to_dict(self, digits: int = 6) -> list[dict[str, Any]]:
        """`ImageResult.to_dict` of each image."""
        return [result.to_dict(digits) for result in self]

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each face: ``IMAGE_COLUMNS`` (the image's place from 0, its path, the face's
        number from 1, box, score, label, ...), then the probability of each expression, and
        ``error`` where there is one. An image without a face has one row, without a face.

        Raises:
            ImportError: pandas is not installed.
        """
        return dataframe([row for result in self for row in result._rows()], IMAGE_COLUMNS)


def _face_rows(recognitions: Iterable[Recognition]) -> Iterable[dict[str, Any]]:
    for number, found in enumerate(recognitions, 1):
        box = dict(zip(("x1", "y1", "x2", "y2"), map(float, found.face.box), strict=True))
        said = found.prediction
        yield {
            "face": number, **box, "score": float(found.face.score), "label": said.label,
            "confidence": float(said.confidence), "uncertain": bool(said.uncertain),
            "no_face": bool(said.no_face),
            **{name: float(prob) for name, prob in said.probs.items()},
        }  # fmt: skip


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
