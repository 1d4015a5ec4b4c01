"""Canonical emotion names and how each data set names them.

Logits are always in the order of the ``label_names`` saved with the weights; the sets below are in
alphabetical order. Nothing here depends on the order of folders or files.
"""

from __future__ import annotations

from fer_cbam.errors import DataError

EMOTIONS = (
    "anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise",
)  # fmt: skip

# FER2013's `emotion` column (Goodfellow et al. 2013, https://arxiv.org/abs/1307.0414).
FER2013_CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

# FER+ vote columns in file order (Barsoum et al. 2016, https://arxiv.org/abs/1608.01041).
FERPLUS_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
    "unknown", "NF",
)  # fmt: skip

LABEL_SETS: dict[str, tuple[str, ...]] = {
    "ckplus48": tuple(e for e in EMOTIONS if e != "neutral"),
    "fer2013": tuple(e for e in EMOTIONS if e != "contempt"),
    "ferplus": EMOTIONS,
}

#: Other names of emotions, lower case.
ALIASES = {
    "angry": "anger", "disgusted": "disgust", "fearful": "fear", "afraid": "fear",
    "scared": "fear", "happy": "happiness", "joy": "happiness", "sad": "sadness",
    "surprised": "surprise", "contemptuous": "contempt", "neutrality": "neutral",
}  # fmt: skip


def canonical_label(name: str) -> str:
    """The canonical name of an emotion: ``"Happy"`` -> ``"happiness"``.

    Raises:
        DataError: the name is none of ours and no known alias.
    """
    key = name.strip().lower()
    label = ALIASES.get(key, key)
    if label not in EMOTIONS:
        known = ", ".join((*EMOTIONS, *ALIASES))
        raise DataError(f"unknown emotion {name!r}; expected one of: {known}")
    return label
