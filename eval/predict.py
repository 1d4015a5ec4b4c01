"""Weights + data + protocol -> the table of predictions (see :mod:`eval.table`).

Each split of a protocol is predicted by weights that were trained on its own train side, and only
its test side is predicted. Weights trained on another data set see every split.

Options: "plain" is the crop as it is. "flip" adds its mirror image and takes the mean of the two
logits: the mean is taken before the softmax (a geometric mean of the probabilities), so that a
temperature means the same for both options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from eval import table
from fer_cbam import pretrained
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import Split, protocol_splits
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.hub import LoadedModel, load_model

OPTIONS = ("plain", "flip")
# FER+ is FER2013's images with other labels.
SAME_IMAGES = {"ferplus": "fer2013"}


@dataclass(frozen=True, eq=False)
class Job:
    """One split and the weights that may be tested on it."""

    loaded: LoadedModel
    split: Split


def predict_logits(
    loaded: LoadedModel, crops: Sequence[np.ndarray], option: str = "plain", batch_size: int = 256
) -> np.ndarray:
    """Logits float32 ``(N, L)`` of crops, each uint8 ``(h, w)`` or ``(h, w, 3)``.

    Raises:
        DataError: an option that does not exist.
    """
    if option not in OPTIONS:
        raise DataError(f"option {option!r}; expected one of: {', '.join(OPTIONS)}")
    parts = []
    with torch.inference_mode():
        for start in range(0, len(crops), batch_size):
            x = torch.from_numpy(loaded.preprocess(list(crops[start : start + batch_size])))
            logits = loaded.model(x)
            if option == "flip":
                logits = (logits + loaded.model(x.flip(-1))) / 2
            parts.append(logits.float().numpy())
    return np.concatenate(parts)


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


def jobs(source: str, dataset: Dataset, protocol: str) -> list[Job]:
    """Which weights are tested on which splits, in the order of the protocol.

    Raises:
        WeightsError: weights that saw test images in training, that do not say what they were
            trained on, or a folder of runs that lacks a split.
    """
    splits = protocol_splits(dataset, protocol)
    sources = weight_sources(source)
    loaded = [load_model(s) for s in sources]
    pairs = [Job(m, s) for m in loaded for s in _own_splits(m, dataset, protocol, splits)]
    found = [job.split.name for job in pairs]
    expected = [split.name for split in splits]
    if len(sources) > 1 and sorted(found) != sorted(expected):
        raise WeightsError(
            f"{source}: weights for splits {', '.join(sorted(found))}; protocol {protocol!r} "
            f"expects each of {', '.join(expected)} once"
        )
    return sorted(pairs, key=lambda job: expected.index(job.split.name))


def training_record(loaded: LoadedModel) -> Mapping[str, Any]:
    """The ``training`` object of config.json.

    Raises:
        WeightsError: there is none, or it does not name the data set.
    """
    training = loaded.config.get("training")
    if not isinstance(training, dict) or not isinstance(training.get("data"), str):
        raise WeightsError(
            f"{loaded.name}: config.json does not say what the weights were trained on, so nothing "
            "shows that the test images were not among it; expected "
            '"training": {"data": NAME, "protocol": ..., "split": ...}'
        )
    return training


def _images(name: str) -> str:
    return SAME_IMAGES.get(name, name)


def _own_splits(
    loaded: LoadedModel, dataset: Dataset, protocol: str, splits: Sequence[Split]
) -> list[Split]:
    """The leak guard: the splits on which these weights may be tested."""
    training = training_record(loaded)
    if _images(training["data"]) != _images(dataset.name):
        return list(splits)
    trained = f"{loaded.name}: trained on {training['data']}, " + ", ".join(
        f"{key} {training.get(key)!r}" for key in ("protocol", "split")
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


def weights_name(job: Job, dataset: Dataset) -> str:
    """Short name for reports: the architecture, and the training data where it is not the tested.

    ``fer_cbam_paper``, or ``fer_cbam_paper-ckplus48`` for weights of CK+48 tested on FER2013.
    """
    trained_on = training_record(job.loaded)["data"]
    name = str(job.loaded.config["architecture"])
    return name if trained_on == dataset.name else f"{name}-{trained_on}"


def predict(
    pairs: Sequence[Job], dataset: Dataset, protocol: str, option: str = "plain",
    name: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The table of all jobs. name: of the weights, by default `weights_name` of the first."""
    parts = []
    for job in pairs:
        crops = [dataset.samples[i].pixels for i in job.split.test]
        logits = predict_logits(job.loaded, crops, option)
        temperature = float(job.loaded.config.get("temperature", 1.0))
        parts.append(
            table.rows(dataset, job.split.test, job.split.name, logits, job.loaded.label_names,
                       temperature)
        )  # fmt: skip
    return table.combine(
        parts, data=dataset.name, label_names=dataset.label_names, protocol=protocol,
        weights=name or weights_name(pairs[0], dataset), option=option, scores="logits",
        sequence_overlap=table.overlap(dataset, [job.split for job in pairs]),
    )  # fmt: skip
