"""The CSV of a clip, read back by the standard library."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from fer_cbam.physiology.pulse import Pulse
from fer_cbam.types import Face
from fer_cbam.video.face_table import COLUMNS, EPISODE_COLUMNS, FaceTable
from fer_cbam.video.tracks import Tracked
from tests.video.faces import face, recognition

LABELS = ("anger", "happiness")


def tracked(track: int, found: Face, happiness: float) -> Tracked:
    return Tracked(track, recognition(found, {"happiness": happiness, "anger": 1 - happiness}))


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_row_for_each_frame_and_face(tmp_path):
    path = tmp_path / "faces.csv"
    with FaceTable(path, LABELS) as table:
        table.write(0, 0.0, [tracked(1, face(100, 60, 80), 0.75), tracked(2, face(250.26), 0.4)])
        table.write(1, 1 / 24, [])
        table.write(30, 1.25, [tracked(2, face(-3, -3, 10), 1.0)])
        assert not path.exists()
    assert path.read_bytes().count(b"\r\n") == 4
    assert rows(path) == [
        ["time_s", "frame", "track", "x1", "y1", "x2", "y2", "label", "confidence", "uncertain",
         "anger", "happiness", "expression", "onset_s", "apex_s", "offset_s"],
        ["0.000", "0", "1", "60.0", "20.0", "140.0", "100.0", "happiness", "0.7500", "0",
         "0.2500", "0.7500", "", "", "", ""],
        ["0.000", "0", "2", "210.3", "60.0", "290.3", "140.0", "anger", "0.6000", "0",
         "0.6000", "0.4000", "anger", "0.000", "0.000", "0.208"],
        ["1.250", "30", "2", "-8.0", "-8.0", "2.0", "2.0", "happiness", "1.0000", "0",
         "0.0000", "1.0000", "happiness", "0.208", "1.250", "1.250"],
    ]  # fmt: skip
    assert tuple(rows(path)[0][: len(COLUMNS)]) == COLUMNS
    assert [p.name for p in tmp_path.iterdir()] == ["faces.csv"]


def test_an_expression_is_told_in_all_of_its_rows(tmp_path):
    """A smile from 0.25 to 1.25 s by its crossings of a half, at its most at 0.75 s."""
    with FaceTable(tmp_path / "a.csv", LABELS) as table:
        for n, happiness in enumerate((0.2, 0.8, 0.9, 0.8, 0.2)):
            table.write(n, n / 2, [tracked(7, face(100), happiness)])
    smile = ["happiness", "0.250", "1.000", "1.750"]
    told = [row[-4:] for row in rows(tmp_path / "a.csv")[1:]]
    assert told[1:4] == [smile] * 3
    assert told[0] == ["anger", "0.000", "0.000", "0.250"]
    assert told[4] == ["anger", "1.750", "2.000", "2.000"]


def test_uncertain_is_1(tmp_path):
    sure = tracked(1, face(100), 0.75)
    prediction = replace(sure.recognition.prediction, uncertain=True)
    unsure = Tracked(1, replace(sure.recognition, prediction=prediction))
    with FaceTable(tmp_path / "a.csv", LABELS) as table:
        table.write(0, 0, [unsure])
    assert rows(tmp_path / "a.csv")[1][COLUMNS.index("uncertain")] == "1"


def test_what_is_no_face_has_no_label(tmp_path):
    found = Tracked(1, recognition(face(100)))
    refused = replace(found.recognition.prediction, no_face=True)
    with FaceTable(str(tmp_path / "a.csv"), ["happiness", "anger"]) as table:
        table.write(0, 0, [replace(found, recognition=replace(found.recognition,
                                                              prediction=refused))])  # fmt: skip
    assert rows(tmp_path / "a.csv")[1][COLUMNS.index("label")] == ""


def test_labels_that_a_csv_must_quote(tmp_path):
    label = 'so, "la la"\n'
    with FaceTable(str(tmp_path / "a.csv"), [label]) as table:
        table.write(0, 0, [Tracked(1, recognition(face(100), {label: 1.0}))])
    written = rows(tmp_path / "a.csv")
    assert [row[len(COLUMNS)] for row in written] == [label, "1.0000"]


def test_the_same_bytes_on_every_platform(tmp_path, monkeypatch):
    """Not the platform's own encoding, nor its line ends after those of the csv module."""
    asked, opened = [], Path.open
    monkeypatch.setattr(Path, "open", lambda *a, **k: (asked.append(k), opened(*a, **k))[1])
    with FaceTable(tmp_path / "a.csv", LABELS):
        pass
    assert len(asked) == 3 and all(k == {"newline": "", "encoding": "utf-8"} for k in asked)


def test_an_exception_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), FaceTable(tmp_path / "a.csv", LABELS) as table:
        table.write(0, 0, [tracked(1, face(100), 0.5)])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_exception_keeps_the_file_of_an_earlier_run(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(RuntimeError), FaceTable(path, LABELS):
        raise RuntimeError
    assert path.read_text() == "before"
    with FaceTable(path, LABELS):
        pass
    assert rows(path) == [[*COLUMNS, *LABELS, *EPISODE_COLUMNS]]


def test_whoever_takes_the_unfinished_file_away_hides_no_error(tmp_path):
    with pytest.raises(ZeroDivisionError), FaceTable(tmp_path / "a.csv", LABELS):
        (tmp_path / "a.csv.part").unlink()
        raise ZeroDivisionError


def test_a_row_has_the_rate_of_the_nearest_stretch(tmp_path):
    """Rates are of 20 seconds around their time."""
    pulses: dict[int, list[Pulse]] = {}
    with FaceTable(tmp_path / "a.csv", LABELS, pulses=pulses) as table:
        for time in (1.0, 12.4, 12.6, 25.0, 40.0):
            table.write(0, time, [tracked(7, face(100), 0.8), tracked(8, face(200), 0.8)])
        pulses[7] = [Pulse(10.0, 61.04), Pulse(15.0, 72.0), Pulse(28.0, None, reason="dark")]
    header, *body = rows(tmp_path / "a.csv")
    assert header[-1] == "pulse_bpm"
    assert [row[-1] for row in body if row[2] == "7"] == ["61.0", "61.0", "72.0", "", ""]
    assert {row[-1] for row in body if row[2] == "8"} == {""}
