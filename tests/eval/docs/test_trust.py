"""Tables of the reports on trust, from made-up records."""

from __future__ import annotations

import json

from eval.docs import trust
from eval.docs.markdown import NOT_YET
from eval.docs.records import load
from eval.records import record, write_report

MADE = {"command": "python -m eval trust", "versions": {}, "date": "2026-01-01"}


def reports(tmp_path):
    for weights, lift in (("fer_cbam_base.ferplus", 0.0), ("fer_cbam_tiny.ferplus", 0.02)):
        of = {"data": "ferplus", "protocol": "public", "weights": weights, "n": 950}
        records = []
        for condition, relative in (("noise", 0.9), ("half_hidden", 0.7), (trust.ALL, 0.8)):
            records += [
                record("relative_accuracy", relative + lift, low=0.5, high=0.99,
                       condition=condition, **of),
                record("corruption_error", 0.3 - lift, condition=condition, **of),
                record("hog_svm_corruption_error", 0.6, condition=condition, **of),
            ]  # fmt: skip
        records.append(record("mce", 0.5 + lift, condition=trust.ALL, **of))
        records += [
            record("gap_spread", 0.04, condition="detector", **of),
            record("shuffled_gap_spread", 0.01, low=0, high=0.015, condition="detector", **of),
            record("found_spread", int(lift == 0), condition="detector", **of),
            record("accuracy", 0.5, condition="detector", group="found", **of),
        ]
        write_report(tmp_path / weights / "trust.json", "trust", MADE, records)
    return load(tmp_path)


def test_robustness(tmp_path):
    lines = trust.robustness(reports(tmp_path)).splitlines()
    assert "`fer_cbam_base.ferplus`, 950 faces" in lines[0]
    assert lines[2].startswith("| half hidden | 70.0 (50.0")  # what costs most comes first
    assert lines[2].split("|")[2:7] == [
        " 70.0 (50.0\u201399.0) ", " 30.0 ", " 72.0 (50.0\u201399.0) ", " 28.0 ", " 60.0 ",
    ]  # fmt: skip
    assert [line.split("|")[1].strip() for line in lines[2:5]] == [
        "half hidden", "noise", "all corruptions",
    ]  # fmt: skip
    assert lines[-1].endswith("`fer_cbam_base.ferplus` 0.50, `fer_cbam_tiny.ferplus` 0.52.")


def test_fairness(tmp_path):
    lines = trust.fairness(reports(tmp_path)).splitlines()
    assert lines[2] == (
        "| `fer_cbam_base.ferplus`, FER+: detector | \u2013 | \u2013 | 4.0 | 1.5 | spread |"
    )
    assert lines[3].endswith("| 4.0 | 1.5 | nothing |")


def test_not_measured_yet(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({**MADE, "study": "cost", "records": []}))
    assert trust.robustness(load(tmp_path)) == trust.fairness(load(tmp_path)) == NOT_YET
