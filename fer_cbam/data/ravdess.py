"""RAVDESS (Livingstone and Russo 2018, https://doi.org/10.1371/journal.pone.0196391, CC BY-NC-SA
4.0): 24 actors say two sentences with eight emotions, twice, at two levels; neutral at one.

Reads the files as https://doi.org/10.5281/zenodo.1188976 names them, in any folders:
``Actor_01/03-01-05-02-01-01-01.wav`` is modality (01 picture and sound, 02 picture, 03 sound),
channel (01 speech, 02 song), emotion, level, sentence, repetition, actor.
"""

from __future__ import annotations

import os
import re

from fer_cbam.data.files import open_files
from fer_cbam.data.speech import SUFFIXES, Speech, Utterance, gathered
from fer_cbam.errors import DataError

EMOTIONS = {
    "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger",
    "06": "fear", "07": "disgust", "08": "surprise",
}  # fmt: skip
LABELS = tuple(EMOTIONS.values())
#: What is read: sounds alone, or clips with pictures and sound.
MODALITIES = {"sound": ("03", SUFFIXES), "clip": ("01", ("mp4",))}
_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")


def read_ravdess(path: str | os.PathLike[str], modality: str = "sound") -> Speech:
    """The spoken utterances of a folder or zip; songs are left out.

    modality: of ``MODALITIES``.

    Raises:
        DataError: none there, or a name with an emotion that there is not.
        ValueError: another modality.
    """
    if modality not in MODALITIES:
        raise ValueError(f"modality {modality!r}; expected one of {', '.join(MODALITIES)}")
    code, suffixes = MODALITIES[modality]
    found = []
    with open_files(path) as files:
        for name in files.names:
            stem, _, suffix = name.rpartition("/")[2].rpartition(".")
            match = _NAME.fullmatch(stem)
            if not match or suffix.lower() not in suffixes:
                continue
            if match[1] != code or match[2] != "01":
                continue
            if match[3] not in EMOTIONS:
                raise DataError(f"{files.where(name)}: emotion {match[3]}; expected 01 to 08")
            found.append(Utterance(name, match[7], EMOTIONS[match[3]]))
        expected = f"files such as {code}-01-05-02-01-01-01.{suffixes[0]}"
        return gathered("RAVDESS", files, found, expected)
