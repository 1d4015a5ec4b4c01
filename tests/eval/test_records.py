"""Records and the files that hold them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eval import records as r


def test_a_record_leaves_out_what_does_not_apply():
    got = r.record("recall", 0.25, group="fear", data="ferplus", low=None, n=7)
    assert got == {"data": "ferplus", "group": "fear", "metric": "recall", "value": 0.25, "n": 7}
    assert list(got) == ["data", "group", "metric", "value", "n"]
    assert r.record("ece", None) == {"metric": "ece", "value": None}
    with pytest.raises(TypeError, match=r"fields \['colour'\]; expected"):
        r.record("ece", 1.0, colour="red")


def test_records_of_metrics_and_classes():
    metrics = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}, "images": 3, "subjects": None}
    classes = {"fear": {"recall": {"value": 0.1}, "support": 2}}
    assert list(r.metric_records(metrics, classes, data="d", n=3)) == [
        {"data": "d", "metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3},
        {"data": "d", "metric": "images", "value": 3, "n": 3},
        {"data": "d", "group": "fear", "metric": "recall", "value": 0.1, "n": 3},
        {"data": "d", "group": "fear", "metric": "support", "value": 2, "n": 3},
    ]


def test_a_report_has_a_record_a_line(tmp_path):
    path = tmp_path / "new" / "r.json"
    command = {"command": "python -m eval", "date": "2026-01-01"}
    made = [r.record("ece", math.nan), r.record("accuracy", np.float64(1 / 3), n=np.int64(3))]
    r.write_report(path, "evaluation", command, made, interval="none", weights_sha256=None)
    content = json.loads(path.read_text())
    assert content == {
        "study": "evaluation", **command, "interval": "none",
        "records": [{"metric": "ece", "value": None},
                    {"metric": "accuracy", "value": 0.333333, "n": 3}],
    }  # fmt: skip
    assert '  {"metric": "accuracy", "value": 0.333333, "n": 3}' in path.read_text().splitlines()


def test_names_that_all_records_share_are_written_once(tmp_path):
    path = tmp_path / "r.json"
    made = [r.record("ece", 0.5, data="d", weights="w", option="a"),
            r.record("ece", 0.25, data="d", weights="w", n=3)]  # fmt: skip
    r.write_report(path, "trust", {"command": "python -m eval"}, made, fold=True)
    content = json.loads(path.read_text())
    assert content["shared"] == {"data": "d", "weights": "w", "metric": "ece"}
    assert content["records"] == [{"option": "a", "value": 0.5}, {"value": 0.25, "n": 3}]
    assert r.unfolded(content) == made
    assert r.unfolded({"records": made}) == made


def test_dumps_is_json_in_short_lines():
    value = {
        "a": {"x": np.float64(1 / 3), "y": float("nan")},
        "b": [1, np.int64(2)],
        "c": {"d": {"e": 1}},
    }
    text = r.dumps(value)
    assert json.loads(text) == {"a": {"x": 0.333333, "y": None}, "b": [1, 2], "c": {"d": {"e": 1}}}
    assert text.splitlines()[1] == ' "a": {"x": 0.333333, "y": null},'


def test_a_command_tells_nothing_of_the_machine(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("FER_CBAM_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "work")
    got = r.provenance(
        "eval",
        ["--data", str(tmp_path / "data" / "ck.zip"), "--out", str(tmp_path / "work" / "r" / "p"),
         "--weights", str(tmp_path / "w x"), "--votes", "../up/v.csv"],
    )  # fmt: skip
    assert got["command"] == (
        "python -m eval --data \"$FER_CBAM_DATA/ck.zip\" --out r/p --weights 'w x' --votes v.csv"
    )
    assert got["versions"]["numpy"] == np.__version__
