"""CREMA-D's ratings (Cao et al. 2014, https://doi.org/10.1109/TAFFC.2014.2336244).

7,442 clips of 91 actors, each rated by about ten people from the voice alone, by others from the
face alone, and by others from both.

Reads ``tabulatedVotes.csv`` as https://github.com/CheyneyComputerScience/CREMA-D publishes it. The
first digit of a row's name is 1 for voice, 2 for face, 3 for both; the columns A, D, F, H, N, S
count the votes. Clips are named ``1001_IEO_HAP_LO``: actor, sentence, acted emotion, level.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_cbam.data.files import Files, open_files
from fer_cbam.data.tables import shown, table_rows
from fer_cbam.errors import DataError

VOTES_FILE = "tabulatedVotes.csv"
LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
MODALITIES = {"1": "voice", "2": "face", "3": "both"}
_COLUMNS = ("", *"ADFHNS", "fileName")
_CLIP = re.compile(r"(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")


@dataclass(frozen=True, eq=False)
class Ratings:
    """Votes for N clips.

    clips: names, sorted. actors: of each clip. voice, face, both: int64 ``(N, 6)``, votes for
    ``LABELS``.
    """

    clips: tuple[str, ...]
    actors: tuple[str, ...]
    voice: npt.NDArray[np.int64]
    face: npt.NDArray[np.int64]
    both: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clips)


def read_votes(path: str | os.PathLike[str]) -> Ratings:
    """The ratings in a folder or zip that holds ``tabulatedVotes.csv``, or in that file.

    A clip that the file rates twice in one way (CREMA-D has some) keeps its first row. Clips that
    were not rated in all three ways, or without a vote in one, are left out.

    Raises:
        DataError: no such file, a row without its votes, a name that is not a clip's.
    """
    votes: dict[str, dict[str, list[int]]] = {name: {} for name in MODALITIES.values()}
    with open_files(path) as files:
        name = _table(files)
        for number, fields in table_rows(files, name, _COLUMNS):
            where = f"{files.where(name)}, line {number}"
            key, *counts, clip = (field.decode("utf-8", "replace") for field in fields)
            modality = MODALITIES.get(key[:1])
            if modality is None or not _CLIP.fullmatch(clip):
                raise DataError(
                    f"{where}: row {shown(fields[0])} of clip {shown(fields[-1])}; expected a row "
                    "that begins with 1, 2 or 3, and a clip such as 1001_IEO_HAP_LO"
                )
            votes[modality].setdefault(clip, _counts(counts, where))
    rated = set.intersection(*(
        {clip for clip, counts in of.items() if sum(counts)} for of in votes.values()
    ))  # fmt: skip
    if not rated:
        raise DataError(f"{path}: no clip is rated from voice, face and both")
    clips = tuple(sorted(rated))
    arrays = {name: np.array([of[clip] for clip in clips], np.int64) for name, of in votes.items()}
    return Ratings(clips, tuple(clip[:4] for clip in clips), **arrays)


def _table(files: Files) -> str:
    for name in files.names:
        if name.rpartition("/")[2] == VOTES_FILE:
            return name
    raise DataError(f"{files.path}: no {VOTES_FILE}; expected CREMA-D's ratings as published")


def _counts(texts: list[str], where: str) -> list[int]:
    if all(text.isascii() and text.isdigit() for text in texts):
        return [int(text) for text in texts]
    raise DataError(f"{where}: votes {', '.join(texts)}; expected whole numbers of at least 0")
