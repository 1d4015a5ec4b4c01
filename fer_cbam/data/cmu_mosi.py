"""CMU-MOSI (Zadeh et al. 2016, https://arxiv.org/abs/1606.06259): 2,199 utterances of 93 videos, in
which one person speaks of a film; sentiment, negative or positive.

Reads the features that Poria et al. published with "Context-Dependent Sentiment Analysis in
User-Generated Videos", ACL 2017 (https://github.com/declare-lab/multimodal-deep-learning, bc-LSTM):
``text/text_train0.csv`` and the like, a row an utterance and its label in the last column, for text
(100 numbers), audio (73) and video (100), and the published split by videos. Note that the text
features come from a network that was trained on the labels of the training part.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_cbam.data.files import MAX_TABLE_BYTES, Files, open_files
from fer_cbam.errors import DataError

LABELS = ("negative", "positive")
MODALITIES = ("text", "audio", "video")
SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Utterances:
    """N utterances of one split.

    videos: the video of each. places: int64 ``(N,)``, its number in the video, from 1. features:
    float32 ``(N, D)`` for each modality. targets: int64 ``(N,)`` into ``LABELS``.
    """

    videos: tuple[str, ...]
    places: npt.NDArray[np.int64]
    features: dict[str, npt.NDArray[np.float32]]
    targets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.videos)


def read_features(path: str | os.PathLike[str]) -> dict[str, Utterances]:
    """Both published splits, ``{"train": ..., "test": ...}``, from a folder or zip.

    Raises:
        DataError: a file is missing, or a row is not what its neighbours are.
    """
    with open_files(path) as files:
        names = [row[0] for row in _rows(files, "transcripts.csv")]
        return {split: _utterances(files, split, names) for split in SPLITS}


def _utterances(files: Files, split: str, names: list[str]) -> Utterances:
    tables = {m: _numbers(files, f"{m}/{m}_{split}0.csv") for m in MODALITIES}
    targets = {m: table[:, -1] for m, table in tables.items()}
    text = targets["text"]
    for modality, labels in targets.items():
        if not np.array_equal(labels, text) or not np.isin(labels, (0, 1)).all():
            raise DataError(
                f"{files.path}: labels of {modality}_{split}0.csv are not those of "
                f"text_{split}0.csv, or not 0 and 1"
            )
    # The first column of text_<split>.csv is the row of the transcripts, counted from 0.
    index = _numbers(files, f"text_{split}.csv")[:, 0]
    if len(index) != len(text) or not np.isin(index, np.arange(len(names))).all():
        raise DataError(
            f"{files.path}: text_{split}.csv has {len(index)} rows for {len(text)} utterances, or "
            f"names rows that are not among the {len(names)} of transcripts.csv"
        )
    utterances = [names[int(i)].rpartition("_") for i in index]
    return Utterances(
        videos=tuple(video for video, _, _ in utterances),
        places=np.array([int(place) for _, _, place in utterances], np.int64),
        features={m: table[:, :-1].astype(np.float32) for m, table in tables.items()},
        targets=text.astype(np.int64),
    )


def _numbers(files: Files, name: str) -> npt.NDArray[np.float64]:
    rows = _rows(files, name)
    try:
        table = np.array(rows, np.float64)
    except ValueError as error:
        raise DataError(f"{files.path}: {name}: {error}; expected rows of numbers") from error
    if table.ndim != 2 or not np.isfinite(table).all():
        raise DataError(f"{files.path}: {name}: expected finite numbers, as many in every row")
    return table


def _rows(files: Files, name: str) -> list[list[str]]:
    found = [known for known in files.names if f"/{known}".endswith(f"/{name}")]
    if len(found) != 1:
        raise DataError(f"{files.path}: {len(found)} files {name}; expected one")
    text = files.read(found[0], MAX_TABLE_BYTES).decode("utf-8", "replace")
    return [row for row in csv.reader(io.StringIO(text)) if row]
