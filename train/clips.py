"""Clips for training a recurrent network, made from the training side of FER+.

The network that reads the frames has learnt these faces, and is surer of them than of others. So
they are drawn such that it is as sure of those that are shown as of faces that it has not learnt:
faces on which it is wrong come more often than they are.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import cast

import numpy as np
import timm
import torch
from torch import nn

from eval.clips.methods import smoothed
from eval.clips.readings import CACHE, Readings, read_clips
from eval.clips.recorded import by_subject, read_recorded
from eval.clips.sets import in_order, test_clips
from fer_cbam import data, hub, pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.open import open_backend
from fer_cbam.data import Dataset, sequences
from fer_cbam.data.protocols import protocol_splits
from fer_cbam.decide import Decision
from fer_cbam.detect import face_detector
from fer_cbam.errors import FerError
from fer_cbam.smoothing.filter import Filter
from fer_cbam.smoothing.named import open_smoother
from train import recurrent
from train.losses import Columns, cross_entropy
from train.recipe import Recipe

FACES = 8000  # of the training side, from which clips are made
OTHERS = 2000  # of PublicTest, by which they are weighted
BINS = 10
SEED = 1
TEMPERATURES = [round(0.5 + 0.02 * i, 2) for i in range(126)]


def training_clips(backend: Backend, dataset: Dataset, count: int, folder: Path) -> Readings:
    """Clips of the training side. dataset: FER+. folder: see `read_clips`."""
    faces = in_order(backend, dataset)
    (split,) = protocol_splits(faces, "public")
    rng = np.random.default_rng(SEED)
    own = faces.subset(np.sort(rng.permutation(split.train)[:FACES]))
    others = faces.subset(np.sort(rng.permutation(split.test)[:OTHERS]))
    weights = matching_weights(sureness(backend, own), sureness(backend, others))
    return read_clips(backend, own.samples, own.target_probs(), weights, count, SEED, folder)


def sureness(backend: Backend, faces: Dataset) -> np.ndarray:
    """Probability that the weights give to the true label of each face, ``(N,)``."""
    logits = forward_many(backend, [sample.pixels for sample in faces.samples]).logits
    probs = Decision.of(backend.config, backend.label_names).posterior(logits)
    return np.asarray(probs[np.arange(len(faces)), faces.targets()])


def matching_weights(own: np.ndarray, others: np.ndarray, bins: int = BINS) -> np.ndarray:
    """How often each of N values is to be drawn so that those drawn are spread as the others are.

    own: ``(N,)``. others: ``(M,)``. Both are counted between quantiles of the others. Returns
    float64 ``(N,)``, summing to 1; 0 for none but where the others have none.
    """
    edges = np.quantile(others, np.linspace(0, 1, bins + 1)[1:-1])
    own_bin, other_bin = np.searchsorted(edges, own), np.searchsorted(edges, others)
    wanted = np.bincount(other_bin, minlength=bins) / len(others)
    there = np.bincount(own_bin, minlength=bins)
    share = np.divide(wanted, there, out=np.zeros(bins), where=there > 0)
    weights = share[own_bin]
    return np.asarray(weights / weights.sum())


def readings_of(
    recipe: Recipe, backend: Backend, path: Path, votes: Path | None, cache: Path
) -> tuple[str, Readings, Readings]:
    """Name of the data, what is trained on and what is watched: clips made of FER+ faces, or
    recorded sequences with whole people held out.

    Raises:
        FerError: data that cannot be read, or that the recipe is not for.
    """
    assert recipe.clips is not None  # or this is not the place
    if sequences.recognises(path):
        kept, held = by_subject(sequences.read_sequences(path))
        detector = face_detector("onnx")
        learnt, watched = (read_recorded(backend, detector, side) for side in (kept, held))
        return "sequences", learnt, watched
    faces = data.load(path, votes=votes)
    if faces.name != "ferplus":
        raise FerError(f"recipe {recipe.name} with data {faces.name!r}; expected FER2013 with "
                       "--votes, or recorded sequences")  # fmt: skip
    train = training_clips(backend, faces, recipe.clips.count, cache)
    return faces.name, train, test_clips(backend, faces, "public", cache)


def train_on_clips(
    recipe: Recipe, path: Path, votes: Path | None, out: Path, resume: bool = False,
    cache: Path = CACHE,
) -> Path:  # fmt: skip
    """Train the recurrent network of a recipe, calibrate it on what was held out, and write its
    weights to ``<out>/public``; that folder. cache: for clips that were read.

    Raises:
        FerError: see `readings_of` and :func:`train.recurrent.train_recurrent`.
    """
    assert recipe.clips is not None
    backend = open_backend(recipe.clips.weights, "onnx")
    decision = Decision.of(backend.config, backend.label_names)
    name, *sides = readings_of(recipe, backend, path, votes, cache)
    filtering = open_smoother(backend.config, backend.weights_file, decision, name="filter")
    assert isinstance(filtering, Filter)
    filtering.softens = 1.0  # the network goes on from the belief itself
    train, watched = (
        recurrent.sequences(side, smoothed(side, decision.posterior(side.logits), filtering))
        for side in sides
    )
    digest = hashlib.sha256(backend.weights_file.read_bytes()).hexdigest()
    record = {
        "reads": {"weights": backend.name, "sha256": digest},
        "filter": {
            "prior": dict(zip(filtering.label_names, filtering.prior.tolist(), strict=True)),
            "rate": filtering.rate, "anew": filtering.anew,
        },
        "training": {
            "data": name, "protocol": "public", "split": "public",
            "recipe": dataclasses.asdict(recipe), "clips": len(train),
            "frames": int(train.valid.sum()),
            "versions": {"torch": torch.__version__, "timm": timm.__version__},
        },
    }  # fmt: skip
    folder = recurrent.train_recurrent(
        recipe, train, watched, backend.label_names, out / "public", record, resume
    )
    return calibrate(folder, watched)


def release_recurrent(run: Path, folder: Path) -> Path:
    """Write the weights of a run as float16, as they are embedded; the folder."""
    config = pretrained.read_config(run)
    model = cast(nn.Module, timm.create_model(f"local-dir:{run}", pretrained=True))
    extra = {key: config[key] for key in ("reads", "filter", "training", "temperature")}
    return hub.save_model(model, folder, pretrained.label_names(config), extra, torch.float16)


def calibrate(folder: Path, watched: recurrent.Sequences) -> Path:
    """Write the temperature to config.json that gives frames of held-out sequences the smallest
    cross-entropy; the folder. A network that reads backwards too is calibrated alike."""
    model = cast(nn.Module, timm.create_model(f"local-dir:{folder}", pretrained=True)).eval()
    logits = recurrent.predict(model, watched, torch.device("cpu"))
    target = watched.target_probs[watched.valid]
    known = target.sum(1) > 0
    heads = (Columns(0, target.shape[1]),)
    losses = {
        t: cross_entropy(logits[known] / t, target[known], heads).item() for t in TEMPERATURES
    }
    config = pretrained.read_config(folder)
    best = min(losses, key=lambda temperature: losses[temperature])
    pretrained.write_config(folder, {**config, "temperature": best})
    return folder
