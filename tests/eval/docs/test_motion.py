"""Tables of what may be skipped and what a step costs, and the card of a recurrent network."""

from __future__ import annotations

import pandas as pd
import timm
import torch

from eval.docs import motion
from eval.docs.records import KEYS, NUMBERS, OF_REPORT
from fer_cbam import hub
from fer_cbam.labels import LABEL_SETS

LABELS = LABEL_SETS["ferplus"]


def records(*rows: dict) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=[*KEYS, *NUMBERS, *OF_REPORT])
    names = [*KEYS, *OF_REPORT]
    found[names] = found[names].astype(object).where(found[names].notna(), None)
    return found


def test_skips():
    assert motion.skips(records()) == "Not measured yet."
    rows = [
        {"study": "clip_skips", "option": "filter", "condition": f"every {n}", "metric": metric,
         "value": value}
        for n, metric, value in ((12, "accuracy", 0.5), (2, "accuracy", 0.81),
                                 (2, "detection_seconds", 0.25), (2, "accuracy_gain", -0.012))
    ]  # fmt: skip
    rows.append({"study": "clip_skips", "metric": "clips", "value": 35})
    lines = motion.skips(records(*rows)).splitlines()
    assert lines[0].startswith("| frames that are read, of 35 clips | each frame alone: right |")
    assert lines[2] == "| every 2 | \u2013 | \u2013 | 81.0 | 0.25 | \u2013 | \u2013 | -1.2 |"
    assert lines[3].startswith("| every 12 |")


def test_costs_and_the_hour():
    rows = [
        {"study": "motion", "option": "detection", "metric": "milliseconds", "value": 1.234},
        {"study": "motion", "option": "recurrent", "metric": "milliseconds", "value": 0.05},
        {"study": "motion", "condition": "1 people", "metric": "growth_mb", "value": -0.01,
         "n": 54000},
        {"study": "motion", "condition": "20 people", "metric": "follow_milliseconds",
         "value": 4.2},
    ]  # fmt: skip
    found = records(*rows)
    assert motion.costs(found).splitlines()[2:] == [
        "| finding the face | 1.23 |", "| recurrent network, a step | 0.05 |",
    ]  # fmt: skip
    told = motion.hour(found)
    assert "54,000 frames" in told and "grow by 0.0 MB" in told and "4.2 ms" in told
    assert motion.hour(records()) == "Not measured yet."


def test_the_card(tmp_path):
    model = timm.create_model("fer_cbam_gru", in_features=36, width=12, hidden_size=16)
    extra = {"reads": {"weights": "fer_cbam_base.ferplus", "sha256": ""}, "temperature": 1.25,
             "training": {"clips": 2000, "frames": 100_000}}  # fmt: skip
    folder = hub.save_model(model, tmp_path / "fer_cbam_gru.ferplus", LABELS, extra, torch.float16)
    row = {"study": "clips", "weights": "fer_cbam_base.ferplus", "protocol": "clips_private",
           "option": "network", "metric": "accuracy", "value": 0.875}  # fmt: skip
    text = motion.card(folder, records(row))
    learnt = sum(p.numel() for p in model.parameters())
    assert f"{learnt / 1e6:.2f} M parameters" in text and "a GRU (Cho" in text
    assert "2,000 clips (100,000 frames)" in text and "temperature 1.25" in text
    assert "| PrivateTest, recurrent network | 87.5 |" in text and "What they cannot teach" in text
