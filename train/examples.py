"""From data sets to what a network trains on: faces as one tensor, targets of every head."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eval.predict import predict_logits
from fer_cbam import data
from fer_cbam.decide import softmax
from fer_cbam.detect import face_detector
from fer_cbam.errors import FerError
from fer_cbam.hub import LoadedModel, load_model
from fer_cbam.preprocess import Preprocess
from fer_cbam.pretrained import CONFIG_FILE, WEIGHTS_FILE
from train import detected
from train.checkpoint import save_array
from train.precision import has_bf16
from train.recipe import Head, Recipe


@dataclass(frozen=True, eq=False)
class Examples:
    """Preprocessed faces and what they are labelled.

    x: float32 ``(N, C, H, W)``. target_probs: float32 ``(N, K)``, the heads side by side; zeros in
    the columns of a head whose label set says nothing of that face. sizes: classes of each head,
    K in sum. detected: maps float32 ``(N, 2, 3)`` from the crops that the recogniser would cut to
    these (``train/detected.py``), for recipes that ask for them.
    """

    x: Tensor
    target_probs: Tensor
    sizes: tuple[int, ...]
    detected: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: np.ndarray) -> Examples:
        """The labelled ones among the examples at these positions."""
        chosen = torch.from_numpy(np.asarray(indices))
        chosen = chosen[self.target_probs[chosen].sum(1) > 0]
        maps = None if self.detected is None else self.detected[chosen]
        return Examples(self.x[chosen], self.target_probs[chosen], self.sizes, maps)


@dataclass(frozen=True, eq=False)
class Source:
    """The faces of a run, and for each head its label names and targets ``(N, K)``."""

    faces: data.Dataset
    names: tuple[str, ...]
    label_names: tuple[tuple[str, ...], ...]
    targets: tuple[np.ndarray, ...]

    @property
    def num_classes(self) -> int:
        return sum(len(names) for names in self.label_names)


def read_source(recipe: Recipe, path: Path, votes: Path | None) -> Source:
    """The data set of a run. With heads, all faces of FER2013 and the labels that each head names.

    Raises:
        FerError: a head that the files given cannot answer.
        DataError: the data cannot be read.
    """
    if not recipe.heads:
        dataset = data.load(path, votes=votes)
        return Source(dataset, (dataset.name,), (dataset.label_names,), (dataset.target_probs(),))
    faces = data.load(path)
    labelled = [_labelled(head, faces, path, votes) for head in recipe.heads]
    return Source(
        faces,
        tuple(head.labels for head in recipe.heads),
        tuple(dataset.label_names for dataset in labelled),
        tuple(_rows_of(faces, dataset) for dataset in labelled),
    )


def _labelled(head: Head, faces: data.Dataset, path: Path, votes: Path | None) -> data.Dataset:
    if head.labels == faces.name:
        return faces
    if head.labels != "ferplus":
        raise FerError(f"head {head.labels!r} with data {faces.name!r}; expected 'ferplus' or "
                       f"{faces.name!r}")  # fmt: skip
    if votes is None:
        raise FerError("head 'ferplus' needs --votes fer2013new.csv")
    return data.load(path, votes=votes, votes_mode="distribution")


def _rows_of(faces: data.Dataset, labelled: data.Dataset) -> np.ndarray:
    """Targets of a data set of the same faces, in the order of all faces; zeros for its gaps."""
    position = {sample.sample_id: i for i, sample in enumerate(faces.samples)}
    targets = np.zeros((len(faces), len(labelled.label_names)), np.float32)
    targets[[position[s.sample_id] for s in labelled.samples]] = labelled.target_probs()
    return targets


def make_examples(source: Source, preprocess: Preprocess) -> Examples:
    """All faces of a source and their targets."""
    x = torch.from_numpy(preprocess([sample.pixels for sample in source.faces.samples]))
    sizes = tuple(len(names) for names in source.label_names)
    return Examples(x, torch.from_numpy(np.concatenate(source.targets, 1)), sizes)


def with_detected(
    examples: Examples, source: Source, rows: np.ndarray, preprocess: Preprocess, folder: Path
) -> Examples:
    """The examples with the recogniser's crops of these rows; read from the folder, or put there.

    Raises:
        DataError: the folder holds those of other faces.
        WeightsError: nobody has measured where the landmarks lie in this data set.
    """
    path = folder / detected.FILE
    maps = detected.detected_crops(source.faces, rows, preprocess, face_detector(), path)
    return replace(examples, detected=maps)


def with_teachers(
    source: Source, rows: np.ndarray, teachers: Sequence[Path], share: float, folder: Path,
    amp: bool = True,
) -> Source:  # fmt: skip
    """A source whose targets are mixed with what teachers say, in these rows only: what a run is
    validated on keeps its own labels.

    rows: positions of the faces to train on. teachers: folders of runs of the same heads. share:
    the teachers', in [0, 1]. folder: what they say is read from there, or put there, for asking
    takes minutes. amp: bfloat16 where the machine has it, as in training.

    Raises:
        FerError: a share and no teacher, or the other way round; a teacher of other labels.
        WeightsError: a teacher's weights are missing or damaged.
    """
    if bool(teachers) != (share > 0):
        raise FerError(f"distill: {share} with {len(teachers)} teachers; expected both or neither")
    if not teachers:
        return source
    crops = [source.faces.samples[i].pixels for i in rows]
    targets = []
    for name, labels, own in zip(source.names, source.label_names, source.targets, strict=True):
        heads = load_teachers([teacher / name for teacher in teachers], labels)
        path = folder / f"taught.{_lesson(heads, crops, amp)}.npy"
        if path.is_file():
            taught = np.load(path, allow_pickle=False)
        else:
            taught = teacher_probs(heads, crops, amp)
            save_array(path, taught)
        mixed = own.copy()
        mixed[rows] = mix(own[rows], taught, share)
        targets.append(mixed)
    return replace(source, targets=tuple(targets))


def load_teachers(folders: Sequence[Path], label_names: Sequence[str]) -> list[LoadedModel]:
    """The teachers of one head.

    Raises:
        FerError: a teacher of other labels.
        WeightsError: weights that are missing or damaged.
    """
    teachers = [load_model(folder) for folder in folders]
    for teacher in teachers:
        if teacher.label_names != tuple(label_names):
            raise FerError(
                f"{teacher.name}: labels {teacher.label_names}; expected {tuple(label_names)}"
            )
    return teachers


def _lesson(teachers: Sequence[LoadedModel], crops: Sequence[np.ndarray], amp: bool) -> str:
    """A name for what these say of these faces: other weights, faces or precision, another name."""
    digest = hashlib.sha256(str(amp).encode())
    for teacher in teachers:
        for file in (CONFIG_FILE, WEIGHTS_FILE):
            digest.update((teacher.folder / file).read_bytes())
    for crop in crops:
        digest.update(crop.tobytes())
    return digest.hexdigest()[:16]


def teacher_probs(
    teachers: Sequence[LoadedModel], crops: Sequence[np.ndarray], amp: bool = True
) -> np.ndarray:
    """Mean over teachers of their probabilities, each of a crop and its mirror; float32 ``(N, K)``.

    Hinton et al. 2015 (https://arxiv.org/abs/1503.02531), at temperature 1.
    """
    total, cpu = np.zeros((len(crops), len(teachers[0].label_names))), torch.device("cpu")
    for teacher in teachers:
        teacher.model.to(memory_format=torch.channels_last)
        # Three digits are enough for a target.
        with torch.autocast("cpu", torch.bfloat16, enabled=amp and has_bf16(cpu)):
            total += softmax(predict_logits(teacher, crops, "flip"))
    return (total / len(teachers)).astype(np.float32)


def mix(targets: np.ndarray, taught: np.ndarray, share: float) -> np.ndarray:
    """``(1 - share)`` targets + ``share`` taught; the teachers alone where there is no label."""
    labelled = targets.sum(1, keepdims=True) > 0
    return np.where(labelled, (1 - share) * targets + share * taught, taught).astype(np.float32)
