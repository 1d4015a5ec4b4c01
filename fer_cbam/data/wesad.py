"""WESAD (Schmidt et al. 2018, https://doi.org/10.1145/3242969.3242985): 15 people at rest, amused,
stressed and meditating, with a wristband (Empatica E4) and a chest belt.

Reads ``S2/S2_E4_Data/*.csv`` (or ``S2_E4_Data.zip`` unpacked beside it) and the times of the stages
in ``S2/S2_quest.csv``. The pickles ``S2.pkl``, which hold the two devices on one clock, are never
opened: unpickling runs whatever code a file holds. So the stages are in minutes of the belt's
clock, and the wristband's in Unix time; they are not aligned here. Never run on the real
recordings, which could not be had.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from fer_cbam.data.empatica import session
from fer_cbam.data.files import MAX_TABLE_BYTES, Files, open_files
from fer_cbam.errors import DataError
from fer_cbam.physiology.series import Series

#: As the file names them -> what a person went through.
STAGES = {
    "Base": "baseline", "TSST": "stress", "Fun": "amusement", "Medi 1": "meditation",
    "Medi 2": "meditation", "sRead": "reading", "fRead": "reading",
}  # fmt: skip
_QUEST = re.compile(r"(?:.*/)?(S\d+)_quest\.csv")


@dataclass(frozen=True)
class Stage:
    """name: of ``STAGES``. begin, end: seconds of the belt's clock."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True, eq=False)
class Subject:
    """name: such as ``S2``. signals: of the wristband, by kind. stages: in their order."""

    name: str
    signals: dict[str, Series]
    stages: tuple[Stage, ...]


def read_wesad(path: str | os.PathLike[str]) -> list[Subject]:
    """The subjects of a folder or zip, by name.

    Raises:
        DataError: none there, a subject without the wristband's files, or stages that cannot be
            read.
        SignalError: samples that no body gives.
    """
    with open_files(path) as files:
        quests = {match[1]: name for name in files.names if (match := _QUEST.fullmatch(name))}
        if not quests:
            raise DataError(f"{files.path}: no subject; expected S2/S2_quest.csv and its like")
        found = []
        for subject in sorted(quests, key=lambda name: int(name[1:])):
            folder = quests[subject].rpartition("/")[0]
            prefix = f"{folder}/{subject}_E4_Data/" if folder else f"{subject}_E4_Data/"
            stages = _stages(files, quests[subject])
            found.append(Subject(subject, session(files, prefix), stages))
        return found


def _stages(files: Files, name: str) -> tuple[Stage, ...]:
    text = files.read(name, MAX_TABLE_BYTES).decode("utf-8-sig", "replace")
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, *fields = line.strip().lstrip("# ").split(";")
        rows.setdefault(key.strip().upper(), [field.strip() for field in fields if field.strip()])
    names, begins, ends = (rows.get(key, []) for key in ("ORDER", "START", "END"))
    known = [stage for stage in names if stage in STAGES]
    try:
        times = [(_seconds(a), _seconds(b)) for a, b in zip(begins, ends, strict=False)]
    except ValueError as error:
        raise DataError(f"{files.where(name)}: {error}; expected minutes.seconds") from error
    if not known or len(known) != len(names) or len(times) < len(names):
        raise DataError(f"{files.where(name)}: stages {', '.join(names) or 'none'} with "
                        f"{len(times)} times; expected some of {', '.join(STAGES)}, each with "
                        "START and END")  # fmt: skip
    return tuple(Stage(STAGES[stage], *pair) for stage, pair in zip(names, times, strict=False))


def _seconds(clock: str) -> float:
    """``7.08`` is 7 minutes and 8 seconds."""
    minutes, _, seconds = clock.partition(".")
    if not minutes.isdigit() or not (seconds or "0").isdigit():
        raise ValueError(f"time {clock!r}")
    return 60.0 * int(minutes) + float((seconds or "0").ljust(2, "0")[:2])
