"""Two reports side by side, against means worked out by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from eval.__main__ import main
from eval.docs.records import read_report
from eval.trust import compare, confidence, faithfulness, regions, robustness, run
from fer_cbam.errors import DataError
from tests.eval.trust.test_run import MADE


def side(subject, out, weights, shift, faces=None):
    """A report of one section: a mean of values that differ by face, and a number without them."""
    import dataclasses

    subject = dataclasses.replace(subject, weights=weights, kept=[])
    rows = subject.table.iloc[faces if faces is not None else range(len(subject.table))]

    def measure(own):
        values = np.arange(len(rows)) / 100 + shift
        own.keep(rows, "abpc", values, condition="gradcam", option="unused fills")
        return [own.record("abpc", values.mean(), condition="gradcam", option="unused fills"),
                own.record("ece", 0.1 + shift, condition="as it answers")]  # fmt: skip

    section = SimpleNamespace(name="first", title="First", measure=measure, html=lambda _: "",
                              compared=lambda _: True)  # fmt: skip
    run.report(subject, [section], out, MADE)
    return section


def test_the_difference_is_paired_by_face_and_its_interval_is_that_of_equal_shifts(
    subject, tmp_path
):
    section = side(subject, tmp_path / "a", "one", 0.0)
    side(subject, tmp_path / "b", "two", 0.25)
    a, b = compare.read(tmp_path / "a"), compare.read(tmp_path / "b")
    ((_, rows),) = compare.compare(a, b, [section])
    first, second = rows
    assert first.fields["metric"] == "abpc" and first.n == 18
    assert (first.a, first.b) == pytest.approx((0.085, 0.335))
    # Every face differs by the same: no draw of faces differs from another.
    assert (first.difference, first.low, first.high) == pytest.approx((0.25, 0.25, 0.25))
    assert first.clear
    assert (second.difference, second.low, second.n) == (pytest.approx(0.25), None, None)
    assert not second.clear


def test_only_faces_of_both_are_paired(subject, tmp_path):
    section = side(subject, tmp_path / "a", "one", 0.0)
    side(subject, tmp_path / "b", "two", 0.0, faces=range(10, 18))
    a, b = compare.read(tmp_path / "a"), compare.read(tmp_path / "b")
    ((_, (row, _)),) = compare.compare(a, b, [section])
    # A's values there are 0.10 to 0.17, B's 0.00 to 0.07.
    assert row.n == 8 and (row.a, row.b) == pytest.approx((0.135, 0.035))
    assert row.difference == pytest.approx(-0.1)


def test_without_kept_sections_a_difference_has_no_interval(subject, tmp_path):
    section = side(subject, tmp_path / "a", "one", 0.0)
    side(subject, tmp_path / "b", "two", 0.25)
    (tmp_path / "b" / "sections" / "first.records").unlink()
    ((_, rows),) = compare.compare(*(compare.read(tmp_path / x) for x in "ab"), [section])
    assert [row.low for row in rows] == [None, None]


def test_what_was_kept_for_other_weights_is_not_used(subject, tmp_path):
    side(subject, tmp_path / "a", "one", 0.0)
    path = tmp_path / "a" / "sections" / "first.records"
    known = json.loads(path.read_text())
    known["key"]["weights_sha256"] = "0"
    path.write_text(json.dumps(known))
    assert not compare.read(tmp_path / "a").faces


def test_the_page_and_its_json(subject, tmp_path, monkeypatch, capsys):
    section = side(subject, tmp_path / "a", "one", 0.0)
    side(subject, tmp_path / "b", "two", 0.25)
    monkeypatch.setattr(compare, "SECTIONS", (section,))
    main(["trust", "compare", str(tmp_path / "a"), str(tmp_path / "b" / "trust.json"), "--out",
          str(tmp_path / "out")])  # fmt: skip
    content = read_report(tmp_path / "out" / "compare.json")
    assert [r["weights"] for r in content["records"][:3]] == ["A: one", "B: two", "B less A"]
    text = (tmp_path / "out" / "compare.html").read_text()
    assert "+0.250 (+0.250 to +0.250)" in text and "data:image/png" in text and "http" not in text
    assert "1 of them paired face by face; 1 of these differ clear of zero" in text
    assert capsys.readouterr().out.strip().endswith("compare.html")


def test_reports_of_other_faces_are_refused(subject, tmp_path):
    section = side(subject, tmp_path / "a", "one", 0.0)
    a = compare.read(tmp_path / "a")
    b = compare.Report("two", "ckplus48", a.protocol, a.records, {}, "")
    with pytest.raises(DataError, match="expected two of the same data and protocol"):
        compare.compare(a, b, [section])


@pytest.mark.parametrize("text", [None, "{", "{}", '{"records": []}'])
def test_a_folder_without_a_report_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "trust.json").write_text(text)
    with pytest.raises(DataError, match="expected a report of"):
        compare.read(tmp_path)


def test_what_sections_show(subject):
    def shows(section, metric, **fields):
        return section.compared({"metric": metric, **fields})

    assert shows(faithfulness, "abpc", option="unused fills")
    assert not shows(faithfulness, "abpc", option="pixel, blur")
    assert shows(faithfulness, "abpc_gain", option="unused fills", group="over Gaussian")
    assert not shows(faithfulness, "abpc_gain", option="unused fills", group="over Sobel")
    assert shows(regions, "named") and not shows(regions, "aopc", option="pixel, road")
    assert shows(confidence, "accuracy", condition="as it answers")
    assert not shows(confidence, "accuracy", condition="clean")
    assert not shows(confidence, "said_gap", condition="as it answers", group="anger")
    assert shows(robustness, "accuracy", condition="clean")
    assert not shows(robustness, "accuracy", condition="jpeg 3")
    assert not shows(robustness, "accuracy", condition="as it answers")
