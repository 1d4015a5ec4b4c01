"""FER2013, ``fer2013.csv`` (Goodfellow et al. 2013, https://arxiv.org/abs/1307.0414).

Columns ``emotion`` (0 to 6), ``pixels`` (2,304 grey values, row by row) and ``Usage``; the
competition's ``icml_face_data.csv`` has the same columns in another order and is read as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_cbam.data import twins
from fer_cbam.data.base import Dataset
from fer_cbam.data.files import Files
from fer_cbam.data.tables import find_table, require_table, shown, table_rows
from fer_cbam.errors import DataError
from fer_cbam.labels import FER2013_CODES, LABEL_SETS
from fer_cbam.types import Sample

COLUMNS = ("emotion", "pixels", "Usage")
SPLITS = ("Training", "PublicTest", "PrivateTest")
SIDE = 48
_CODES = {str(code).encode(): label for code, label in enumerate(FER2013_CODES)}
_USAGES = {split.encode(): split for split in SPLITS}


def recognises(files: Files) -> bool:
    """Whether one CSV has FER2013's columns, or a CSV is all there is (to name what it lacks)."""
    lone_csv = len(files.names) == 1 and files.names[0].lower().endswith(".csv")
    return lone_csv or find_table(files, COLUMNS) is not None


def read(files: Files) -> Dataset:
    """FER2013 in the order of the file: ids ``fer2013:<row>``, row 0-based; 48x48 grey.

    group: that of near-identical images (:mod:`fer_cbam.data.twins`), None where a row has none,
    and in a file that is only a part of FER2013.

    Raises:
        DataError: a row with an unknown emotion code or Usage, another number of pixels, or a
            pixel that is no integer in 0..255; no rows; all rows in another order than published.
    """
    name = require_table(files, COLUMNS, "fer2013.csv")
    labels, splits, faces = [], [], []
    for number, (code, pixels, usage) in table_rows(files, name, COLUMNS):
        where = f"{files.where(name)}, line {number}"
        if code not in _CODES:
            raise DataError(f"{where}: emotion {shown(code)}; expected 0 to {len(_CODES) - 1}")
        labels.append(_CODES[code])
        splits.append(usage_split(usage, where))
        faces.append(_grey_values(pixels, where))
    if not faces:
        raise DataError(
            f"{files.where(name)}: no rows after the header; expected one for each face"
        )
    # One block that all samples look into: 83 MB for the whole of FER2013.
    block = np.stack(faces).reshape(-1, SIDE, SIDE)
    block.flags.writeable = False
    groups: dict[int, str] = {}
    if len(block) == twins.ROWS:
        twins.check_order(block, files.where(name))
        groups = twins.group_names()
    samples = (
        Sample(f"fer2013:{row}", face, label, group=groups.get(row), split=split)
        for row, (face, label, split) in enumerate(zip(block, labels, splits, strict=True))
    )
    return Dataset("fer2013", LABEL_SETS["fer2013"], tuple(samples))


def usage_split(usage: bytes, where: str) -> str:
    """A ``Usage`` field as the name of a split.

    Raises:
        DataError: no such split.
    """
    if usage not in _USAGES:
        raise DataError(f"{where}: Usage {shown(usage)}; expected one of {', '.join(SPLITS)}")
    return _USAGES[usage]


def _grey_values(field: bytes, where: str) -> npt.NDArray[np.uint8]:
    """``"70 80 82 ..."`` -> uint8 ``(2304,)``."""
    # First the alphabet, because older NumPy only warns where it cannot read on.
    foreign = field.translate(None, b"0123456789 ")
    if foreign:
        raise DataError(f"{where}: {shown(foreign)} among the pixels; expected integers and spaces")
    values = np.fromstring(field.decode("ascii"), np.int64, sep=" ")
    if len(values) != SIDE * SIDE:
        raise DataError(f"{where}: {len(values)} pixels; expected {SIDE * SIDE}")
    if values.max() > 255:
        at = int(values.argmax())
        raise DataError(f"{where}: pixel {at} is {values[at]}; expected 0 to 255")
    return values.astype(np.uint8)
