from __future__ import annotations

import pytest

from eval.docs.records import REPORTS, read_report
from eval.studies import raters
from fer_cbam.errors import DataError
from fer_cbam.labels import FERPLUS_COLUMNS


def votes(**counts: int) -> list[int]:
    return [counts.get(name, 0) for name in FERPLUS_COLUMNS]


def test_each_vote_meets_what_the_others_say():
    rows = raters.held_out_votes(votes(neutral=6, sadness=3, unknown=1))
    at = FERPLUS_COLUMNS.index
    assert rows == [
        (at("neutral"), at("neutral"), 6.0),
        (at("neutral"), at("sadness"), 3.0),
        (at("neutral"), at("unknown"), 1.0),
    ]


def test_equals_are_met_in_equal_parts():
    # One of the five gone, four stand against four.
    rows = raters.held_out_votes(votes(happiness=5, fear=4))
    at = FERPLUS_COLUMNS.index
    assert sorted(rows) == sorted([
        (at("happiness"), at("happiness"), 2.5), (at("fear"), at("happiness"), 2.5),
        (at("happiness"), at("fear"), 4.0),
    ])  # fmt: skip


def test_agreement_by_hand():
    images = [
        ("a", votes(happiness=10)),             # 10 of 10
        ("b", votes(anger=6, disgust=3, NF=1)),  # 6 of 10
        ("c", votes(anger=5, fear=5)),           # no clear winner: not counted
        ("d", []),                               # no votes
    ]  # fmt: skip
    got = raters.agreement(images)
    assert got["n"] == 2
    assert got["metrics"]["accuracy"]["value"] == pytest.approx(16 / 20)
    assert got["classes"]["anger"]["recall"]["value"] == pytest.approx(6 / 10)
    assert got["metrics"]["balanced_accuracy"]["value"] == pytest.approx((1 + 0.6) / 2)
    assert got["metrics"]["accuracy"]["low"] == pytest.approx(0.6)
    assert got["metrics"]["accuracy"]["high"] == pytest.approx(1.0)
    with pytest.raises(DataError, match="no image with a clear winner"):
        raters.agreement(images[2:])


@pytest.mark.data
def test_the_committed_line_is_what_the_votes_give(data_dir, tmp_path):
    raters.main(["--votes", str(data_dir / "fer2013new.csv"), "--out", str(tmp_path)])
    got = read_report(tmp_path / raters.REPORT_FILE)["records"]
    assert {record["n"] for record in got} == {3153}
    assert got == read_report(REPORTS / "ferplus/private/one_rater.json")["records"]
