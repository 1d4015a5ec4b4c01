"""A session of an Empatica E4 wristband: a folder or zip of CSV files.

``BVP.csv`` (blood volume pulse, 64 Hz), ``EDA.csv`` (skin conductance in microsiemens, 4 Hz),
``TEMP.csv``, ``HR.csv`` and ``ACC.csv`` hold the second at which they begin (Unix time, UTC) in
their first row, the rate in their second, then a sample a row. Written to the layout that Empatica
documents; never run on a real session, which could not be had.
"""

from __future__ import annotations

import os

import numpy as np

from fer_cbam.data.files import MAX_TABLE_BYTES, Files, open_files
from fer_cbam.errors import DataError
from fer_cbam.physiology.series import Series, series

#: file -> kind and unit
FILES = {"BVP.csv": ("ppg", "a.u."), "EDA.csv": ("eda", "uS")}


def read_empatica(path: str | os.PathLike[str]) -> dict[str, Series]:
    """``{"ppg": ..., "eda": ...}`` of a session, those that are there; their start is Unix time.

    Raises:
        DataError: neither is there, or a file is not of this layout.
        SignalError: samples that no body gives.
    """
    with open_files(path) as files:
        return session(files)


def session(files: Files, folder: str = "") -> dict[str, Series]:
    """Of files that are at hand, below a folder of them."""
    found = {}
    for name, (kind, unit) in FILES.items():
        own = [known for known in files.names
               if known.startswith(folder) and f"/{known}".endswith(f"/{name}")]  # fmt: skip
        if len(own) > 1:
            raise DataError(f"{files.path}: {', '.join(own)}; expected one session")
        if own:
            start, rate, values = _samples(files, own[0])
            found[kind] = series(kind, values, rate, unit, files.where(own[0]), start)
    if not found:
        raise DataError(f"{files.path}: no session; expected {' or '.join(FILES)}")
    return found


def _samples(files: Files, name: str) -> tuple[float, float, np.ndarray]:
    text = files.read(name, MAX_TABLE_BYTES).decode("utf-8-sig", "replace")
    rows = [row.split(",")[0].strip() for row in text.splitlines() if row.strip()]
    try:
        numbers = np.array(rows, np.float64)
    except ValueError as error:
        raise DataError(f"{files.where(name)}: {error}; expected a number a row") from error
    if len(numbers) < 3 or not numbers[0] > 0 or not 0 < numbers[1] <= 1000:
        raise DataError(f"{files.where(name)}: begins with {', '.join(rows[:2])}; expected Unix "
                        "seconds, samples a second, then samples")  # fmt: skip
    return float(numbers[0]), float(numbers[1]), numbers[2:]
