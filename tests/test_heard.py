"""fer-cbam predict --audio, and fer-cbam video --audio and --transcript, with made-up networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fer_cbam import cli
from fer_cbam.modalities import Reading
from fer_cbam.serve.example_clip import write_example_clip
from fer_cbam.text import DEFAULT_TEXT
from fer_cbam.video import together
from tests.sounds import tone, written

LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


class Voice:
    """Sure of sadness, all the time."""

    name, label_names, reliability = "voice", LABELS, 0.1

    def steps(self, sound):
        yield
        logits = np.log([[0.01] * 5 + [0.94, 0.01]])
        return Reading("voice", LABELS, np.array([[0.0, 99.0]]), logits, np.zeros((1, 2), "f4"))


class Reader:
    """Reads anger in "No", surprise in all else."""

    name, label_names = "text", LABELS

    def encode(self, said) -> Reading:
        tops = [LABELS.index("anger" if line.text == "No" else "surprise") for line in said.lines]
        probs = np.full((len(tops), len(LABELS)), 0.01)
        probs[range(len(tops)), tops] = 0.94
        times = np.array([(line.begin, line.end) for line in said.lines])
        empty = np.zeros((len(tops), 1), np.float32)
        return Reading("text", LABELS, times, np.log(probs), empty, cautions=("Some caution.",))


@pytest.fixture(autouse=True)
def _voice(monkeypatch):
    monkeypatch.setattr(together.Voice, "from_pretrained", lambda source: Voice())


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    """A clip of a happy face, whose sound is made up: OpenCV writes none."""
    sound = together.read_sound
    path = tmp_path / "clip.webm"
    write_example_clip(path)
    (tmp_path / "voice.wav").write_bytes(written(tone(2)))
    monkeypatch.setattr(
        together, "read_sound",
        lambda name, *rest: sound(tmp_path / "voice.wav" if Path(name) == path else name, *rest),
    )  # fmt: skip
    return path


def test_predict(clip: Path, capsys) -> None:
    sound = clip.with_name("voice.wav")
    assert cli.main(["predict", "--backend", "onnx", "--audio", str(clip), str(sound)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{clip}: 1 face in ") and lines[1] == "  voice  sadness 100%"
    assert "happiness" in lines[2] and lines[3].startswith("     together  happiness")
    assert any("face: happiness, voice: sadness" in line for line in lines)
    assert lines[-2].startswith(f"{sound}: 0 faces in ") and lines[-1] == lines[1]


def test_predict_as_json(clip: Path, capsys) -> None:
    (clip.with_name("junk.wav")).write_bytes(b"junk")
    arguments = [str(clip), str(clip.with_name("voice.wav")), str(clip.with_name("junk.wav"))]
    assert cli.main(["predict", "--backend", "onnx", "--audio", "--json", *arguments]) == 1
    said = capsys.readouterr()
    first, second = map(json.loads, said.out.splitlines())
    assert first["tracks"][0]["disagreements"]["face: happiness, voice: sadness"] > 0.3
    assert first["beside"]["voice"][0]["probs"]["sadness"] == pytest.approx(0.94)
    assert list(second) == ["clip", "beside"] and "junk.wav: not a clip" in said.err


def test_video(clip: Path, capsys) -> None:
    table = clip.with_name("faces.csv")
    assert (
        cli.main(["video", "--backend", "onnx", str(clip), "--audio", "--table", str(table)]) == 0
    )
    assert "face: happiness, voice: sadness" in capsys.readouterr().out
    header = table.read_text().splitlines()[0].split(",")
    assert {"voice_label", "together_happiness", "disagree"} <= set(header)


def test_video_with_a_transcript(clip: Path, capsys, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(together.TextReader, "from_pretrained",
                        lambda source: asked.append(source) or Reader())  # fmt: skip
    said = clip.with_name("said.txt")
    said.write_text("0 1 No\n1 3 Oh\n3 4 Oh\n")
    common = ["video", "--backend", "onnx", str(clip), "--every", "6", "--transcript", str(said)]
    assert cli.main([*common, "--audio", "--text", "some folder"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[1:3] == ["  voice  sadness 100%", "  text  anger 50%, surprise 50%"]
    assert any("face: happiness, voice: sadness, text: anger" in line for line in lines)
    assert "Some caution." in printed.err and asked == ["some folder"]
    assert cli.main([*common, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert list(numbers["beside"]) == ["text"] and asked[1] == DEFAULT_TEXT
    # The third line is behind the end of the clip, and so is half of the second.
    assert [point["time"] for point in numbers["beside"]["text"]] == [1.0, numbers["seconds"]]
    said.write_text("Hello")
    assert cli.main(common) == 1
    assert "said.txt, line 1: 'Hello' has no times" in capsys.readouterr().err
