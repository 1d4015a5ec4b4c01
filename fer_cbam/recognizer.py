"""From an image to emotions, and the evidence for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import IOBase
from os import PathLike, fsdecode
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from fer_cbam.backends.base import Backend, Forward
from fer_cbam.backends.batched import BATCH_SIZE, forward_many
from fer_cbam.backends.names import EMBEDDING
from fer_cbam.backends.open import default_backend, open_backend
from fer_cbam.decide import Decision
from fer_cbam.detect import face_detector
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import WeightsError
from fer_cbam.explain.named import GATE, GRADCAM, default_explainer, open_explainer
from fer_cbam.hub import DEFAULT_WEIGHTS, with_revision
from fer_cbam.images import decode_image
from fer_cbam.prior import Prior, expected, own_prior
from fer_cbam.saliency import attention_maps, saliency_maps
from fer_cbam.smoothing.base import Smoother
from fer_cbam.smoothing.named import open_smoother, smoothers_of
from fer_cbam.types import (
    AlignedFace,
    Face,
    ImageResult,
    ImageResults,
    Prediction,
    Recognition,
    Recognitions,
    Saliency,
)

OneImage = str | bytes | bytearray | memoryview | PathLike[str] | Image.Image


class EmotionRecognizer:
    """Finds faces, aligns them as the training crops were, classifies and explains.

    Safe to share between threads. still: name of the explainer whose map a photograph shows first,
    see :mod:`fer_cbam.explain.named`.
    """

    def __init__(
        self,
        backend: Backend,
        detector: FaceDetector | None = None,
        prior: Prior | None = None,
    ):
        """backend: the weights. detector: YuNet where none is given. prior: see `from_pretrained`.

        Raises:
            PriorError, WeightsError: see :meth:`fer_cbam.decide.Decision.of`.
        """
        if len(backend.preprocess.landmarks) != 5:
            raise WeightsError(
                f"{backend.name}: config.json has {len(backend.preprocess.landmarks)} landmarks; "
                "expected 5, without which faces cannot be aligned"
            )
        self.backend = backend
        self.name = backend.name
        self.preprocess = backend.preprocess
        self.label_names = backend.label_names
        self.decision = Decision.of(backend.config, backend.label_names, prior)
        self._prior = prior
        self._smoothers: dict[str | None, Smoother] = {}
        self.gate_neutral = _gate_neutral(backend)
        self.detector: FaceDetector = detector or face_detector()
        self.still = default_explainer(backend, "still")

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path = DEFAULT_WEIGHTS,
        detector: FaceDetector | None = None,
        backend: str | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        prior: Prior | None = None,
    ) -> EmotionRecognizer:
        """Load weights: ``<arch>.<tag>``, a folder, or ``[hf-hub:]user/name[@revision]``.

        revision: a tag, branch or commit of a hub repository.

        backend: what runs the network: "torch"; "onnx" and "litert" (in int8), which need no torch;
        "onnx-int8", for a folder that ``fer-cbam export`` put such a network into. By default torch
        where it is installed, else onnx. All find faces with the same network.
        device: "cpu" or "cuda", for the network; by default "cuda" where torch runs it and finds
        one.

        prior: how often each expression is expected where the faces come from: "training",
        "uniform", a number from 0 (training) to 1 (uniform), or label -> share. Probabilities are
        then those for that mix, by Bayes' rule, and the label is the most probable. By default the
        weights decide, see :mod:`fer_cbam.decide`.

        Raises:
            PriorError: a prior that does not fit the labels.
            WeightsError: they are missing, damaged, or do not fit their architecture.
            BackendError: an unknown backend, packages that it needs are not installed, or a device
                that it does not run on.
        """
        backend = default_backend() if backend is None else backend
        opened = open_backend(with_revision(source, revision), backend, device)
        return cls(opened, detector or face_detector(backend), prior)

    @overload
    def __call__(
        self, image: OneImage | np.ndarray, explain: bool = False, *, allow_remote: bool = False
    ) -> Recognitions: ...

    @overload
    def __call__(
        self, image: Sequence[Any], explain: bool = False, *, allow_remote: bool = False
    ) -> ImageResults: ...

    @overload
    def __call__(
        self, image: Iterator[Any], explain: bool = False, *, allow_remote: bool = False
    ) -> Iterator[ImageResult]: ...

    def __call__(
        self, image: Any, explain: bool = False, *, allow_remote: bool = False
    ) -> Recognitions | ImageResults | Iterator[ImageResult]:
        """Recognise every face of an image, from the largest to the smallest.

        image: whatever :func:`fer_cbam.images.decode_image` reads: path, bytes, PIL image or RGB
        array. explain: fill ``saliencies`` with the map that is most to be trusted (`still`), the
        Grad-CAM and the spatial attention of the predicted emotion. allow_remote: an address of the
        web, or a data URL, is read too. An image without a face gives an empty list.

        A list, a tuple or an array ``(N, H, W, 3)`` of images gives a list of results, an iterator
        an iterator that reads an image when its turn comes; see `recognize_many`.

        Raises:
            ImageError: one image that cannot be read. Of several it is a result with an error.
        """
        if isinstance(image, list | tuple) or (isinstance(image, np.ndarray) and image.ndim == 4):
            many = self.recognize_many(image, explain=explain, allow_remote=allow_remote)
            return ImageResults(many)
        if isinstance(image, Iterator) and not isinstance(image, IOBase):  # an open file has lines
            return self.recognize_many(image, explain=explain, allow_remote=allow_remote)
        pixels = decode_image(image, allow_remote=allow_remote)
        return self.recognize(pixels, self.detector.detect(pixels), explain)

    def recognize(
        self, image: np.ndarray, faces: Sequence[Face], explain: bool = False
    ) -> Recognitions:
        """The same for faces that are known already; image is RGB uint8 ``(H, W, 3)``."""
        return Recognitions(self.recognize_aligned(self.align(image, faces), explain))

    def recognize_many(
        self, images: Iterable[Any], batch_size: int = BATCH_SIZE, explain: bool = False,
        *, allow_remote: bool = False,
    ) -> Iterator[ImageResult]:  # fmt: skip
        """Recognise the faces of many images, one result an image, in order, as they are ready.

        images: a list, an iterator or an array ``(N, H, W, 3)``, of whatever a single call takes.
        batch_size: how many faces, of different images, are gathered before the network is asked,
        which then answers them at once; no more images than that are read ahead, and of each only
        its crops are kept. With 1 each image is answered as soon as it is read. An image that
        fails, for whatever reason, gives a result with an error, and the others go on.
        allow_remote: see `__call__`.

        Raises:
            TypeError: one image in place of several.
        """
        if isinstance(images, str | bytes | PathLike) or getattr(images, "ndim", 4) < 4:
            raise TypeError(f"images: got one {type(images).__name__}; expected a list of images")
        sources: deque[str | None] = deque()

        def found() -> Iterator[list[AlignedFace] | Exception]:
            for image in images:
                sources.append(_source(image))
                yield self._find(image, allow_remote)

        results = self.recognize_found(found(), batch_size, explain)
        return (replace(result, source=sources.popleft()) for result in results)

    def recognize_found(
        self,
        found: Iterable[list[AlignedFace] | Exception],
        batch_size: int = BATCH_SIZE,
        explain: bool = False,
        call_size: int | None = None,
    ) -> Iterator[ImageResult]:
        """The same where the faces of each image were cut out already: what `align` gave, or why
        there is nothing.

        call_size: how many faces each call of the network has, exactly; see ``filled`` of
        :func:`fer_cbam.backends.batched.forward_many`. By default a crowd in one image is one call.
        """
        size = call_size or max(batch_size, BATCH_SIZE)
        answer = partial(
            self.recognize_aligned, explain=explain, batch_size=size, filled=bool(call_size)
        )
        waiting: list[tuple[int, list[AlignedFace] | Exception]] = []
        count = 0
        for index, aligned in enumerate(found):
            waiting.append((index, aligned))
            count += 0 if isinstance(aligned, Exception) else len(aligned)
            if count >= batch_size or len(waiting) >= batch_size:
                yield from _results(waiting, answer)
                waiting, count = [], 0
        yield from _results(waiting, answer)

    def _find(self, image: Any, allow_remote: bool) -> list[AlignedFace] | Exception:
        try:
            pixels = decode_image(image, allow_remote=allow_remote)
            return self.align(pixels, self.detector.detect(pixels))
        except Exception as error:  # of whatever kind: it belongs to this image alone
            return error

    def align(self, image: np.ndarray, faces: Sequence[Face]) -> list[AlignedFace]:
        """Cut faces out of an RGB uint8 ``(H, W, 3)`` image, the largest first.

        Raises:
            ImageError: a face without extent.
        """
        ordered = sorted(faces, key=lambda face: -face.size)
        return [AlignedFace(face, *self.preprocess.align(image, face)) for face in ordered]

    def recognize_aligned(
        self,
        faces: Sequence[AlignedFace],
        explain: bool = False,
        batch_size: int = BATCH_SIZE,
        filled: bool = False,
    ) -> list[Recognition]:
        """Recognise faces that were cut out already, of one image or of many, in their order.

        The network is asked once for each batch_size of them, for all that is known of a face.
        filled: see :func:`fer_cbam.backends.batched.forward_many`.
        """
        if not faces:
            return []
        crops = [face.crop for face in faces]
        forward = forward_many(self.backend, crops, batch_size, filled)
        answers = self._predictions(forward)
        maps = self._saliencies(forward, crops, answers, explain)
        rows = enumerate(zip(faces, answers, maps, strict=True))
        return [self._recognition(forward, row, *found) for row, found in rows]

    def _recognition(
        self, forward: Forward, row: int, aligned: AlignedFace, prediction: Prediction,
        saliencies: tuple[Saliency, ...],
    ) -> Recognition:  # fmt: skip
        gate, embedding = forward.attention, forward.embedding
        return Recognition(
            aligned.face, prediction, aligned.crop, aligned.affine, saliencies,
            dict(zip(self.label_names, forward.class_maps[row], strict=True)),
            None if gate is None else gate[row, 0],
            None if embedding is None else embedding[row],
            self.gate_neutral,
        )  # fmt: skip

    def classify(
        self, crops: Sequence[np.ndarray], explain: bool = False
    ) -> tuple[list[Prediction], list[tuple[Saliency, ...]]]:
        """Classify face crops, uint8 ``(h, w)`` grey or ``(h, w, 3)`` RGB.

        Returns a prediction and a tuple of saliencies (empty unless ``explain``) for each crop.
        """
        forward = forward_many(self.backend, crops)
        answers = self._predictions(forward)
        return answers, self._saliencies(forward, crops, answers, explain)

    def explain(self, crop: np.ndarray, label: str, method: str | None = None) -> Saliency:
        """The map of one crop for an emotion of one's choice.

        method: a name of :data:`fer_cbam.explain.named.EXPLAINERS`, by default `still`. A
        recognition has the Grad-CAM of all emotions already, see
        :meth:`fer_cbam.types.Recognition.saliency`.

        Raises:
            ValueError: the weights do not know that emotion, or there is no such method.
            BackendError: a method that needs torch, on another backend.
        """
        if label not in self.label_names:
            raise ValueError(f"label {label!r}; expected one of: {', '.join(self.label_names)}")
        return self.explain_labels(crop, [label], method)[label]

    def explain_labels(
        self, crop: np.ndarray, labels: Sequence[str], method: str | None = None
    ) -> dict[str, Saliency]:
        """The maps of one crop for several emotions; see `explain`."""
        explainer = open_explainer(method or self.still, self.backend)
        x = self.preprocess([crop])
        columns = np.array([[self.label_names.index(label) for label in labels]])
        maps = explainer.maps(x, columns)[0]
        values = explainer.scaled(maps, (x.shape[2], x.shape[3]))
        own = explainer.kind != GATE  # which depends on no emotion
        return {
            label: Saliency(value, explainer.kind, label if own else None)
            for label, value in zip(labels, values, strict=True)
        }

    def smoother(self, name: str | None = None) -> Smoother:
        """What is said of a face over time, for :func:`fer_cbam.video.analyse` and
        :func:`fer_cbam.video.tracks.follow`.

        name: "network", "filter", "average" or "none", see :mod:`fer_cbam.smoothing.named`; by
        default the first of them that these weights have.

        Raises:
            ValueError: no such smoother.
            WeightsError: these weights do not have it.
        """
        if name not in self._smoothers:
            backend = self.backend
            self._smoothers[name] = open_smoother(
                backend.config, backend.weights_file, self.decision, self._prior, name
            )
        return self._smoothers[name]

    @property
    def smoothers(self) -> tuple[str, ...]:
        """Names that `smoother` takes, by default the first."""
        backend = self.backend
        return smoothers_of(backend.config, backend.weights_file, self.decision, self._prior)

    def class_mix(self) -> dict[str, float] | None:
        """Label -> the share that the probabilities expect of it; None for weights that do not say
        what they were calibrated or trained on."""
        try:
            own = own_prior(self.backend.config, self.label_names)
        except WeightsError:
            return None
        return own if self._prior is None else expected(self._prior, own)

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings of face crops, float32 ``(N, D)``: what the classifier sees.

        Raises:
            WeightsError: a network that was exported before embeddings were.
        """
        embedding = forward_many(self.backend, crops).embedding
        if embedding is None:
            raise WeightsError(
                f"{self.name}: its ONNX network has no output {EMBEDDING!r}; expected one of "
                "'fer-cbam export' from this version on"
            )
        return embedding

    def _predictions(self, forward: Forward) -> list[Prediction]:
        return self.decision.predictions(forward.logits, forward.embedding)

    def _saliencies(
        self, forward: Forward, crops: Sequence[np.ndarray], answers: Sequence[Prediction],
        explain: bool,
    ) -> list[tuple[Saliency, ...]]:  # fmt: skip
        """For each crop the map of `still`, then those that came with the forward pass."""
        if not explain:
            return [()] * len(crops)
        found = []
        for row, (crop, answer) in enumerate(zip(crops, answers, strict=True)):
            given = [self._gradcam(forward, row, answer.label)]
            if forward.attention is not None:
                size = self.preprocess.input_size[1:]
                gate = attention_maps(forward.attention[row, 0], size, self.gate_neutral)
                given.append(Saliency(gate, GATE))
            if self.still in (GRADCAM, GATE):
                given.sort(key=lambda saliency: saliency.kind != self.still)
            else:
                given.insert(0, self.explain(crop, answer.label))
            found.append(tuple(given))
        return found

    def _gradcam(self, forward: Forward, row: int, label: str) -> Saliency:
        maps = forward.class_maps[row, self.label_names.index(label)]
        return Saliency(saliency_maps(maps, self.preprocess.input_size[1:]), GRADCAM, label)


def _results(
    waiting: Sequence[tuple[int, list[AlignedFace] | Exception]],
    answer: Callable[[list[AlignedFace]], list[Recognition]],
) -> Iterator[ImageResult]:
    """Results of images whose faces were found, or which failed."""
    faces = [face for _, aligned in waiting if isinstance(aligned, list) for face in aligned]
    try:
        found = iter(answer(faces))
    except Exception as error:
        if len(waiting) == 1:
            yield ImageResult(waiting[0][0], error=error)
            return
        for alone in waiting:  # so that only the image at fault pays
            yield from _results([alone], answer)
        return
    for index, aligned in waiting:
        if isinstance(aligned, Exception):
            yield ImageResult(index, error=aligned)
        else:
            yield ImageResult(index, tuple(next(found) for _ in aligned))


def _source(image: Any) -> str | None:
    """The path or address of an image; of a data URL not all of it."""
    if not isinstance(image, str | PathLike):
        return None
    text = fsdecode(image)
    return text if not text.startswith("data:") else text.partition(",")[0]


def _gate_neutral(backend: Backend) -> float | None:
    """The flag ``gate_neutral`` of config.json: what the network's last spatial gate is where it
    changes nothing. Only weights whose attention tells faces apart have it, and only of those the
    app shows the attention unasked.

    Raises:
        WeightsError: no positive number.
    """
    value = backend.config.get("gate_neutral")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise WeightsError(
            f"{backend.name}: gate_neutral in config.json: got {value!r}; expected a number above 0"
        )
    return float(value)
