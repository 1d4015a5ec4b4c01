from __future__ import annotations

import pytest

from eval.docs.records import load
from eval.records import write_report


@pytest.fixture(scope="session")
def committed():
    """The records of all committed reports."""
    return load()


@pytest.fixture
def loaded(tmp_path):
    """Records -> the table of a folder with one report of them for each study."""

    def make(**studies):
        for study, records in studies.items():
            details = {"processor": "a processor"} if study in ("speed", "frame") else {}
            write_report(tmp_path / f"{study}.json", study, {"command": study}, records, **details)
        return load(tmp_path)

    return make
