"""What the recogniser sees in made clips, a row for each frame in which it finds the face.

Reading takes minutes: rendering, detection, alignment and the network, for every frame. So readings
are kept in a folder, some clips a file, and a run that was cut goes on with those that are missing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from eval.clips.camera import CANVAS, MARGIN, canvas_of, frames
from eval.clips.scene import Scene, draw_scene
from eval.studies.alignment import as_rgb
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.detect.yunet_onnx import OnnxYuNetDetector
from fer_cbam.smoothing.cues import cues
from fer_cbam.types import Face, Sample

PER_FILE = 25  # clips
CACHE = Path("runs/cache/clips")
SEARCH_SIDE = 128  # pixels; the face fills half of a frame


@dataclass(frozen=True, eq=False)
class Readings:
    """M frames of several clips, in order.

    clip: int ``(M,)``, the clip's number. seconds: float64 ``(M,)``, from the start of the clip.
    embedding: float32 ``(M, D)``. logits: float32 ``(M, K)``. cues: float32 ``(M, C)``. target: int
    ``(M,)``, the true label of the frame. target_probs: float32 ``(M, K)``, what people said of the
    stills in it, in the shares in which they show. label_change: float64 ``(M,)``, seconds of the
    latest change of the true label up to that frame, NaN where there was none. delivered: frames
    of all clips, those without a found face with them.
    """

    clip: np.ndarray
    seconds: np.ndarray
    embedding: np.ndarray
    logits: np.ndarray
    cues: np.ndarray
    target: np.ndarray
    target_probs: np.ndarray
    label_change: np.ndarray
    delivered: int

    def __len__(self) -> int:
        return len(self.clip)

    def rows(self, kept: np.ndarray) -> Readings:
        """Those of some rows, bool ``(M,)``; delivered stays that of all."""
        return _of({name: getattr(self, name)[kept] for name in ARRAYS}, self.delivered)

    def clips(self) -> list[slice]:
        """The rows of each clip."""
        ends = np.flatnonzero(np.diff(self.clip, append=np.iinfo(np.int64).max)) + 1
        return [slice(a, b) for a, b in zip((0, *ends[:-1]), ends, strict=True)]


ARRAYS = ("clip", "seconds", "embedding", "logits", "cues", "target", "target_probs",
          "label_change")  # fmt: skip


class OneLook(OnnxYuNetDetector):
    """YuNet's first search alone. A face that is followed is upright, and looking for it in the
    dark and in quarter turns takes five times as long; where it is not found, a frame is missed."""

    def _look_again(self, image: np.ndarray) -> np.ndarray:
        return np.empty((0, 15))

    def _turned(
        self, image: np.ndarray, rows: np.ndarray, sides: list[int]
    ) -> Iterator[np.ndarray]:
        return iter(())


def read_clips(
    backend: Backend, samples: Sequence[Sample], targets: np.ndarray, weights: np.ndarray,
    count: int, seed: int, folder: Path,
) -> Readings:  # fmt: skip
    """Make clips of stills and read them; from the folder, as far as they lie there.

    samples: the stills, N. targets: float32 ``(N, K)``, what people said of each, in the order of
    the weights' labels. weights: how likely each is shown, ``(N,)``. Clip i depends on seed and i
    alone. The folder is named after all that decides the clips.
    """
    place = folder / digest(backend, samples, targets, weights, seed)
    maker = _Maker(backend, samples, targets, weights, seed)
    parts = []
    for start in tqdm(range(0, count, PER_FILE), desc="clips", disable=None):
        path = place / f"{start:05d}.npz"
        if not path.is_file():
            save(path, maker.read(range(start, start + PER_FILE)))
        parts.append(load(path))
    merged = joined(parts)
    return kept_clips(merged, np.arange(count))


def digest(
    backend: Backend, samples: Sequence[Sample], targets: np.ndarray, weights: np.ndarray, seed: int
) -> str:
    """A name for clips that these make, and for how they are made: a clip of a stand-in tells."""
    found = hashlib.sha256(backend.weights_file.read_bytes())
    found.update(repr((backend.preprocess, seed, [s.sample_id for s in samples])).encode())
    for array in (targets, weights):
        found.update(np.ascontiguousarray(array, np.float64).tobytes())
    rng = np.random.default_rng(0)
    scene = draw_scene(rng, np.arange(4), np.ones(4))
    side = CANVAS + 2 * MARGIN
    stills = rng.integers(0, 256, (len(scene.stills), side, side)).astype(np.uint8)
    for frame in frames(scene, list(stills), np.asarray(backend.preprocess.landmarks), rng):
        found.update(frame.tobytes())
    return found.hexdigest()[:16]


class _Maker:
    """Makes clips; finds each still once, when it is first shown."""

    def __init__(
        self, backend: Backend, samples: Sequence[Sample], targets: np.ndarray,
        weights: np.ndarray, seed: int,
    ) -> None:  # fmt: skip
        self.backend, self.samples, self.targets = backend, samples, targets
        self.weights, self.seed = weights, seed
        self.labels = targets.argmax(axis=1)
        self.landmarks = np.asarray(backend.preprocess.landmarks)
        self._detector = OneLook(max_side=SEARCH_SIDE)
        self._canvases: dict[int, np.ndarray | None] = {}

    def read(self, numbers: Sequence[int]) -> Readings:
        rows: list[tuple[int, Scene, int, Face]] = []
        crops: list[np.ndarray] = []
        delivered = 0
        for number in numbers:
            rng = np.random.default_rng([self.seed, number])
            scene = self._scene(rng)
            canvases = [self._canvas(int(still)) for still in scene.stills]
            for t, frame in enumerate(frames(scene, canvases, self.landmarks, rng)):
                delivered += 1
                image = as_rgb(frame)
                face = self._followed(image, scene, t)
                if face is not None:
                    rows.append((number, scene, t, face))
                    crops.append(self.backend.preprocess.align(image, face)[0])
        forward = forward_many(self.backend, crops)
        assert forward.embedding is not None  # the embedded weights have one
        shown = [scene.stills[scene.shown()[t]] for _, scene, t, _ in rows]
        return Readings(
            np.array([number for number, *_ in rows]),
            np.array([scene.times[t] for _, scene, t, _ in rows]),
            forward.embedding, forward.logits,
            np.stack([cues(row[3], crop) for row, crop in zip(rows, crops, strict=True)]),
            self.labels[shown],
            np.stack([s.shares[t] @ self.targets[s.stills] for _, s, t, _ in rows]),
            np.array([self._changed(scene, t) for _, scene, t, _ in rows]), delivered,
        )  # fmt: skip

    def _scene(self, rng: np.random.Generator) -> Scene:
        while True:
            scene = draw_scene(rng, self.labels, self.weights)
            if all(self._canvas(int(still)) is not None for still in scene.stills):
                return scene

    def _canvas(self, still: int) -> np.ndarray:
        if still not in self._canvases:
            rng = np.random.default_rng([self.seed, 0, still])
            self._canvases[still] = canvas_of(
                self.samples[still].pixels, self.backend.preprocess, self._detector, rng
            )
        return self._canvases[still]  # type: ignore[return-value]  # `_scene` drops the others

    def _followed(self, image: np.ndarray, scene: Scene, t: int) -> Face | None:
        """The face nearest to where it is, None where none is found there."""
        middle = len(image) / 2 + scene.shift[t] * scene.size
        near = [
            face for face in self._detector.detect(image)
            if np.hypot(*(np.reshape(face.box, (2, 2)).mean(0) - middle)) < scene.size / 3
        ]  # fmt: skip
        return max(near, key=lambda face: face.score, default=None)

    def _changed(self, scene: Scene, t: int) -> float:
        labels = self.labels[scene.stills]
        own = [change for i, change in enumerate(scene.changes)
               if labels[i] != labels[i + 1] and change <= scene.times[t]]  # fmt: skip
        return own[-1] if own else np.nan


def save(path: Path, readings: Readings) -> None:
    """Write next to the file, then replace it in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.npz")
    arrays = {name: getattr(readings, name) for name in ARRAYS}
    np.savez(partial, delivered=readings.delivered, **arrays)
    partial.replace(path)


def load(path: Path) -> Readings:
    with np.load(path, allow_pickle=False) as file:
        return _of({name: file[name] for name in ARRAYS}, int(file["delivered"]))


def joined(parts: Sequence[Readings]) -> Readings:
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    return _of(columns, sum(part.delivered for part in parts))


def kept_clips(readings: Readings, numbers: np.ndarray) -> Readings:
    """The clips of these numbers; delivered stays that of all."""
    return readings.rows(np.isin(readings.clip, numbers))


def _of(columns: dict[str, np.ndarray], delivered: int) -> Readings:
    return Readings(**columns, delivered=delivered)
