"""Near-identical images of FER2013: which rows of fer2013.csv show the same photograph.

``fer2013_twins.json`` holds the groups as row numbers (0-based, of the published file), and

    python -m eval.studies.twins --data fer2013.csv.zip --out fer_cbam/data/fer2013_twins.json

finds them again from the pixels. They name :attr:`~fer_cbam.types.Sample.group`, by which
:mod:`fer_cbam.data.protocols` keeps what is tested out of training.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_cbam.errors import DataError

TWINS_FILE = Path(__file__).with_name("fer2013_twins.json")
#: Rows of the published file: 28,709 of Training, then 3,589 of PublicTest, 3,589 of PrivateTest.
ROWS = 35_887
TRAINING_ROWS = 28_709
# Pairs of different faces correlate by 0.5 at most on average over a thousand pairs, twins by 0.9.
_MIN_CORRELATION = 0.75


@cache
def twin_groups() -> tuple[tuple[int, ...], ...]:
    """Rows of each group of near-identical images, sorted, two or more in each, no row twice."""
    content = json.loads(TWINS_FILE.read_text(encoding="utf-8"))
    return tuple(tuple(group) for group in content["groups"])


@cache
def group_names() -> dict[int, str]:
    """Row -> name of its group, ``"fer2013_twins:<first row>"``, for the rows that have twins."""
    return {row: f"fer2013_twins:{group[0]}" for group in twin_groups() for row in group}


@cache
def torn_groups() -> frozenset[str]:
    """Names of the groups with an image in Training and another in PublicTest or PrivateTest.

    They are those of the file as published, so an image of Training stays a leak where FER+ drops
    its twin: weights trained on FER+ are tested on FER2013 too.
    """
    return frozenset(
        group_names()[group[0]] for group in twin_groups() if group[0] < TRAINING_ROWS <= group[-1]
    )


def check_order(pixels: npt.NDArray[np.uint8], where: str) -> None:
    """Hold the groups against the pixels that they are applied to, uint8 ``(ROWS, 48, 48)``.

    Raises:
        DataError: the rows stand in another order than in the published file.
    """
    pairs = np.array([group[:2] for group in twin_groups()])
    faces = pixels.reshape(len(pixels), -1)
    a, b = (_unit(faces[pairs[:, side]]) for side in (0, 1))
    mean = float(np.einsum("nd,nd->n", a, b).mean())
    if not mean > _MIN_CORRELATION:
        raise DataError(
            f"{where}: images that are near-identical in the published file correlate by "
            f"{mean:.2f} here; expected above {_MIN_CORRELATION}, the rows in the published order "
            "(FER+ votes are joined by it as well)"
        )


def _unit(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Rows with mean 0 and length 1; zeros where an image is flat."""
    centred = faces.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return centred
