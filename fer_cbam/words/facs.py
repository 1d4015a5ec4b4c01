"""What the Facial Action Coding System ties to an emotion (Ekman and Friesen 1978; the prototypes
are those of Ekman, Friesen and Hager, "FACS Investigator's Guide", 2002, table 10-2).

In plain words, with the action units, and with the regions of :mod:`fer_cbam.words.regions` that
those muscles move. This says what people do with their faces, not what a network found in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fer_cbam.words.phrases import phrase


class Actions(NamedTuple):
    """words: what is seen. units: the action units. regions: where."""

    words: str
    units: tuple[int, ...]
    regions: tuple[str, ...]


#: Neutral has none.
FACS: Mapping[str, Actions] = {
    "anger": Actions("brows lowered, lids and lips tight", (4, 5, 7, 23),
                     ("brows", "eyes", "mouth")),
    "contempt": Actions("one lip corner tight", (12, 14), ("mouth", "cheeks")),
    "disgust": Actions("nose wrinkled, upper lip raised", (9, 15, 16), ("nose", "mouth")),
    "fear": Actions("brows raised and drawn together, lids up, lips stretched",
                    (1, 2, 4, 5, 7, 20, 26), ("brows", "eyes", "mouth", "jaw")),
    "happiness": Actions("lip corners pulled up, cheeks raised", (6, 12), ("mouth", "cheeks")),
    "sadness": Actions("inner brows raised, lip corners down", (1, 4, 15), ("brows", "mouth")),
    "surprise": Actions("brows raised, lids up, jaw dropped", (1, 2, 5, 26),
                        ("brows", "eyes", "mouth", "jaw")),
}  # fmt: skip


def actions_in_words(label: str, region: str) -> str:
    """`` (lip corners pulled up, cheeks raised)`` where FACS ties the region to the emotion, else
    nothing."""
    known = FACS.get(label)
    return phrase("actions", words=known.words) if known and region in known.regions else ""
