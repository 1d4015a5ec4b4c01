"""Commands whose programs lie in the source: found, handed their arguments, or told how to get."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fer_cbam import checkout, cli
from fer_cbam.commands import train as command

ROOT = Path(__file__).parents[1]


@pytest.fixture
def ran(monkeypatch) -> list[tuple[str, list[str], str]]:
    """What would have been run: module, arguments, and the first place that modules come from."""
    found: list[tuple[str, list[str], str]] = []

    def run_module(name, run_name, alter_sys):
        assert run_name == "__main__" and alter_sys
        found.append((name, sys.argv[1:], sys.path[0]))

    monkeypatch.setattr(checkout.runpy, "run_module", run_module)
    return found


@pytest.mark.parametrize(
    ("words", "program", "arguments"),
    [
        ("app --port 7 --help", "app", "--port 7 --help"),
        ("webcam --weights x", "app", "--open --weights x"),
        ("eval --weights a --data=b -h", "eval", "--weights a --data=b -h"),
        ("eval", "eval", ""),
    ],
)
def test_arguments_are_handed_on_as_they_stand(words, program, arguments, ran):
    before = list(sys.path), list(sys.argv)
    assert cli.main(words.split()) == 0
    assert ran == [(program, arguments.split(), str(ROOT))]
    assert (sys.path, sys.argv) == before


def test_train_follows_the_recipe_for_ones_own_faces(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    assert cli.main(["train", "faces/", "--val-share", "0.25"]) == 0
    assert cli.main(["train", "faces", "--from", "fer_cbam_tiny.ferplus", "--epochs", "3",
                     "--labels-from", "t.csv", "--out", "o", "--resume"]) == 0  # fmt: skip
    first, second = (" ".join(arguments) for _, arguments, _ in ran)
    assert first == ("--config finetune --data faces --labels folders --protocol folds4 --splits 0 "
                     f"--out {Path('runs/faces')} --set model=fer_cbam_base "
                     "--set init=fer_cbam_base.ferplus")  # fmt: skip
    assert second == ("--config finetune --data faces --labels t.csv --protocol folds5 --splits 0 "
                      "--out o --set model=fer_cbam_tiny --set init=fer_cbam_tiny.ferplus "
                      "--set epochs=3 --resume")  # fmt: skip


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["nowhere"], "nowhere: no such folder; expected one with a folder of pictures"),
        ([".", "--val-share", "0.9"], "--val-share 0.9; expected 0.05 to 0.5"),
        ([".", "--from", "nothing"], "weights 'nothing': neither embedded"),
    ],
)
def test_mistakes_are_told_before_anything_runs(more, message, ran, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *more]) == 1
    assert message in capsys.readouterr().err and ran == []


def test_a_package_that_is_missing_is_named(ran, monkeypatch, capsys):
    found = checkout.find_spec
    missing = {"torch", "sklearn"}
    monkeypatch.setattr(checkout, "find_spec", lambda n: None if n in missing else found(n))
    assert cli.main(["train", "."]) == 1
    said = capsys.readouterr().err
    assert "train needs torch, sklearn, not installed; expected, in" in said
    assert "pip install -e '.[train]'" in said and ran == []


def test_a_train_py_of_the_user_is_left_alone(tmp_path):
    (tmp_path / "train.py").write_text("raise SystemExit('the wrong one')")
    done = subprocess.run(
        [sys.executable, "-m", "fer_cbam", "train", "."], cwd=tmp_path, capture_output=True,
        text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "no pictures; expected a folder of them for each class" in done.stderr


def test_an_installed_package_says_how_to_get_the_source(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    for words in (["train", "."], ["eval"], ["app"]):
        done = subprocess.run(
            [sys.executable, "-m", "fer_cbam", *words], cwd=tmp_path, capture_output=True,
            text=True, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )  # fmt: skip
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert f"fer-cbam: {words[0]}: runs from the source" in done.stderr
        assert "expected a checkout, and in it: pip install -e '.[" in done.stderr


def test_the_default_weights_are_there():
    from fer_cbam import pretrained

    assert command.START in pretrained.embedded_names()


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_python_m_fer_cbam_is_the_command(words, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "fer_cbam", *words], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.split()[:2] in (["fer-cbam", "0.2.0"],
                                                                ["usage:", "fer-cbam"])  # fmt: skip
