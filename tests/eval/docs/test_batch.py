"""The page about many images says what the reports say."""

from __future__ import annotations

import pandas as pd
import pytest

from eval.docs.batch import BLOCKS
from eval.docs.markdown import NOT_YET
from eval.docs.records import KEYS, OF_REPORT
from eval.records import NUMBERS, record

BASE, TINY = "fer_cbam_base.ferplus", "fer_cbam_tiny.ferplus"


def records(*rows: dict) -> pd.DataFrame:
    table = pd.DataFrame(
        [{"study": "batch", **row} for row in rows], columns=[*KEYS, *NUMBERS, *OF_REPORT]
    )
    return table.astype(object).where(table.notna(), None)


def rated(value: float, **fields) -> dict:
    return record("images_per_second", value, **fields)


@pytest.mark.parametrize("name", BLOCKS)
def test_without_reports(name):
    assert BLOCKS[name](records()) == NOT_YET


def test_rates_and_ways():
    fields = {"weights": BASE, "condition": "photographs", "n": 300}
    rows = [
        rated(10.0, option="loop, onnx", **fields),
        record("times_loop_onnx", 1.0, option="loop, onnx", **fields),
        rated(19.0, option="batch, onnx, 2", **fields),
        record("times_loop_onnx", 1.9, option="batch, onnx, 2", **fields),
    ]
    lines = BLOCKS["batch-rates"](records(*rows)).splitlines()
    assert lines[2].startswith("| a loop, ONNX Runtime | `fer_cbam_base.ferplus` | 10.0 |")
    assert lines[3].startswith("| batch, ONNX Runtime, 2 processes |")
    assert lines[3].endswith("| 19.0 | \u2013 | 1.90 |")


def test_a_hundred_million_by_hand():
    found = BLOCKS["batch-million"](records(
        rated(25.0, weights=BASE, option="batch, onnx, 1", condition="photographs"),
        rated(2500.0, weights=BASE, condition="driver"),
        record("manifest_bytes_an_input", 120.0, weights=BASE, condition="driver"),
        record("bytes_a_row", 80.0, weights=TINY, condition="1000 inputs"),
    ))  # fmt: skip
    assert "Measured: 25.0 images a second and core" in found
    assert "1,111 core hours, which is 1.1 hours on 1,000 cores" in found  # 1e8 / 25 / 3600
    assert (
        "8 GB of results" in found and "12 GB of manifest" in found and "needs 11.1 hours" in found
    )  # 1e8 / 2500 / 3600
    assert "beyond about 100 cores" in found and "read 50 GB a second" in found


def test_a_killed_run_says_whether_it_is_equal():
    fields = {"weights": TINY, "option": "onnx, 2", "n": 10}
    killed = fields | {"condition": "10 inputs, 2 kills"}
    lines = BLOCKS["batch-growth"](records(
        record("inputs", 10, **fields, condition="10 inputs, 0 kills"),
        record("inputs", 10, **killed), record("equal", 1, **killed),
        record("inputs_with_rows", 10, **killed),
    )).splitlines()  # fmt: skip
    assert lines[2].startswith("| 10 inputs, 0 kills | \u2013 |")
    assert lines[3].startswith("| 10 inputs, 2 kills | yes | 10 |")
