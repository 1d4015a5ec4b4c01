"""The table of the page for the visitor's own device, from made-up records."""

from __future__ import annotations

import pytest

from eval.docs.device import device
from eval.records import record
from fer_cbam.errors import DataError

MADE = {
    "first_visit_bytes": 912_345, "weights_bytes": 700_000, "live_minutes": 10, "live_frames": 9876,
    "heap_growth_mb": -0.26, "resident_growth_mb": 3.14, "resident_mb": 151.6,
    "control_resident_growth_mb": 5.25,
}  # fmt: skip


def test_a_row_for_each_number(loaded):
    shown = device(loaded(device=[record(name, value) for name, value in MADE.items()]))
    cells = [cell.strip() for cell in shown.replace("\u2212", "-").split("|")]
    for expected in ("10 minutes of webcam in Chromium", "0.91 MB", "0.70 MB", "9,876", "-0.3 MB",
                     "+3.1 MB", "152 MB", "+5.2 MB"):  # fmt: skip
        assert expected in cells, shown


def test_a_report_that_lacks_one_is_noticed(loaded):
    with pytest.raises(DataError):
        device(loaded(device=[record("live_frames", 1)]))
