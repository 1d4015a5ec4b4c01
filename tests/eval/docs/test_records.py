"""All reports as one table, and the question for one record."""

from __future__ import annotations

import json

import pytest

from eval.docs.records import REPORTS, load, one, select
from eval.records import record, write_report
from fer_cbam.errors import DataError

COMMAND = {"command": "python -m eval"}
ACCURACY = record("accuracy", 0.5, data="d", protocol="p", weights="w.d", option="plain", low=0.4,
                  high=0.6, n=10)  # fmt: skip
RECALL = {**ACCURACY, "metric": "recall", "group": "fear", "value": 0.25}


def test_records_are_rows(tmp_path):
    write_report(tmp_path / "b" / "one.json", "evaluation", COMMAND, [ACCURACY, RECALL])
    write_report(tmp_path / "speed.json", "speed", COMMAND, [record("ms", 2.0)], processor="x")
    got = load(tmp_path)
    assert len(got) == 3
    row = one(got, metric="accuracy", group=None)
    assert (row["value"], row["low"], row["n"], row["study"]) == (0.5, 0.4, 10, "evaluation")
    assert (row["command"], row["report"]) == ("python -m eval", "b/one.json")
    assert row["processor"] is None and row["condition"] is None
    assert one(got, study="speed")["processor"] == "x"
    assert list(select(got, group="fear")["value"]) == [0.25]
    assert list(select(got, data=None)["metric"]) == ["ms"]


def test_none_and_several_are_errors_that_say_what_was_asked(tmp_path):
    write_report(tmp_path / "one.json", "evaluation", COMMAND, [ACCURACY, RECALL])
    got = load(tmp_path)
    with pytest.raises(DataError, match=r"0 records with data='x', metric='ece'; expected one$"):
        one(got, data="x", metric="ece")
    message = (
        r"2 records with data='d'; expected one, found: study evaluation, data d, .* "
        "metric accuracy; .* group fear, metric recall"
    )
    with pytest.raises(DataError, match=message):
        one(got, data="d")


def test_two_reports_of_the_same_are_an_error(tmp_path):
    for name in "ab":
        write_report(tmp_path / f"{name}.json", "evaluation", COMMAND, [ACCURACY])
    with pytest.raises(DataError, match=r"a\.json and b\.json: both report study evaluation"):
        load(tmp_path)
    write_report(tmp_path / "b.json", "another", COMMAND, [ACCURACY])  # not the same question
    assert len(load(tmp_path)) == 2


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", '{"command": "x"}', '{"study": "s", "command": "c", "records": [{"x": 1}]}'],
)
def test_a_file_that_is_no_report_is_an_error(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataError, match=r"r\.json: "):
        load(tmp_path)


def test_committed_reports_are_small_and_name_no_machine():
    files = [path for path in REPORTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2e6
    for path in REPORTS.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert json.loads(text)["command"].startswith("python -m "), path
        assert "/work/" not in text and "/tmp/" not in text and "/home/" not in text, path
