"""EmoDB (Burkhardt et al. 2005, https://doi.org/10.21437/Interspeech.2005-446): ten German actors
say ten sentences with seven emotions; free for research.

Reads the files as http://emodb.bilderbar.info/ names them, in any folders: ``wav/03a01Fa.wav`` is
the speaker (two digits), the sentence, the first letter of the German emotion, the version.
"""

from __future__ import annotations

import os
import re

from fer_cbam.data.files import open_files
from fer_cbam.data.speech import SUFFIXES, Speech, Utterance, gathered
from fer_cbam.errors import DataError

# Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral
EMOTIONS = {
    "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness",
    "N": "neutral",
}  # fmt: skip
LABELS = tuple(EMOTIONS.values())
_NAME = re.compile(r"(\d\d)[ab]\d\d([A-Z])[a-g]")


def read_emodb(path: str | os.PathLike[str]) -> Speech:
    """The utterances of a folder or zip.

    Raises:
        DataError: none there, or a name with an emotion that there is not.
    """
    found = []
    with open_files(path) as files:
        for name in files.names:
            stem, _, suffix = name.rpartition("/")[2].rpartition(".")
            match = _NAME.fullmatch(stem)
            if not match or suffix.lower() not in SUFFIXES:
                continue
            if match[2] not in EMOTIONS:
                known = ", ".join(EMOTIONS)
                raise DataError(f"{files.where(name)}: emotion {match[2]}; expected one of {known}")
            found.append(Utterance(name, match[1], EMOTIONS[match[2]]))
        return gathered("EmoDB", files, found, "files such as 03a01Fa.wav")
