"""The report from the command line, stopped and resumed."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from eval.__main__ import main
from eval.docs.records import read_report
from eval.trust import page, run
from eval.trust.subject import open_subject
from fer_cbam.errors import WeightsError
from tests.eval.conftest import LABELS


def section(name: str, value: float = 0.5, stop: bool = False) -> SimpleNamespace:
    """A section that says one number, and counts how often it was asked."""
    asked: list[int] = []

    def measure(subject):
        if stop:
            raise KeyboardInterrupt
        asked.append(1)
        drawn = subject.rng(name).random()
        return [subject.record(f"{name}_a", value), subject.record(f"{name}_b", drawn, n=1)]

    def html(records):
        return page.table(["metric", "value"], [[r["metric"], f"{r['value']:.3f}"]
                                                for r in records])  # fmt: skip

    return SimpleNamespace(name=name, title=f"About {name} & more", measure=measure, html=html,
                           asked=asked)  # fmt: skip


MADE = {"command": "python -m eval trust", "versions": {"numpy": "2"}, "date": "2026-01-01"}


def test_a_report_that_was_stopped_goes_on_and_ends_equal(subject, tmp_path):
    whole = [section("first"), section("second"), section("third")]
    run.report(subject, whole, tmp_path / "whole", MADE)
    first, second = section("first"), section("second")
    with pytest.raises(KeyboardInterrupt):
        run.report(subject, [first, second, section("third", stop=True)], tmp_path / "cut", MADE)
    assert not (tmp_path / "cut" / "trust.json").exists()
    run.report(subject, [first, second, section("third")], tmp_path / "cut", MADE)
    assert (len(first.asked), len(second.asked)) == (1, 1)
    for name in ("trust.json", "trust.html"):
        a, b = ((tmp_path / x / name).read_bytes() for x in ("whole", "cut"))
        assert a == b


def test_a_section_that_was_stopped_goes_on_inside(subject, tmp_path):
    made = []

    def measure(own, stop):
        def part(k):
            made.append(k)
            return {"value": np.array([k / 4])}

        values = [own.done(f"part {k}", lambda k=k: part(k))["value"][0] for k in range(2)]
        if stop:
            raise KeyboardInterrupt
        return [own.record("sum", sum(values))]

    for stop in (True, False):
        own = section("first")
        own.measure = lambda subject, stop=stop: measure(subject, stop)
        if stop:
            with pytest.raises(KeyboardInterrupt):
                run.report(subject, [own], tmp_path, MADE)
        else:
            (record,) = run.report(subject, [own], tmp_path, MADE)
    assert made == [0, 1] and record["value"] == 0.25
    assert [p.name for p in (tmp_path / "sections").iterdir()] == ["first.records"]


@pytest.mark.parametrize("damage", ["other", "{", '{"key": 1}', "[]"])
def test_records_of_something_else_are_measured_anew(subject, tmp_path, damage):
    run.report(subject, [section("first", 0.25)], tmp_path, MADE)
    path = tmp_path / "sections" / "first.records"
    known = json.loads(path.read_text())
    if damage == "other":
        known["key"]["pixels"] += 1
        damage = json.dumps(known)
    path.write_text(damage)
    (a, _) = run.report(subject, [section("first", 0.75)], tmp_path, MADE)
    assert a["value"] == 0.75


def test_the_page_escapes_and_refers_to_nothing_else(subject, tmp_path):
    run.report(subject, [section("first")], tmp_path, MADE)
    text = (tmp_path / "trust.html").read_text()
    assert "About first &amp; more" in text and "first_a" in text
    assert "http" not in text and "src=" not in text and "18 faces" in text


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for name in LABELS:
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(60):
            pixels = rng.integers(0, 256, (48, 48), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{i}.png")
    return tmp_path / "faces"


def test_from_the_command_line(folder, save_weights, tmp_path, monkeypatch, capsys):
    weights = save_weights("w", {"data": "other"})
    monkeypatch.setattr(run, "SECTIONS", (section("first"), section("second")))
    main(["trust", "--weights", str(weights), "--data", str(folder), "--protocol", "paper",
          "--out", str(tmp_path / "out"), "--only", "second"])  # fmt: skip
    content = read_report(tmp_path / "out" / "trust.json")
    assert content["study"] == "trust" and "python -m eval trust" in content["command"]
    assert [r["metric"] for r in content["records"]] == ["second_a", "second_b"]
    assert re.search(
        r"trust.html, \d+ s, \d+ s of processor time$", capsys.readouterr().out.strip()
    )


def test_a_face_of_several_splits_is_looked_at_once_and_quick_means_100(folder, save_weights):
    weights = save_weights("w", {"data": "other"})
    whole = open_subject(str(weights), folder, "paper")
    assert len(whole.table) == len(set(whole.table["sample_id"])) > 100
    quick = open_subject(str(weights), folder, "paper", quick=True)
    assert len(quick.table) == len(quick.samples) == 100
    assert [s.sample_id for s in quick.samples] == list(quick.table["sample_id"])


def test_several_sets_of_weights_are_refused(folder, save_weights, tmp_path):
    for k in range(5):
        save_weights(f"runs/{k}", {"data": "folder", "protocol": "paper", "split": f"seed{k}"})
    with pytest.raises(WeightsError, match="5 sets of weights; expected one"):
        open_subject(str(tmp_path / "runs"), folder, "paper")
