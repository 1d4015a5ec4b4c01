"""Weights + data + protocol -> the table of predictions (see :mod:`eval.table`).

Each split of a protocol is predicted by weights that were trained on its own train side, and only
its test side is predicted. Weights trained on another data set see every split.

Options, never mixed: "plain" is the crop as it is. "flip" adds its mirror image. "tencrop" is the
ten views of the FER2013 literature (44 of 48 pixels, as in
https://github.com/WuJie1010/Facial-Expression-Recognition.Pytorch): four corners and the middle,
11/12 of the side each, and their mirror images, here enlarged to the input size by the weights' own
preprocessing. Both take the mean of the logits: before the softmax (a geometric mean of the
probabilities), so that a temperature means the same for all. "ensemble" is the mean of the
probabilities that several sets of weights give to the plain crop, each calibrated on its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import table
from fer_cbam import pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.open import open_backend
from fer_cbam.data.base import Dataset
from fer_cbam.data.protocols import Split, protocol_splits
from fer_cbam.decide import Decision
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.hub import LoadedModel
from fer_cbam.prior import Prior

OPTIONS = ("plain", "flip", "tencrop")
ENSEMBLE = "ensemble"
TENCROP_SHARE = 44 / 48  # of the side that each of the ten views keeps
# FER+ is FER2013's images with other labels.
SAME_IMAGES = {"ferplus": "fer2013"}


@dataclass(frozen=True, eq=False)
class Job:
    """One split and the weights that may be tested on it."""

    backend: Backend
    split: Split

    @property
    def folder(self) -> Path:
        """Of the weights."""
        return self.backend.weights_file.parent


def predict_logits(
    backend: Backend, crops: Sequence[np.ndarray], option: str = "plain"
) -> np.ndarray:
    """Logits float32 ``(N, L)`` of crops, each uint8 ``(h, w)`` or ``(h, w, 3)``.

    Raises:
        DataError: an option that does not exist.
    """
    return read(backend, crops, option)[0]


def read(
    backend: Backend, crops: Sequence[np.ndarray], option: str = "plain"
) -> tuple[np.ndarray, np.ndarray | None]:
    """The same, and the embeddings float32 ``(N, D)``, None where the backend gives none."""
    if option not in OPTIONS:
        raise DataError(f"option {option!r}; expected one of: {', '.join(OPTIONS)}")
    views = [forward_many(backend, view) for view in _views(crops, option)]
    embeddings = [view.embedding for view in views if view.embedding is not None]
    mean: np.ndarray = np.mean([view.logits for view in views], axis=0)
    return mean, np.mean(embeddings, axis=0) if embeddings else None


def predict_labels(backend: Backend, crops: Sequence[np.ndarray]) -> np.ndarray:
    """Positions of the labels that the weights say of crops, int ``(N,)``."""
    own = decision(backend)
    return own.said(own.posterior(predict_logits(backend, crops)))


def _views(crops: Sequence[np.ndarray], option: str) -> Iterator[Sequence[np.ndarray]]:
    """The same view of every crop, one view of an option after another."""
    for view in zip(*map(five_crops, crops), strict=True) if option == "tencrop" else [crops]:
        yield view
        if option != "plain":
            yield [np.ascontiguousarray(crop[:, ::-1]) for crop in view]


def five_crops(crop: np.ndarray) -> list[np.ndarray]:
    """Four corners and the middle of a crop ``(h, w)`` or ``(h, w, 3)``, 11/12 of its sides."""
    height, width = crop.shape[:2]
    h, w = round(height * TENCROP_SHARE), round(width * TENCROP_SHARE)
    y, x = height - h, width - w
    places = ((0, 0), (0, x), (y, 0), (y, x), (y // 2, x // 2))
    return [crop[top : top + h, left : left + w] for top, left in places]


def weight_sources(source: str) -> list[str]:
    """Weights -> one source, or one for each split where it is a folder of runs.

    A folder without a config.json of its own, whose sub-folders have one, is a folder of runs
    (``runs/<recipe>/fold0`` and so on).
    """
    folder = Path(source)
    if not folder.is_dir() or (folder / pretrained.CONFIG_FILE).exists():
        return [source]
    runs = sorted(p.parent for p in folder.glob(f"*/{pretrained.CONFIG_FILE}"))
    if not runs:
        raise WeightsError(
            f"{folder}: no {pretrained.CONFIG_FILE} in it nor in its sub-folders; expected weights "
            "or one folder of weights for each split"
        )
    return [str(p) for p in runs]


def jobs(
    source: str, dataset: Dataset, protocol: str, backend: str = "torch", device: str | None = None
) -> list[Job]:
    """Which weights are tested on which splits, in the order of the protocol.

    backend, device: see :func:`fer_cbam.backends.open.open_backend`.

    Raises:
        BackendError: a backend or a device that there is not.
        WeightsError: weights that saw test images in training, that do not say what they were
            trained on, or a folder of runs that lacks a split.
    """
    splits = protocol_splits(dataset, protocol)
    sources = weight_sources(source)
    opened = [open_backend(s, backend, device) for s in sources]
    pairs = [Job(m, s) for m in opened for s in _own_splits(m, dataset, protocol, splits)]
    found = [job.split.name for job in pairs]
    expected = [split.name for split in splits]
    if len(sources) > 1 and sorted(found) != sorted(expected):
        raise WeightsError(
            f"{source}: weights for splits {', '.join(sorted(found))}; protocol {protocol!r} "
            f"expects each of {', '.join(expected)} once"
        )
    return sorted(pairs, key=lambda job: expected.index(job.split.name))


def training_record(weights: Backend | LoadedModel) -> Mapping[str, Any]:
    """The ``training`` object of config.json.

    Raises:
        WeightsError: there is none, or it does not name the data set.
    """
    training = weights.config.get("training")
    if not isinstance(training, dict) or not isinstance(training.get("data"), str):
        raise WeightsError(
            f"{weights.name}: config.json does not say what the weights were trained on, so "
            "nothing shows that the test images were not among it; expected "
            '"training": {"data": NAME, "protocol": ..., "split": ...}'
        )
    return training


def _images(name: str) -> str:
    return SAME_IMAGES.get(name, name)


def _own_splits(
    backend: Backend, dataset: Dataset, protocol: str, splits: Sequence[Split]
) -> list[Split]:
    """The leak guard: the splits on which these weights may be tested."""
    training = training_record(backend)
    if _images(training["data"]) != _images(dataset.name):
        return list(splits)
    trained = f"{backend.name}: trained on {training['data']}, " + ", ".join(
        f"{key} {training.get(key)!r}" for key in ("protocol", "split")
    )
    if training.get("samples", dataset.digest()) != dataset.digest():
        raise WeightsError(
            f"{trained}; these pictures or their labels are others, so nothing tells which of them "
            "it has seen. Expected exactly those, or --protocol cross and a --data-name for "
            "pictures that it has never seen"
        )
    if training.get("protocol") == protocol:
        own = [s for s in splits if s.name == training.get("split")]
        if not own:
            names = ", ".join(s.name for s in splits)
            raise WeightsError(f"{trained}; expected one of the splits {names}")
        return own
    seen = _train_side(dataset, training, trained)
    for split in splits:
        if overlap := np.intersect1d(seen, split.test).size:
            raise WeightsError(
                f"{trained}; {overlap} of the {len(split.test)} test images of {protocol} "
                f"{split.name} were in its training side. Expected weights trained under "
                f"protocol {protocol!r}, or on another data set"
            )
    return list(splits)


def _train_side(dataset: Dataset, training: Mapping[str, Any], trained: str) -> np.ndarray:
    """Indices of the images that a training run of the same data set could see."""
    try:
        splits = protocol_splits(dataset, str(training.get("protocol")))
    except DataError as error:
        raise WeightsError(f"{trained}; its training side cannot be told: {error}") from error
    own = [s.train for s in splits if s.name == training.get("split")]
    if not own:
        raise WeightsError(f"{trained}; that protocol has no such split")
    return own[0]


def weights_name(weights: Backend | LoadedModel) -> str:
    """Name for reports: ``<architecture>.<training data>``, such as ``fer_cbam_paper.ckplus48``."""
    return f"{weights.config['architecture']}.{training_record(weights)['data']}"


def decision(backend: Backend, prior: Prior | None = None) -> Decision:
    """How the weights answer, see :meth:`fer_cbam.decide.Decision.of`."""
    return Decision.of(backend.config, backend.label_names, prior)


def weights_sha256(pairs: Sequence[Job]) -> dict[str, str]:
    """Split -> SHA-256 of the file of weights that it was tested with."""
    return {
        job.split.name: hashlib.sha256(job.backend.weights_file.read_bytes()).hexdigest()
        for job in pairs
    }


def predict_ensemble(
    members: Sequence[Sequence[Job]], dataset: Dataset, protocol: str, name: str,
    prior: Prior | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The table of an ensemble; its logits are the logarithms of the mean probabilities, and what
    lifts its labels is the mean of what lifts those of its members.

    members: the jobs of each set of weights, as `jobs` gives them. A crop is a face where all
    members take it for one. prior: see :meth:`fer_cbam.decide.Decision.of`.

    Raises:
        DataError: one member only, or members with other splits or label names.
    """
    kinds = {tuple((job.split.name, job.backend.label_names) for job in pairs) for pairs in members}
    if len(members) < 2 or len(kinds) > 1:
        raise DataError(f"ensemble: {len(members)} sets of weights, {len(kinds)} kinds of splits "
                        "and labels; expected two or more with the same")  # fmt: skip
    parts, decisions = [], {}
    smallest = np.finfo(np.float64).tiny
    for own in zip(*members, strict=True):
        split, labels = own[0].split, own[0].backend.label_names
        crops = [dataset.samples[i].pixels for i in split.test]
        asked = [decision(job.backend, prior) for job in own]
        found = [read(job.backend, crops) for job in own]
        probs = [how.posterior(f[0]) for how, f in zip(asked, found, strict=True)]
        faces = [how.is_face(f[1], len(crops)) for how, f in zip(asked, found, strict=True)]
        logits = np.log(np.maximum(np.mean(probs, axis=0), smallest))
        parts.append(table.rows(dataset, split.test, split.name, logits, labels, np.all(faces, 0)))
        lift = np.mean([how.lift for how in asked], axis=0)
        decisions[split.name] = Decision(labels, lift=tuple(lift))
    return _combined(parts, members[0], dataset, protocol, name, ENSEMBLE, decisions)


def predict(
    pairs: Sequence[Job], dataset: Dataset, protocol: str, option: str = "plain",
    name: str | None = None, prior: Prior | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The table of all jobs.

    name: of the weights, by default `weights_name` of the first. prior: see
    :meth:`fer_cbam.decide.Decision.of`.
    """
    parts, decisions = [], {}
    for job in pairs:
        crops = [dataset.samples[i].pixels for i in job.split.test]
        logits, embedding = read(job.backend, crops, option)
        how = decisions[job.split.name] = decision(job.backend, prior)
        parts.append(
            table.rows(dataset, job.split.test, job.split.name, logits, job.backend.label_names,
                       how.is_face(embedding, len(crops)))
        )  # fmt: skip
    name = name or weights_name(pairs[0].backend)
    return _combined(parts, pairs, dataset, protocol, name, option, decisions)


def _combined(
    parts: Sequence[pd.DataFrame], pairs: Sequence[Job], dataset: Dataset, protocol: str,
    name: str, option: str, decisions: Mapping[str, Decision],
) -> pd.DataFrame:  # fmt: skip
    return table.combine(
        parts, data=dataset.name, label_names=dataset.label_names, protocol=protocol,
        weights=name, option=option, scores="logits",
        sequence_overlap=table.overlap(dataset, [job.split for job in pairs]),
        decisions={split: table.decision_values(how) for split, how in decisions.items()},
    )  # fmt: skip
