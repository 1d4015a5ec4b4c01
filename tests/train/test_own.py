"""Weights for labels that nobody has heard of, with three commands, opened everywhere."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_cbam import EmotionRecognizer, cli, data, hub, pretrained
from fer_cbam.data.protocols import protocol_splits
from fer_cbam.hub.cards import card_text
from tests.browser.conftest import running_server
from tests.hub.server import HubServer
from tests.made_up_faces import CLASSES, PHOTO, write_faces
from train import own
from train.__main__ import main
from train.checkpoint import save_checkpoint

ROOT = Path(__file__).parents[2]
TINY, EPOCHS = "fer_cbam_tiny.ferplus", "3"
LABELS = tuple(CLASSES)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder with ``faces/``, in which `trained` trains."""
    folder = tmp_path_factory.mktemp("own")
    write_faces(folder / "faces", each=5)
    (folder / "faces" / "bored" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def said(work) -> str:
    """What the first two commands of the tutorial say, with a small network and few epochs."""
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(fer-cbam train .*)$", page, re.MULTILINE)
    words = [*command.split()[1:], "--from", TINY, "--epochs", EPOCHS]
    return command_of(words, work)


def command_of(words: list[str], work: Path, **variables: str) -> str:
    """What ``fer-cbam WORDS`` prints, in the folder where the pictures lie."""
    done = subprocess.run(
        [sys.executable, "-m", "fer_cbam", *words], cwd=work, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def weights(work, said) -> Path:
    return work / "runs" / "faces" / "fold0"


def test_it_says_what_it_does_and_how_to_go_on(said, weights):
    lines = said.splitlines()
    assert lines[0] == ("26 pictures: 25 with a face that was found and aligned, 0 that are a face "
                        "already, 1 without one")  # fmt: skip
    assert lines[1].startswith("  left out: bored/broken.png: ") and "not a picture" in lines[1]
    assert lines[2] == "classes: bored 5, engaged 5, in pain 5, puzzled 5, thinking hard 5"
    assert lines[3].startswith("warning: nothing says who is who.")
    epochs = [line for line in lines if re.match(r"main epoch \d/3: loss ", line)]
    assert len(epochs) == 3 and all(", validation " in line for line in epochs)
    assert re.search(r"^  accuracy +\d\.\d{4} \(\d\.\d{4} to \d\.\d{4}\)$", said, re.MULTILINE)
    assert lines[-1] == (f"weights: {Path('runs/faces/fold0')}; to open them in the app: "
                         f"fer-cbam app --weights {Path('runs/faces/fold0')}")  # fmt: skip
    assert (weights / "model.safetensors").is_file()


def test_the_weights_say_where_they_come_from(weights, work):
    config = json.loads((weights / "config.json").read_text())
    start = pretrained.read_config(pretrained.embedded_dir(TINY))
    assert pretrained.label_names(config) == LABELS
    assert config["landmarks"] == start["landmarks"]
    training = config["training"]
    dataset = data.load(work / "faces", labels="folders")
    assert training["crops"] == "detected" and training["samples"] == dataset.digest()
    assert training["started_from"]["weights"] == TINY
    fold = protocol_splits(dataset, "folds5")[0]
    unread = [i for i, s in enumerate(dataset.samples) if "broken" in s.sample_id]
    assert training["images"] == len(set(fold.train) - set(unread))
    card = card_text(weights, config, "user/name")
    assert "not for commercial use" in card  # as the weights that it started from
    assert "- ferplus" in card and "bored, engaged, in pain" in card


def test_it_learns(weights, work):
    """Three epochs of fifteen small batches begin to tell the bars from each other."""
    with (weights / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["train_accuracy"]) > 0.35  # five classes
    assert float(rows[-1]["train_loss"]) < 0.95 * float(rows[0]["train_loss"])


def test_they_open_in_the_recogniser_with_and_without_torch(weights):
    answers = [
        EmotionRecognizer.from_pretrained(weights, backend=backend)(PHOTO)[0].prediction
        for backend in ("torch", "onnx")
    ]
    assert tuple(answers[0].probs) == LABELS
    assert answers[1].probs == pytest.approx(dict(answers[0].probs), abs=1e-4)


def test_they_open_in_the_running_app_and_in_predict(said, weights, work, tmp_path):
    """The second and the third command; the second as the last line of the first says it."""
    client = pytest.importorskip("gradio_client", reason="no gradio_client: nobody asks the app")
    named = re.search(r"fer-cbam (app --weights (.+))$", said)
    arguments = ["-m", "fer_cbam", *named[1].replace(named[2], str(work / named[2])).split(" ")]
    (tmp_path / "app").mkdir()
    with running_server(arguments, tmp_path / "app") as (address, _):
        asked = client.Client(address, verbose=False)
        numbers = asked.predict(client.handle_file(str(PHOTO)), "", api_name="/photo")
    (told,) = numbers["faces"]
    assert tuple(told["probs"]) == LABELS
    shown = command_of(["predict", str(PHOTO), "--weights", named[2], "--json"], work)
    (face,) = json.loads(shown)["faces"]
    assert face["label"] == told["label"] in LABELS
    assert face["probs"] == pytest.approx(told["probs"], abs=1e-3)


def test_they_are_pushed_to_a_hub_and_open_from_there(weights, work, tmp_path):
    """The command of the tutorial, to the hub of `tests.hub.server`."""
    hub_server = HubServer()
    variables = {"HF_ENDPOINT": hub_server.url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0",
                 "HF_TOKEN": hub_server.token, "HF_HUB_DISABLE_XET": "1"}  # fmt: skip
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"^fer-cbam (push .*)$", page, re.MULTILINE)
    try:
        command_of(words.split(), work, **variables)
        (name, repo), *more = hub_server.repos.items()
        held = repo.commits[repo.branches["main"]]
        fetched, own_folder = (
            command_of(["predict", str(PHOTO), "--weights", where, "--json"], work, **variables)
            for where in (f"hf-hub:{name}", str(weights))
        )
    finally:
        hub_server.close()
    assert not more and name == "user/name" and repo.private
    assert held["model.safetensors"] == (weights / "model.safetensors").read_bytes()
    assert "bored, engaged, in pain" in held["README.md"].decode()
    assert fetched == own_folder


def test_eval_measures_what_was_held_out_and_nothing_else(weights, work, tmp_path, capsys):
    arguments = ["--weights", str(weights), "--data", str(work / "faces"), "--labels", "folders",
                 "--protocol", "folds5", "--out", str(tmp_path)]  # fmt: skip
    assert cli.main(["eval", *arguments, "--figures", "confusion", "roc"]) == 0
    assert (tmp_path / "roc.png").is_file()
    found, at_training = (
        {(r["metric"], r.get("group")): r["value"] for r in json.loads(path.read_text())["records"]}
        for path in (tmp_path / "metrics.json", weights / "metrics.json")
    )
    assert found == pytest.approx(at_training, nan_ok=True)
    assert found["images", None] == len(
        [s for s in held_out(work) if "broken" not in s.sample_id]
    )  # fmt: skip


def held_out(work: Path):
    dataset = data.load(work / "faces", labels="folders")
    return [dataset.samples[i] for i in protocol_splits(dataset, "folds5")[0].test]


def test_eval_refuses_pictures_that_may_have_been_seen(weights, tmp_path, capsys):
    other = write_faces(tmp_path / "faces", each=6)
    arguments = ["eval", "--weights", str(weights), "--data", str(other), "--labels", "folders",
                 "--out", str(tmp_path / "out")]  # fmt: skip
    with pytest.raises(SystemExit, match="these pictures or their labels are others"):
        cli.main([*arguments, "--protocol", "folds5"])
    assert cli.main([*arguments, "--protocol", "cross", "--data-name", "new"]) == 0
    assert "detected, found only" in capsys.readouterr().out


def test_export_and_card(weights, tmp_path, capsys):
    assert cli.main(["export", "--weights", str(weights), "--out", str(tmp_path / "exported")]) == 0
    (found,) = EmotionRecognizer.from_pretrained(tmp_path / "exported", backend="onnx")(PHOTO)
    assert tuple(found.prediction.probs) == LABELS


def test_resume_goes_on_and_gives_the_same(work, tmp_path, capsys):
    """Cut after the first epoch, and gone on with."""
    more = ["--from", TINY, "--epochs", EPOCHS]
    with pytest.MonkeyPatch.context() as patch:

        def cut(run_dir, state):
            save_checkpoint(run_dir, state)
            raise KeyboardInterrupt

        patch.setattr("train.loop.save_checkpoint", cut)
        with pytest.raises(KeyboardInterrupt):
            cli.main(["train", str(work / "faces"), *more, "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds a run; expected --resume"):
        cli.main(["train", str(work / "faces"), *more, "--out", str(tmp_path)])
    assert cli.main(["train", str(work / "faces"), *more, "--out", str(tmp_path), "--resume"]) == 0
    assert "main: goes on after epoch 1" in capsys.readouterr().out
    ours, theirs = (hub.load_model(path / "fold0").model.state_dict()
                    for path in (tmp_path, work / "runs" / "faces"))  # fmt: skip
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-5)


def test_a_class_without_a_face(tmp_path):
    write_faces(tmp_path / "faces", each=5)
    for path in (tmp_path / "faces" / "bored").iterdir():
        path.write_bytes(b"no picture")
    arguments = ["--config", "finetune", "--data", str(tmp_path / "faces"), "--labels", "folders",
                 "--protocol", "folds5", "--out", str(tmp_path / "out")]  # fmt: skip
    with pytest.raises(SystemExit, match="no face in any picture of bored"):
        main(arguments)


def logits_of(probs: np.ndarray, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that say these probabilities of class 0 of two, right just as often."""
    logits, targets = [], []
    for p in probs:
        right = round(copies * p)
        logits += [[np.log(p / (1 - p)), 0.0]] * copies
        targets += [0] * right + [1] * (copies - right)
    return np.array(logits), np.array(targets)


def test_what_is_chosen_on_the_held_out_pictures():
    logits, targets = logits_of(np.array([0.6, 0.95]), 100)
    values = own.chosen(3 * logits, targets)  # three times too sure
    assert values["temperature"] == pytest.approx(3, rel=0.01)
    assert 0.6 < values["uncertain_below"] < 0.95
    assert own.chosen(logits[:49], targets[:49]) == {}
    sure = np.array([[5.0, 0.0]] * 60)
    assert own.chosen(sure, np.zeros(60, int)) == {}  # all right: no temperature is low enough
    coin = np.tile([[1.0, 0.0], [0.0, 1.0]], (60, 1))
    assert "uncertain_below" not in own.chosen(coin, np.array([0, 1, 1, 0] * 30))


def test_it_is_held_against_the_commonest_class():
    assert "accuracy 0.7500" in own.in_short({}, np.array([0, 2, 2, 2]), 3)
    assert "not calibrated: 4 held-out pictures" in own.in_short({}, np.array([0, 2, 2, 2]), 3)
    assert "below a confidence of 0.43" in own.in_short(
        {"uncertain_below": 0.43}, np.zeros(60, int), 2
    )
