"""Tables about voices, from made-up records."""

from __future__ import annotations

import pandas as pd

from eval.docs.records import KEYS, OF_REPORT
from eval.docs.speech import calibration, made, speech, speed
from eval.records import NUMBERS, record


def table(study: str, *records: dict) -> pd.DataFrame:
    rows = pd.DataFrame([{"study": study, **r} for r in records],
                        columns=[*KEYS, *NUMBERS, *OF_REPORT])  # fmt: skip
    names = [*KEYS, *OF_REPORT]
    rows[names] = rows[names].astype(object).where(rows[names].notna(), None)
    return rows


def test_speech() -> None:
    of = {"data": "emodb", "protocol": "one speaker left out"}
    rows = table(
        "speech",
        record("accuracy", 0.71, low=0.6, high=0.8, weights="fer_cbam_prosody", **of),
        record("unweighted average recall", 0.7, weights="fer_cbam_prosody", **of),
        record("unweighted average recall", 0.5, weights="logistic regression", **of),
    )
    text = speech(rows)
    assert (
        "| EmoDB, 7 emotions, one speaker left out | 71.0 (60.0\u201380.0) | 70.0 | 50.0 |" in text
    )
    assert "RAVDESS" not in text
    assert speech(rows.iloc[:0]) == "Not measured yet."


def test_the_others() -> None:
    rows = table("speech", record("ece", 0.03, data="ravdess+emodb", condition="calibrated"))
    assert "| calibrated | \u2013 | \u2013 | 3.0 |" in calibration(rows)
    rows = table("made_clips", record("reported", 0.4, condition="conflict"),
                 record("reported", 0.1, condition="agree"))  # fmt: skip
    assert "| a contradiction is reported | 10.0 | 40.0 |" in made(rows)
    rows = table("modalities", record("milliseconds", 1.234, condition="voice"))
    assert "| voice: two seconds of sound | 1.23 |" in speed(rows)
