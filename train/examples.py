"""From data sets to what a network trains on: faces as one tensor, targets of every head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fer_cbam import data
from fer_cbam.detect import face_detector
from fer_cbam.errors import FerError
from fer_cbam.preprocess import Preprocess
from train import detected
from train.recipe import Head, Recipe


@dataclass(frozen=True, eq=False)
class Examples:
    """Preprocessed faces and what they are labelled.

    x: float32 ``(N, C, H, W)``. target_probs: float32 ``(N, K)``, the heads side by side; zeros in
    the columns of a head whose label set says nothing of that face. sizes: classes of each head,
    K in sum. detected: maps float32 ``(N, 2, 3)`` from the crops that the recogniser would cut to
    these (``train/detected.py``), for recipes that ask for them. effects: of occlusion
    (``train/attention.py``), float32 ``(N, 1, h, w)``, likewise.
    """

    x: Tensor
    target_probs: Tensor
    sizes: tuple[int, ...]
    detected: Tensor | None = None
    effects: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def labelled(self, indices: np.ndarray) -> Examples:
        """The examples at these positions that some head has a label for."""
        chosen = torch.from_numpy(np.asarray(indices))
        chosen = chosen[self.target_probs[chosen].sum(1) > 0]
        maps, effects = (None if given is None else given[chosen]
                         for given in (self.detected, self.effects))  # fmt: skip
        return Examples(self.x[chosen], self.target_probs[chosen], self.sizes, maps, effects)


@dataclass(frozen=True, eq=False)
class Source:
    """The faces of a run, and for each head its label names and targets ``(N, K)``.

    alignment: how faces lie in the crops, where that was chosen and is not the data set's own.
    record: what else the weights should say of what they were trained on.
    """

    faces: data.Dataset
    names: tuple[str, ...]
    label_names: tuple[tuple[str, ...], ...]
    targets: tuple[np.ndarray, ...]
    alignment: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        return sum(len(names) for names in self.label_names)


def read_source(
    recipe: Recipe, path: Path, votes: Path | None, labels: str | None = None
) -> Source:
    """The data set of a run. With heads, all faces of FER2013 and the labels that each head names.

    votes, labels: see :func:`fer_cbam.data.load`.

    Raises:
        FerError: a head that the files given cannot answer, or data that the recipe is not for.
        DataError: the data cannot be read.
    """
    if not recipe.heads:
        dataset = _of_recipe(recipe, data.load(path, votes=votes, labels=labels))
        return Source(dataset, (dataset.name,), (dataset.label_names,), (dataset.target_probs(),))
    faces = _of_recipe(recipe, data.load(path))
    names, targets = [], []
    for head in recipe.heads:
        if head.answers:
            names.append(tuple(head.answers))
            targets.append(np.zeros((len(faces), len(head.answers)), np.float32))
            continue
        labelled = _labelled(head, faces, path, votes)
        names.append(labelled.label_names)
        targets.append(_rows_of(faces, labelled))
    heads = tuple(head.labels for head in recipe.heads)
    return Source(faces, heads, tuple(names), tuple(targets))


def _of_recipe(recipe: Recipe, dataset: data.Dataset) -> data.Dataset:
    if recipe.data and dataset.name != recipe.data:
        raise FerError(f"recipe {recipe.name} with data {dataset.name!r}; expected {recipe.data!r}")
    return dataset


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
        WeightsError: nobody has measured where the landmarks lie in this data set.
    """
    path = folder / detected.maps_file(source.faces, preprocess)
    maps = detected.detected_crops(source.faces, rows, preprocess, face_detector(), path)
    return replace(examples, detected=maps)
