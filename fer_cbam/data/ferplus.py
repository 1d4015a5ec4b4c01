"""FER+: ten taggers' votes for each image of FER2013 (``fer2013new.csv``).

Barsoum et al. 2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution", https://arxiv.org/abs/1608.01041. What counts as a label follows the authors'
code, https://github.com/microsoft/FERPlus (src/ferplus.py), on which published figures rest. Row i
of the votes is row i of fer2013.csv. Images kept, in Training, PublicTest and PrivateTest:

    majority      25,060  3,199  3,153   one clear winner; what accuracy is published on
    probability   27,956  3,505  3,505   the authors' distribution over at most three emotions
    distribution  28,389  3,553  3,546   not the authors': all votes, wherever an emotion leads
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fer_cbam.data import fer2013
from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.tables import require_table, shown, table_rows
from fer_cbam.errors import DataError
from fer_cbam.labels import FERPLUS_COLUMNS, LABEL_SETS
from fer_cbam.types import Sample

COLUMNS = ("Usage", "Image name", *FERPLUS_COLUMNS)
TAGGERS = 10
# The columns before "unknown" and "NF" (no face), which are never a label.
_EMOTIONS = FERPLUS_COLUMNS[:8]
_COUNTS = {str(count).encode(): count for count in range(TAGGERS + 1)}

Probs = tuple[float, ...]


def majority(votes: Sequence[int]) -> Probs | None:
    """The one emotion with more than half of the votes, one-hot ``(8,)``; None drops the image.

    votes: ten counts, in the order of FERPLUS_COLUMNS. A lone vote for anything is an outlier and
    does not count; votes for unknown and no face do, and drop the image where they win.
    """
    counts = _without_lone_votes(votes)
    winner = int(np.argmax(counts))
    if 2 * counts[winner] <= sum(counts) or winner >= len(_EMOTIONS):
        return None
    return tuple(float(i == winner) for i in range(len(_EMOTIONS)))


def probability(votes: Sequence[int]) -> Probs | None:
    """The distribution over the leading emotions, ``(8,)``; None drops the image.

    votes: ten counts, in the order of FERPLUS_COLUMNS; lone votes do not count. Emotions are taken
    from the most votes down, equals together, until three are taken or those seen have three
    quarters of the votes; unknown or no face ends it too. The image is dropped where the emotions
    taken have no more than half of the votes, or are more than three.
    """
    counts = _without_lone_votes(votes)
    total = sum(counts)
    taken: list[int] = []
    for level in sorted(set(counts) - {0}, reverse=True):
        if len(taken) >= 3 or 4 * sum(counts[i] for i in taken) >= 3 * total:
            break
        equals = [i for i, count in enumerate(counts) if count == level]
        taken += [i for i in equals if i < len(_EMOTIONS)]
        if equals[-1] >= len(_EMOTIONS):
            break
    share = sum(counts[i] for i in taken)
    if 2 * share <= total or len(taken) > 3:
        return None
    return tuple(counts[i] / share if i in taken else 0.0 for i in range(len(_EMOTIONS)))


def distribution(votes: Sequence[int]) -> Probs | None:
    """The distribution of all votes for emotions, ``(8,)``; None drops the image.

    votes: ten counts, in the order of FERPLUS_COLUMNS; lone votes do not count. The image is
    dropped only where unknown or no face has more votes than any emotion. Not a mode of the
    authors' code: it keeps more images and more of what the taggers disagreed about.
    """
    counts = _without_lone_votes(votes)
    emotions = counts[: len(_EMOTIONS)]
    if not any(emotions) or max(emotions) < max(counts):
        return None
    return tuple(count / sum(emotions) for count in emotions)


def _without_lone_votes(votes: Sequence[int]) -> list[int]:
    return [count if count > 1 else 0 for count in votes]


MODES: dict[str, Callable[[Sequence[int]], Probs | None]] = {
    "majority": majority,
    "probability": probability,
    "distribution": distribution,
}


def relabel(images: Dataset, votes: Files, mode: str = "majority") -> Dataset:
    """FER2013 with FER+ labels; images that the mode drops are left out.

    images: all of fer2013.csv, in its order, as :func:`fer_cbam.data.fer2013.read` gives it; ids
    stay the same. label: the emotion with the most votes; where two have as many (never in
    majority mode), the first in the order of FERPLUS_COLUMNS, as in the authors' code.
    label_probs: the distribution, empty where one emotion has all of it.

    Raises:
        DataError: an unknown mode, a bad row, votes of another length or with another Usage.
    """
    if mode not in MODES:
        raise DataError(f"votes mode {mode!r}; expected one of {', '.join(MODES)}")
    rows = read_votes(votes)
    if len(rows) != len(images):
        raise DataError(
            f"{votes.path}: {len(rows)} rows of votes; expected {len(images)}, one for each image "
            f"of {images.name}"
        )
    samples = []
    for sample, (where, split, counts) in zip(images.samples, rows, strict=True):
        if split != sample.split:
            raise DataError(f"{where}: Usage {split!r}; expected {sample.split!r}, as of the image")
        probs = MODES[mode](counts) if counts else None
        if probs is not None:
            samples.append(_labelled(sample, probs))
    return Dataset("ferplus", LABEL_SETS["ferplus"], tuple(samples))


def _labelled(sample: Sample, probs: Probs) -> Sample:
    label = _EMOTIONS[int(np.argmax(probs))]
    several = {e: p for e, p in zip(_EMOTIONS, probs, strict=True) if p}
    return replace(sample, label=label, label_probs=several if len(several) > 1 else {})


def read_votes(files: Files) -> list[tuple[str, str, list[int]]]:
    """Where it stands, split and ten counts of each row; no counts where the image has no name.

    Raises:
        DataError: no votes, or a row that cannot be read, named by its line.
    """
    name = require_table(files, COLUMNS, "fer2013new.csv")
    rows = []
    for number, (usage, image, *fields) in table_rows(files, name, COLUMNS):
        where = f"{files.where(name)}, line {number}"
        split = fer2013.usage_split(usage, where)
        for field in fields:
            if field not in _COUNTS:
                raise DataError(f"{where}: votes {shown(field)}; expected 0 to {TAGGERS}")
        counts = [_COUNTS[field] for field in fields]
        if not 0 < sum(counts) <= TAGGERS:
            raise DataError(f"{where}: {sum(counts)} votes in all; expected 1 to {TAGGERS}")
        rows.append((where, split, counts if image else []))
    return rows
