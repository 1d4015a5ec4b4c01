"""One command from data to weights that can be embedded, killed on the way and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from eval.predict import jobs
from fer_cbam import hub, pretrained
from fer_cbam.data import load
from train import reproduce
from train.reproduce import embed, main

ROOT = Path(__file__).parents[2]
RECIPE = """
data: ckplus48
protocol: paper
split: seed0
model: fer_cbam_tiny
model_args: {channels: [8, 8, 8, 16], depths: [1, 1, 1, 1]}
batch_size: 16
schedule: onecycle
lr: 0.01
ema: 0.5
mixup: 0.2
augment: {degrees: 10, flip: 0.5, camera: 0.1, detected: 0.2}
stages:
  - {name: teacher, epochs: 3}
  - {name: student, epochs: 5, init: teacher, teachers: [teacher], teacher_share: 0.5}
release: {labels: ckplus48, balance: 0.25, mantissa: 7}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "fer_cbam_tiny.ckplus48.yaml"
    path.write_text(RECIPE)
    return path


def start(recipe: Path, data: Path, out: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "train.reproduce", str(recipe), "--data", str(data),
                 "--out", str(out)]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(arguments, cwd=ROOT, env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)  # fmt: skip


def said_by(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def kill_in(process: subprocess.Popen[str], history: Path, epochs: int) -> None:
    """Kill -9, once a stage has had so many epochs."""
    deadline = time.monotonic() + 120
    while not history.exists() or len(history.read_text().splitlines()) < 1 + epochs:
        assert process.poll() is None and time.monotonic() < deadline, "ended before it was killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_it_gives_what_an_undisturbed_run_gives(recipe, tiny_ckplus, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    output = said_by(start(recipe, tiny_ckplus, whole))
    run_dir = cut / "fer_cbam_tiny.ckplus48" / "seed0"
    kill_in(start(recipe, tiny_ckplus, cut), run_dir / "student" / "history.csv", epochs=2)
    assert not (cut / "released").exists()
    again = said_by(start(recipe, tiny_ckplus, cut))
    assert "student: goes on after epoch " in again and "teacher epoch" not in again
    folders = [folder / "released" / "fer_cbam_tiny.ckplus48" for folder in (whole, cut)]
    first, second = (load_file(folder / "model.safetensors") for folder in folders)
    assert first.keys() == second.keys()
    assert all((first[name] == second[name]).all() for name in first)
    # What it says at the end is the same too.
    assert output.splitlines()[-3:] == again.splitlines()[-3:]
    config = json.loads((folders[1] / "config.json").read_text())
    assert config["decision"] == {"balance": 0.25}
    assert config["training"]["recipe"]["name"] == recipe.stem
    assert hub.load_model(folders[1]).label_names[0] == "anger"
    assert (folders[1] / "model.onnx").is_file()
    # The run's own folder holds its split and nothing else, so that it can be evaluated too.
    (job,) = jobs(str(run_dir.parent / "seed0"), load(tiny_ckplus), "paper")
    assert [p.name for p in run_dir.parent.iterdir()] == ["seed0"] == [job.split.name]


def faces_csv(folder: Path) -> Path:
    """42 faces of noise, of all seven labels, a third of them in Training."""
    rng = np.random.default_rng(0)
    rows = [f"{i % 7},{' '.join(map(str, rng.integers(0, 200, 2304)))},{split}"
            for split in ("Training", "PublicTest", "PrivateTest") for i in range(14)]  # fmt: skip
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    return folder / "fer2013.csv"


def test_calibrates_on_public_test_and_compares(tmp_path, capsys, monkeypatch):
    path = tmp_path / "fer_cbam_tiny.fer2013.yaml"
    path.write_text(
        "data: fer2013\nprotocol: public\nsplit: public\nmodel: fer_cbam_tiny\nepochs: 1\n"
        "batch_size: 4\nschedule: constant\n"
        "model_args: {channels: [8, 8, 8, 16], depths: [1, 1, 1, 1]}\n"
        "release: {labels: fer2013}\n"
    )

    def fitted(job, dataset, votes, aim):
        assert votes is None
        return {"temperature": len(job.split.test) / 10, "bias": {"fear": aim}}, None

    monkeypatch.setattr(reproduce, "fitted", fitted)
    data = faces_csv(tmp_path)
    main([str(path), "--data", str(data), "--out", str(tmp_path / "runs"),
          "--set", "release.calibrate=true", "--set", "release.balance=0.25"])  # fmt: skip
    output = capsys.readouterr().out
    folder = tmp_path / "runs" / "released" / "fer_cbam_tiny.fer2013"
    assert "fer_cbam_tiny.fer2013, fer2013 public, 14 images" in output
    config = json.loads((folder / "config.json").read_text())
    assert (config["temperature"], config["bias"]) == (1.4, {"fear": 0.25})
    # Beside the embedded weights of that name.
    assert "this run" in output and "embedded" in output
    accuracy = next(line for line in output.splitlines() if line.startswith("accuracy"))
    assert accuracy.count(" to ") == 2


def test_embedding_copies_whole_files(tmp_path):
    source, place = tmp_path / "release", tmp_path / "weights" / "fer_cbam_tiny.x"
    source.mkdir()
    for name in (pretrained.CONFIG_FILE, pretrained.WEIGHTS_FILE, pretrained.GRAPH_FILE):
        (source / name).write_text(name)
    place.mkdir(parents=True)
    (place / "README.md").write_text("card")
    embed(source, place)
    assert {p.name: p.read_text() for p in place.iterdir()} == {
        "README.md": "card", **{p.name: p.read_text() for p in source.iterdir()}
    }  # fmt: skip


def test_what_is_missing_is_named(recipe, tiny_ckplus, tmp_path, monkeypatch):
    monkeypatch.delenv("FER_CBAM_DATA", raising=False)
    with pytest.raises(SystemExit, match=r"FER_CBAM_DATA='' has no ckplus48\.zip; expected --data"):
        main([str(recipe)])
    monkeypatch.setenv("FER_CBAM_DATA", str(tiny_ckplus.parent))
    arguments = [str(recipe), "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="labels 'fer2013'; expected one of ckplus48"):
        main([*arguments, "--set", "release.labels=fer2013"])
    with pytest.raises(SystemExit, match="with data 'ckplus48'; expected 'fer2013'"):
        main([*arguments, "--set", "data=fer2013", "--data", str(tiny_ckplus)])
    with pytest.raises(SystemExit, match="releases nothing; train it by python -m train"):
        main(["fer_cbam_base.ckplus48"])
