"""Utterances of a data set of speech: who speaks, with which emotion, and the sound of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_cbam.audio import Sound, read_sound
from fer_cbam.data.files import Files, open_files
from fer_cbam.errors import DataError, SoundError

MAX_SOUND_BYTES = 256 << 20
SUFFIXES = ("wav", "flac", "mp3", "ogg", "opus", "m4a")


@dataclass(frozen=True)
class Utterance:
    """name: of its file, relative. speaker: one person of the data set. label: canonical where
    ``fer_cbam.labels`` has the emotion, else the data set's own word."""

    name: str
    speaker: str
    label: str


@dataclass(frozen=True, eq=False)
class Speech:
    """Utterances of one data set, by file name.

    name: ``"ravdess"`` or that of another module. path: the folder or zip that they lie in.
    """

    name: str
    path: Path
    utterances: tuple[Utterance, ...]

    def __len__(self) -> int:
        return len(self.utterances)

    def labels(self) -> npt.NDArray[np.str_]:
        return np.array([utterance.label for utterance in self.utterances])

    def speakers(self) -> npt.NDArray[np.str_]:
        return np.array([utterance.speaker for utterance in self.utterances])

    def sounds(self) -> Iterator[Sound]:
        """The sound of each utterance, one by one, in their order.

        Raises:
            DataError: a file whose sound cannot be read.
        """
        with open_files(self.path) as files:
            for utterance in self.utterances:
                try:
                    yield read_sound(files.read(utterance.name, MAX_SOUND_BYTES))
                except SoundError as error:
                    raise DataError(f"{files.where(utterance.name)}: {error}") from error

    def with_labels(self, labels: dict[str, str]) -> Speech:
        """Those of the labels named, under the names given for them."""
        kept = (replace(u, label=labels[u.label]) for u in self.utterances if u.label in labels)
        return replace(self, utterances=tuple(kept))


def gathered(name: str, files: Files, found: list[Utterance], expected: str) -> Speech:
    """Raises:
    DataError: there are none.
    """
    if not found:
        raise DataError(f"{files.path}: no sound of {name}; expected {expected}")
    return Speech(name, files.path, tuple(sorted(found, key=lambda u: u.name)))
