from __future__ import annotations

import pytest

from eval.docs.markdown import NOT_YET, cell, table, text
from eval.records import record
from fer_cbam.errors import DataError


@pytest.mark.parametrize(
    ("value", "spec", "expected"),
    [
        (0.98712, ".1p", "98.7"),
        (-0.0004, "+.1p", "0.0"),
        (-0.004, "+.1p", "-0.4"),
        (0.004, "+.1p", "+0.4"),
        (1234.0, ",.0f", "1,234"),
        (10.0, ".0f", "10"),
    ],
)
def test_numbers(value, spec, expected):
    assert text(value, spec) == expected


def test_cells(loaded):
    records = loaded(
        evaluation=[
            record("accuracy", 0.5, low=0.4, high=0.625, sd=0.01),
            record("ece", None),
            record("recall", 0.5, group="fear"),
            record("recall", 0.75, group="anger"),
        ]
    )
    assert cell(records, ".1p", metric="accuracy") == "50.0"
    assert cell(records, ".1p", "interval", metric="accuracy") == "50.0 (40.0\u201362.5)"
    assert cell(records, ".1p", "sd", metric="accuracy") == "50.0 \u00b1 1.0"
    assert cell(records, ".1p", "interval", metric="recall", group="fear") == "50.0"
    assert cell(records, ".1p", metric="ece") == cell(records, ".1p", metric="brier") == "\u2013"
    with pytest.raises(DataError, match="2 records with metric='recall'"):
        cell(records, ".1p", metric="recall")


def test_tables():
    assert table(("a", "b"), [("c", "d")]) == "| a | b |\n| --- | ---: |\n| c | d |"
    assert table(("a", "b"), []) == NOT_YET
