"""A clip with a voice beside it: the CSV, the timelines, and who contradicts whom."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.errors import WeightsError
from fer_cbam.modalities import Reading
from fer_cbam.transcripts import Line, Transcript
from fer_cbam.video import analyse, analyse_video, run
from fer_cbam.video.together import TEXT_RELIABILITY, Beside, Together, hear, read
from tests.video.faces import face, recognition
from tests.video.test_analysis import LABELS, Detector, Recognizer, make


class Mixed(Recognizer):
    """Expects happiness of three faces in four."""

    def class_mix(self) -> dict[str, float]:
        return {"anger": 0.25, "happiness": 0.75}


def voice(*rows: tuple[float, float, float]) -> Reading:
    """Rows of begin, end and the probability of happiness."""
    table = np.array(rows)
    logits = np.log(np.stack([1 - table[:, 2], table[:, 2]], 1))
    return Reading("voice", LABELS, table[:, :2], logits, np.zeros((len(rows), 2), np.float32))


BESIDE = Beside([voice((0, 0.55, 0.05), (0.65, 0.95, 0.8))], {"voice": 0.5}, ["Some note."])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    clip = make(folder / "clip.avi", 12)
    table = folder / "faces.csv"
    steps = analyse(clip, Mixed(), Detector(lambda n: [face(160, 120)]), table=table, beside=BESIDE)
    with_voice = run(steps)
    alone = run(analyse(clip, Mixed(), Detector(lambda n: [face(160, 120)])))
    with table.open(newline="", encoding="utf-8") as file:
        return with_voice, alone, list(csv.DictReader(file))


def test_what_is_said_together(results) -> None:
    _, _, rows = results
    # By hand: the face's 0.75, times the voice's odds to the power of its reliability.
    for row, heard in ((rows[2], 0.05), (rows[7], 0.8)):
        odds = 0.75 / 0.25 * (heard / (1 - heard)) ** 0.5
        assert float(row["together_happiness"]) == pytest.approx(odds / (1 + odds), abs=1e-4)
    # What is shown of the voice is what it says where its prior is the face's.
    odds = 0.05 / 0.95 * 3
    assert float(rows[2]["voice_happiness"]) == pytest.approx(odds / (1 + odds), abs=1e-4)
    assert rows[2]["voice_label"] == "anger" and rows[2]["together_label"] == "anger"
    assert float(rows[2]["voice_moved"]) > 0 > float(rows[2]["face_moved"])
    silent = rows[6]  # 0.6 s
    assert silent["voice_label"] == "" == silent["voice_anger"] == silent["disagree"]
    assert float(silent["together_happiness"]) == pytest.approx(0.75, abs=1e-4)


def test_disagreement_is_told_and_not_averaged_away(results) -> None:
    result, _, rows = results
    words = "face: happiness, voice: anger"
    told = [row["disagree"] for row in rows]
    assert told == [words] * 6 + [""] * 6
    (track,) = result.tracks
    assert track.disagreements == {words: 0.5}
    assert track.dominant == "happiness"


def test_timelines_of_each_modality(results) -> None:
    result, alone, _ = results
    assert [(p.time, round(p.probs["happiness"], 6)) for p in result.beside["voice"]] == [
        (0.55, 0.05), (0.95, 0.8)
    ]  # fmt: skip
    numbers = result.to_dict()
    assert numbers["beside"]["voice"][1] == {
        "begin": 0.65, "time": 0.95, "label": "happiness",
        "probs": {"anger": 0.2, "happiness": 0.8},
    }  # fmt: skip
    (track,) = numbers["tracks"]
    assert len(track["together"]) == len(track["timeline"]) == 12
    # From 0 to 0.5 s the voice is heard: by hand, the odds of the two and of each alone.
    probs, voice = np.array([0.25, 0.75]), np.array([0.95, 0.05])
    joint = probs * voice**0.5 / (probs * voice**0.5).sum()
    unweighed = probs * voice / (probs * voice).sum()  # with nobody beside it, it is not weighed
    moved = {"face": np.log(joint[0] / unweighed[0]), "voice": np.log(joint[0] / probs[0])}
    assert track["together"][2]["label"] == "anger"
    assert track["together"][2]["moved"] == pytest.approx(moved, abs=2e-4)
    assert track["disagreement_times"] == [
        {"said": "face: happiness, voice: anger", "begin": 0.0, "end": 0.5}
    ]
    assert sum(track["influence"].values()) == pytest.approx(1, abs=1e-3)
    assert set(track["influence"]) == {"face", "voice"}
    assert "Some note." in result.notes
    # Without a voice nothing is new, and the face is the same with one.
    plain = alone.to_dict()
    assert "beside" not in plain and "together" not in plain["tracks"][0]
    assert plain["tracks"][0]["timeline"] == track["timeline"]


def test_a_face_whose_class_mix_is_not_known() -> None:
    together = Together(Beside([voice((0, 1, 0.6))]), LABELS, None)
    joined = together.at(0.5, recognition(face(50)).prediction)
    odds = 0.75 / 0.25 * 0.6 / 0.4
    np.testing.assert_allclose(joined.probs[0, 1], odds / (1 + odds))
    np.testing.assert_allclose(joined.said["voice"][0], [0.4, 0.6])
    assert np.isnan(together.at(1.5, recognition(face(50)).prediction).said["voice"]).all()


class Deaf:
    name = "voice"


def test_what_cannot_be_heard_is_a_note(tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.avi", 3)
    pytest.importorskip("av", reason="PyAV is not installed (fer-cbam[audio])")
    beside = hear(clip, voice=Deaf())
    assert not beside.readings and beside.notes == ["No voice: the clip has no sound track."]


class Reader:
    """Hears anger in "no", and is unsure of all else."""

    name = "text"

    def encode(self, said: Transcript) -> Reading:
        probs = np.array([[0.9, 0.1] if line.text == "No" else [0.5, 0.5] for line in said.lines])
        times = np.array([(line.begin, line.end) for line in said.lines])
        empty = np.zeros((len(probs), 1), np.float32)
        return Reading("text", LABELS, times, np.log(probs), empty, cautions=("Some caution.",))


SAID = Transcript((Line(0.0, 0.5, "No"), Line(0.6, 1.0, "Well")))


def test_words_beside_a_face(tmp_path: Path) -> None:
    clip, table = make(tmp_path / "clip.avi", 12), tmp_path / "faces.csv"
    result = analyse_video(
        clip, Mixed(), detector=Detector(lambda n: [face(160, 120)]), table=table,
        transcript=SAID, text=Reader(),
    )  # fmt: skip
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    odds = 0.75 / 0.25 * (0.1 / 0.9) ** TEXT_RELIABILITY
    assert float(rows[2]["together_happiness"]) == pytest.approx(odds / (1 + odds), abs=1e-4)
    assert rows[2]["text_label"] == "anger" and rows[11]["text_label"] == ""
    assert [p.time for p in result.beside["text"]] == [0.5, 1.0]
    assert "Some caution." in result.notes
    assert [point.words for point in result.beside["text"]] == ["No", "Well"]
    assert result.to_dict()["beside"]["text"][0]["words"] == "No"


def test_a_voice_and_words_beside_a_face(tmp_path: Path) -> None:
    path = tmp_path / "said.txt"
    path.write_text("0 0.5 No\n")
    both = BESIDE.and_also(read(path, Reader()))
    assert [r.modality for r in both.readings] == ["voice", "text"]
    assert both.reliability == {"voice": 0.5, "text": TEXT_RELIABILITY}
    assert both.notes == ["Some note.", "Some caution."]
    with pytest.raises(WeightsError, match="text 'nothing': neither embedded"):
        analyse_video("clip.avi", Mixed(), transcript=path, text="nothing")


def test_what_is_no_face_says_nothing() -> None:
    together = Together(Beside([voice((0, 1, 0.6))]), LABELS, None)
    none = replace(recognition(face(50)).prediction, no_face=True)
    joined = together.at(0.5, none)
    np.testing.assert_allclose(joined.probs[0, 1], 0.6)
    assert np.isnan(joined.said["face"]).all() and not joined.disagree[0]


def test_a_timeline_ends_with_the_clip() -> None:
    beside = Beside([voice((0, 0.5, 0.2), (0.5, 2.0, 0.8), (3.0, 9.0, 0.8))])
    assert [(s.begin, s.time) for s in beside.timelines(1.0)["voice"]] == [(0, 0.5), (0.5, 1.0)]
    assert [s.time for s in beside.timelines()["voice"]] == [0.5, 2.0, 9.0]
