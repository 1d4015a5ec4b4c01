"""The command line: answers, errors and exit codes."""

from __future__ import annotations

import json
import shutil
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fer_cbam import cli, hub
from fer_cbam.commands import predict
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.labels import LABEL_SETS
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import annotate, overlay
from fer_cbam.types import Prediction

ASTRONAUT = Path(__file__).parents[1] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("weights")
    extra = {"landmarks": LANDMARKS}
    return hub.save_model(
        timm.create_model("fer_cbam_paper"), folder, LABEL_SETS["ckplus48"], extra
    )


@pytest.fixture(scope="module")
def empty_room(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "room.png"
    Image.new("RGB", (320, 240), (120, 130, 110)).save(path)
    return path


def test_json_says_what_the_recogniser_says(weights, empty_room, capsys):
    arguments = ["predict", "--json", "--weights", str(weights), str(ASTRONAUT), str(empty_room)]
    assert cli.main(arguments) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    (expected,) = EmotionRecognizer.from_pretrained(weights)(ASTRONAUT)
    assert first == {
        "photo": str(ASTRONAUT),
        "faces": [
            {
                "box": [round(v, 1) for v in expected.face.box],
                "score": round(expected.face.score, 4),
                "landmarks": [[round(float(v), 1) for v in p] for p in expected.face.landmarks],
                "label": expected.prediction.label,
                "confidence": round(expected.prediction.confidence, 4),
                "uncertain": False,
                "no_face": False,
                "probs": {k: round(v, 4) for k, v in expected.prediction.probs.items()},
            }
        ],
    }
    assert sum(first["faces"][0]["probs"].values()) == pytest.approx(1, abs=1e-3)
    assert second == {"photo": str(empty_room), "faces": []}


def test_backends_agree(capsys):
    answers = []
    for backend in ("torch", "onnx"):
        assert cli.main(["predict", "--json", "--backend", backend, str(ASTRONAUT)]) == 0
        (face,) = json.loads(capsys.readouterr().out)["faces"]
        answers.append(face)
    assert answers[0]["label"] == answers[1]["label"]
    assert answers[0]["probs"] == pytest.approx(answers[1]["probs"], abs=1e-3)
    assert answers[0]["box"] == pytest.approx(answers[1]["box"], abs=0.11)  # rounded to tenths


def test_text_names_the_three_most_probable(weights, empty_room, capsys):
    assert cli.main(["predict", "--weights", str(weights), str(ASTRONAUT), str(empty_room)]) == 0
    head, face, none = capsys.readouterr().out.splitlines()
    (expected,) = EmotionRecognizer.from_pretrained(weights)(ASTRONAUT)
    ranked = sorted(expected.prediction.probs.items(), key=lambda item: -item[1])[:3]
    assert head == f"{ASTRONAUT}: 1 face"
    assert face.endswith("  " + ", ".join(f"{label} {prob:.2f}" for label, prob in ranked))
    assert none == f"{empty_room}: no face found"


def test_a_prior_changes_what_is_probable(weights, capsys):
    share = dict.fromkeys(LABEL_SETS["ferplus"], 0.0) | {"fear": 3.0, "anger": 1.0}
    mix = ",".join(f"{label}={value}" for label, value in share.items())
    assert cli.main(["predict", "--json", "--prior", mix, str(ASTRONAUT)]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    (expected,) = EmotionRecognizer.from_pretrained(prior=share)(ASTRONAUT)
    assert face["probs"] == {k: round(v, 4) for k, v in expected.prediction.probs.items()}
    assert face["probs"]["fear"] + face["probs"]["anger"] == pytest.approx(1, abs=1e-3)
    assert cli.main(["predict", "--prior", "even", str(ASTRONAUT)]) == 1
    assert "prior: got 'even'; expected one of training, uniform" in capsys.readouterr().err
    # These weights do not say what they were trained on.
    assert cli.main(["predict", "--prior", "uniform", "--weights", str(weights), "x.jpg"]) == 1
    assert "training prior: nothing of anger" in capsys.readouterr().err


@pytest.mark.parametrize("said, text", [
    ({"label": "fear", "confidence": 0.3}, "fear 0.30, happiness 0.60, anger 0.10"),
    ({"label": "fear", "confidence": 0.3, "uncertain": True},
     "fear 0.30, happiness 0.60, anger 0.10 (uncertain)"),
    ({"label": "fear", "confidence": 0.3, "no_face": True}, "no face"),
])  # fmt: skip
def test_what_is_said_comes_first(said, text):
    probs = {"anger": 0.1, "fear": 0.3, "happiness": 0.6}
    assert predict.answer_in_words(Prediction(probs=probs, **said)) == text


def test_one_bad_photo_and_the_others_are_still_answered(weights, tmp_path, capsys):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(ASTRONAUT.read_bytes()[:20_000])
    missing = tmp_path / "missing.jpg"
    photos = [str(broken), str(missing), str(ASTRONAUT)]
    assert cli.main(["predict", "--json", "--weights", str(weights), *photos]) == 1
    captured = capsys.readouterr()
    answers = [json.loads(line) for line in captured.out.splitlines()]
    assert [answer["photo"] for answer in answers] == photos
    assert [sorted(answer) for answer in answers] == [["error", "photo"]] * 2 + [["faces", "photo"]]
    assert "truncated" in answers[0]["error"] and "no such file" in answers[1]["error"]
    assert len(captured.err.splitlines()) == 2
    for line, photo in zip(captured.err.splitlines(), photos, strict=False):
        assert line.startswith("fer-cbam: ") and photo in line


def test_an_error_of_any_kind_costs_one_photo(weights, empty_room, monkeypatch, capsys):
    detect = YuNetDetector.detect

    def fragile(self, image):
        if image.shape[:2] == (240, 320):
            raise RuntimeError("out of order")
        return detect(self, image)

    monkeypatch.setattr(YuNetDetector, "detect", fragile)
    photos = [str(empty_room), str(ASTRONAUT)]
    assert cli.main(["predict", "--json", "--weights", str(weights), *photos]) == 1
    captured = capsys.readouterr()
    first, second = map(json.loads, captured.out.splitlines())
    assert first == {"photo": str(empty_room), "error": "out of order"}
    assert second["photo"] == str(ASTRONAUT) and len(second["faces"]) == 1
    assert captured.err == f"fer-cbam: {empty_room}: out of order\n"


def test_explanations_are_the_photo_with_its_map(weights, tmp_path, capsys):
    same_name = tmp_path / "elsewhere" / "astronaut.png"
    same_name.parent.mkdir()
    Image.open(ASTRONAUT).save(same_name)
    out = tmp_path / "new" / "folder"
    photos = [str(ASTRONAUT), str(same_name)]
    assert cli.main(["predict", "--weights", str(weights), "--explain", str(out), *photos]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "astronaut-2.face1.gradcam.png",
        "astronaut-2.face1.occlusion_gradcam.png",
        "astronaut-2.face1.spatial_attention.png",
        "astronaut.face1.gradcam.png",
        "astronaut.face1.occlusion_gradcam.png",
        "astronaut.face1.spatial_attention.png",
    ]
    image = np.asarray(Image.open(ASTRONAUT))
    (expected,) = EmotionRecognizer.from_pretrained(weights)(image, explain=True)
    picture = annotate(overlay(image, expected, expected.saliencies[0]), [expected])
    written = np.asarray(Image.open(out / "astronaut.face1.occlusion_gradcam.png"))
    np.testing.assert_array_equal(written, picture)
    assert not np.array_equal(written, image)


def test_nowhere_to_write_explanations(weights, tmp_path, capsys):
    occupied = tmp_path / "file"
    occupied.write_text("a file, no folder")
    arguments = ["predict", "--weights", str(weights), "--explain", str(occupied), str(ASTRONAUT)]
    assert cli.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("fer-cbam: ")
    assert str(occupied) in captured.err


def test_what_cannot_be_printed_or_written_costs_one_photo(weights, tmp_path, monkeypatch, capsys):
    # Names that the output has no letters for, one that no file system takes, and explanations
    # that would be written over a folder or under too long a name.
    shutil.copy(ASTRONAUT, tmp_path / "写真.jpg")
    shutil.copy(ASTRONAUT, tmp_path / f"{'x' * 240}.jpg")
    shutil.copy(ASTRONAUT, tmp_path / "last.jpg")
    (tmp_path / "out" / "写真.face1.gradcam.png").mkdir(parents=True)
    names = ["写真.jpg", "latin\udce9.jpg", f"{'y' * 300}.jpg", f"{'x' * 240}.jpg", "last.jpg"]
    out, err = (TextIOWrapper(BytesIO(), "cp1252", "strict") for _ in range(2))
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.chdir(tmp_path)
    status = cli.main(["predict", "--weights", str(weights), "--explain", "out", *names])
    said, failed = ([line for line in _text(s).splitlines() if line] for s in (out, err))
    assert status == 1
    assert [line for line in said if "1 face" in line] == [
        "\\u5199\\u771f.jpg: 1 face", f"{'x' * 240}.jpg: 1 face", "last.jpg: 1 face"
    ]  # fmt: skip
    assert len(failed) == 4
    assert "no explanation: " in failed[0] and "\\u5199\\u771f" in failed[0]
    assert "latin\\udce9.jpg" in failed[1]
    assert "yyy.jpg" in failed[2]
    assert "no explanation: " in failed[3]
    assert (tmp_path / "out" / "last.face1.gradcam.png").is_file()


def _text(stream: TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("cp1252")


def test_unknown_weights(tmp_path, capsys):
    assert cli.main(["predict", "--weights", "fer_cbam_none.nowhere", str(ASTRONAUT)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "'fer_cbam_none.nowhere': neither embedded" in captured.err


@pytest.mark.parametrize("arguments", [[], ["predict"], ["guess"], ["predict", "--nothing", "a"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    assert leaving.value.code == 2
    assert "usage: fer-cbam" in capsys.readouterr().err
