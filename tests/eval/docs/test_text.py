"""The table of lines of text from records whose cells are known."""

from __future__ import annotations

from eval.docs.markdown import NOT_YET
from eval.docs.text import reading
from eval.records import record
from eval.text import ALL, MIXED, NEUTRAL, PLAIN, SINGLE


def test_the_network_stands_above_the_plain_classifier(loaded):
    one = {"data": "goemotions", "protocol": SINGLE}
    rows = [
        record("accuracy", 0.5, weights=PLAIN, **one),
        record("accuracy", 0.625, low=0.6, high=0.65, weights="fer_cbam_text.x", **one),
        record("ece", 0.02, weights="fer_cbam_text.x", **one),
        record("macro_f1", 0.55, data="goemotions", protocol=ALL, weights="fer_cbam_text.x"),
        record("accuracy", 0.4, data="meld", protocol=SINGLE, weights="fer_cbam_text.x"),
        record("ece", 0.25, data="meld", protocol=SINGLE, weights=f"fer_cbam_text.x, {MIXED}"),
    ]
    lines = reading(loaded(text=rows)).splitlines()
    dash = "\u2013"
    assert lines[2] == (f"| `fer_cbam_text.x` | 62.5 (60.0{dash}65.0) | {dash} | 2.0 | 55.0 | 40.0 "
                        f"| {dash} | {dash} |")  # fmt: skip
    assert lines[3].startswith(f"| the same, {MIXED} | {dash}") and lines[3].endswith("| 25.0 |")
    assert lines[4].startswith(f"| {PLAIN} | 50.0 | {dash}")
    assert lines[5].startswith(f"| {NEUTRAL} | {dash}")
    assert lines[6].startswith("| BERT, published |") and len(lines) == 7


def test_nothing_measured(loaded):
    assert reading(loaded(speech=[record("accuracy", 0.5, data="emodb")])) == NOT_YET
