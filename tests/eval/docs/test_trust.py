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
    assert lines[0].startswith("| spoilt by, % on FER+ | `fer_cbam_base.ferplus`, 950 faces: rel")
    assert lines[2].startswith("| half hidden | 70.0 (50.0")  # what costs most comes first
    assert lines[2].split("|")[2:7] == [
        " 70.0 (50.0\u201399.0) ", " 30.0 ", " 72.0 (50.0\u201399.0) ", " 28.0 ", " 60.0 ",
    ]  # fmt: skip
    assert [line.split("|")[1].strip() for line in lines[2:5]] == [
        "half hidden", "noise", "all corruptions",
    ]  # fmt: skip
    assert lines[-1].endswith("`fer_cbam_base.ferplus` 0.50, `fer_cbam_tiny.ferplus` 0.52.")


def test_each_data_set_has_its_table_and_the_svm_where_it_was_trained(tmp_path):
    of = {"data": "ckplus48", "weights": "fer_cbam_tiny.ferplus", "n": 784}
    write_report(tmp_path / "ck" / "trust.json", "trust", MADE, [
        record("relative_accuracy", 0.91, condition="noise", **of),
        record("corruption_error", 0.33, condition="noise", **of),
        record("relative_accuracy", 0.92, condition=trust.ALL, **of),
    ])  # fmt: skip
    text = trust.robustness(reports(tmp_path))
    ferplus, ck = text.index("% on FER+"), text.index("% on CK+48")
    assert ferplus < text.index("mCE") < ck and "SVM" not in text[ck:]
    assert "| noise | 91.0 | 33.0 |" in text[ck:] and "784 faces" in text[ck:]


def test_attention(tmp_path):
    records = []
    of = {"data": "ferplus", "protocol": "public"}
    for weights, error in zip(trust.TWINS, (0.3, 0.35), strict=True):
        records.append(record("accuracy", 1 - error / 2, condition="clean", weights=weights, **of))
        for condition, more in (("noise", 0.0), ("half_hidden", 0.1), (trust.ALL, 0.05)):
            where = {"condition": condition, "weights": weights, **of}
            records.append(record("corruption_error", error + more, **where))
            records.append(record("relative_accuracy", 0.9 - more, **where))
    own = {"weights": trust.TWINS[0], **of}
    records.append(record("hog_svm_accuracy", 0.5, condition="clean", **own))
    for condition, change in (("noise", -0.01), ("half_hidden", -0.05), (trust.ALL, -0.03)):
        records.append(record("corruption_error_change", change, low=change - 0.01, high=0.004,
                              condition=condition, **own))  # fmt: skip
        records.append(record("hog_svm_corruption_error", 0.6, condition=condition, **own))
    write_report(tmp_path / "attention.json", "attention", MADE, records)
    lines = trust.attention(load(tmp_path)).splitlines()
    assert lines[2] == ("| half hidden | 80.0 | 40.0 | 80.0 | 45.0 | -5.0 (-6.0\u2013+0.4) "
                        "| \u2013 | 60.0 |")  # fmt: skip
    assert lines[4].startswith("| all corruptions")
    assert lines[-1] == ("Accuracy before: with CBAM 85.0, without CBAM 82.5, "
                         "HOG + linear SVM 50.0.")  # fmt: skip


def test_fairness(tmp_path):
    lines = trust.fairness(reports(tmp_path)).splitlines()
    assert lines[2] == (
        "| `fer_cbam_base.ferplus`, FER+: detector | \u2013 | \u2013 | 4.0 | 1.5 | spread |"
    )
    assert lines[3].endswith("| 4.0 | 1.5 | nothing |")


def test_not_measured_yet(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({**MADE, "study": "cost", "records": []}))
    for block in trust.BLOCKS.values():
        assert block(load(tmp_path)) == NOT_YET
