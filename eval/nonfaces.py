"""Pictures that are no faces, made here, and a read of the embedding that tells them from faces.

A network of expressions answers anything. The usual score against that, the energy (``logsumexp``
of the logits, Liu et al. 2020, https://arxiv.org/abs/2010.03759), does not do: where 1 % of faces
are lost, most noise and textures pass. They lie in the embedding where no face is, so one linear
read of it tells them apart (logistic regression against made-up outliers: Hendrycks et al. 2019,
https://arxiv.org/abs/1812.04606). It is learnt on faces of Training and on the kinds of `FITTED`;
its threshold loses 1 % of PublicTest. Kinds of `UNSEEN` are never fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.errors import DataError, WeightsError

SIDE = 48
LOST = 0.01  # of the faces that set the threshold
FACES, EACH = 4000, 400  # that the read is learnt on; of each kind
HARD = ("negative", "tiles")  # made of every face: most like it in the embedding
_PENALTY = 1.0  # inverse of the ridge, of standardised features
Make = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:SIDE, :SIDE]
    return y, x


def _grey(values: np.ndarray) -> np.ndarray:
    """Any values ``(S, S)``, stretched to uint8."""
    low, extent = values.min(), np.ptp(values)
    return np.rint(255 * (values - low) / (extent or 1)).astype(np.uint8)


def noise(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """Each pixel on its own, of any contrast."""
    values = rng.normal(rng.uniform(60, 200), rng.uniform(5, 80), (SIDE, SIDE))
    return np.clip(values, 0, 255).astype(np.uint8)


def flat(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """One grey."""
    return np.full((SIDE, SIDE), rng.integers(0, 256), np.uint8)


def blobs(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """Smoothed noise: clouds to gravel."""
    return _grey(cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), rng.uniform(1, 6)))


def stripes(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """A wave of any direction and length."""
    y, x = _grid()
    angle, length = rng.uniform(0, np.pi), rng.uniform(4, 40)
    along = x * np.cos(angle) + y * np.sin(angle)
    return _grey(np.sin(2 * np.pi * along / length + rng.uniform(0, 6)))


def blocks(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """A mosaic of greys."""
    side = int(rng.integers(2, 13))
    values = rng.integers(0, 256, (SIDE // side + 1,) * 2)
    return np.kron(values, np.ones((side, side)))[:SIDE, :SIDE].astype(np.uint8)


def negative(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """A face as its negative."""
    return 255 - face


def tiles(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """A face cut into squares, in another order."""
    side = int(rng.choice([8, 12, 16, 24]))
    n = SIDE // side
    cut = face.reshape(n, side, n, side).transpose(0, 2, 1, 3).reshape(n * n, side, side)
    order = np.arange(n * n)
    while (order == np.arange(n * n)).any():  # none where it was
        order = rng.permutation(n * n)
    mixed = cut[order].reshape(n, n, side, side).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(mixed.reshape(SIDE, SIDE))


def gradient(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """From dark to light in any direction."""
    y, x = _grid()
    angle = rng.uniform(0, 2 * np.pi)
    return _grey(x * np.cos(angle) + y * np.sin(angle))


def checks(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """A chessboard."""
    y, x = _grid()
    side = int(rng.integers(3, 13))
    return (255 * ((x // side + y // side) % 2)).astype(np.uint8)


def discs(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """Round things on one ground."""
    picture = np.full((SIDE, SIDE), rng.integers(0, 256), np.uint8)
    for _ in range(int(rng.integers(1, 8))):
        centre = tuple(int(v) for v in rng.integers(0, SIDE, 2))
        cv2.circle(picture, centre, int(rng.integers(2, 16)), int(rng.integers(0, 256)), -1)
    return picture


def writing(rng: np.random.Generator, face: np.ndarray) -> np.ndarray:
    """Lines of characters."""
    picture = np.full((SIDE, SIDE), rng.integers(140, 256), np.uint8)
    for y in range(8, SIDE + 8, int(rng.integers(8, 14))):
        text = "".join(chr(c) for c in rng.integers(48, 123, 9))
        cv2.putText(picture, text, (0, y), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.25, 0.5),
                    int(rng.integers(0, 100)), 1, cv2.LINE_AA)  # fmt: skip
    return picture


FITTED: dict[str, Make] = {f.__name__: f for f in (noise, flat, blobs, stripes, blocks, negative,
                                                   tiles)}  # fmt: skip
UNSEEN: dict[str, Make] = {f.__name__: f for f in (gradient, checks, discs, writing)}
KINDS = {**FITTED, **UNSEEN}


def made(kind: str, count: int, faces: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Pictures of one kind, uint8 ``(48, 48)``; those made of faces take one after another.

    faces: grey ``(h, w)`` or RGB ``(h, w, 3)``.
    """
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    return [KINDS[kind](rng, _small(faces[i % len(faces)])) for i in range(count)]


def _small(face: np.ndarray) -> np.ndarray:
    grey = face if face.ndim == 2 else cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    return grey if grey.shape == (SIDE, SIDE) else cv2.resize(
        grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )  # fmt: skip


def embeddings(backend: Backend, crops: Sequence[np.ndarray]) -> np.ndarray:
    """float64 ``(N, D)``.

    Raises:
        WeightsError: a backend that gives none.
    """
    found = forward_many(backend, crops).embedding
    if found is None:
        raise WeightsError(f"{backend.name}: gives no embedding; expected one, to tell faces by")
    return found.astype(np.float64)


def fit_probe(
    backend: Backend, training: Sequence[np.ndarray], public: np.ndarray, seed: int = 0
) -> dict[str, Any]:
    """``face_probe`` for a config.json: see :mod:`fer_cbam.decide`.

    training: crops of faces that the read is learnt on. public: embeddings ``(N, D)`` of the faces
    that set its threshold.

    Raises:
        DataError: no faces to learn on.
    """
    from sklearn.linear_model import LogisticRegression

    if not len(training):
        raise DataError("face_probe: no training faces; expected some of the split Training")
    order = np.random.default_rng(seed).permutation(len(training))[:FACES]
    faces = [training[i] for i in order]
    read = [embeddings(backend, faces)]
    counts = {kind: len(faces) if kind in HARD else EACH for kind in FITTED}
    read += [embeddings(backend, made(kind, n, faces, seed)) for kind, n in counts.items()]
    x = np.concatenate(read)
    y = np.repeat([1, 0], [len(faces), len(x) - len(faces)])
    mean, spread = read[0].mean(0), read[0].std(0) + 1e-6
    fitted = LogisticRegression(C=_PENALTY, class_weight="balanced", max_iter=2000)
    fitted.fit((x - mean) / spread, y)
    weights = np.array([float(f"{w:.5g}") for w in fitted.coef_[0] / spread])
    scores = np.sort(public @ weights)
    lowest = scores[int(LOST * len(scores))]  # that many lie below
    step = 1e-4 * np.ptp(scores)  # rounding and other processors move no face across
    return {"weights": weights.tolist(), "bias": float(f"{step - lowest:.6g}")}
