"""Tables of explanations from made-up records."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from eval.docs import explanations
from eval.docs.markdown import NOT_YET
from eval.docs.records import load
from eval.records import record


@pytest.fixture
def records(tmp_path) -> pd.DataFrame:
    own = {"data": "ferplus", "protocol": "public", "weights": "fer_cbam_tiny.ferplus"}
    noise = {"condition": "gradcam", "option": "unused fills"}
    made = [
        record("abpc", 0.25, low=0.2, high=0.3, n=50, condition="gradcam", option="unused fills"),
        record("abpc", 0.4, low=0.35, high=0.45, condition="occlusion_4x4", option="unused fills"),
        record("abpc", 0.9, condition="gradcam", option="pixel, road"),
        record("abpc_gain", 0.01, low=-0.02, high=0.04, group="over Gaussian", **noise),
        record("milliseconds", 3.77, condition="gradcam", option="runtime"),
        record("rank_correlation", 0.86, condition="gradcam", option="another face"),
        record("answers_changed", 0.002, condition="upside down", option="last gate"),
        record("named", 0.65, low=0.6, high=0.7, n=144),
        record("loss_over_commonest", 0.1812, low=0.1, high=0.26, n=90),
        record("facs_share", 0.56, group="anger", n=8),
        record("facs_area", 0.447, group="anger", n=8),
    ]
    content = {"study": "trust", "command": "c", "records": [own | r for r in made]}
    (tmp_path / "trust.json").write_text(json.dumps(content))
    return load(tmp_path)


def rows(shown: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in shown.replace("\u2013", "-").splitlines()][2:]


def test_methods_stand_from_the_best_down(records):
    title = "`fer_cbam_tiny.ferplus` on FER+"
    assert rows(explanations.faithfulness(records)) == [
        [title, "occlusion_4x4", "0.400 (0.350-0.450)", "-", "-"],
        [title, "gradcam", "0.250 (0.200-0.300)", "+0.010 (-0.020-+0.040)", "3.8"],
    ]


def test_the_other_tables(records):
    assert rows(explanations.sanity(records))[0][1:] == ["gradcam", "0.86"]
    assert rows(explanations.gates(records))[0][1:] == ["upside down", "0.2", "-"]
    sentence = dict(rows(explanations.sentence(records)))
    assert sentence["faces for which a region is named (%)"] == "65.0 (60.0-70.0)"
    last = "probability lost beyond that of the commonest region"
    assert sentence[last] == "+0.181 (+0.100-+0.260)"
    assert rows(explanations.facs(records))[0][1:] == ["anger", "56", "45", "8"]


def test_without_a_report_nothing_is_claimed(records):
    for block in explanations.BLOCKS.values():
        assert block(records[records["study"] == "none"]) == NOT_YET
