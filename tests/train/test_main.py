"""The training script as a user runs it: learns, keeps the best weights, runs in two processes."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from fer_cbam import data, hub
from fer_cbam.data.protocols import protocol_splits, validation_part
from train.__main__ import main

ROOT = Path(__file__).parents[2]


def arguments(recipe: Path, data: Path, out: Path, *more: str) -> list[str]:
    return ["--config", str(recipe), "--data", str(data), "--protocol", "paper",
            "--splits", "0", "--out", str(out), *more]  # fmt: skip


@pytest.fixture(scope="module")
def whole_run(tiny_ckplus, tmp_path_factory) -> tuple[Path, Path]:
    """A recipe and the folder of a run of it that was never cut."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = folder / "tiny.yaml"
    recipe.write_text(
        "model: fer_cbam_paper\nmodel_args: {channels: [8, 8, 16]}\nepochs: 6\nbatch_size: 16\n"
        "lr: 0.003\nschedule: onecycle\nvalidation: 0.2\nmixup: 0.2\nema: 0.5\n"
        "augment: {degrees: 10, flip: 0.5, erasing: 0.2}\n"
    )
    main(arguments(recipe, tiny_ckplus, folder / "out"))
    return recipe, folder / "out" / "seed0"


def history(run_dir: Path) -> list[dict[str, float]]:
    with (run_dir / "history.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_a_run_learns_and_leaves_what_timm_can_load(whole_run):
    _, run_dir = whole_run
    rows = history(run_dir)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]
    assert rows[-1]["train_accuracy"] > rows[0]["train_accuracy"] + 0.15
    loaded = hub.load_model(run_dir)
    assert loaded.label_names == ("anger", "contempt", "disgust", "fear", "happiness", "sadness",
                                  "surprise")  # fmt: skip
    training = json.loads((run_dir / "config.json").read_text())["training"]
    assert (training["protocol"], training["split"]) == ("paper", "seed0")
    assert training["recipe"]["stages"][0]["lr"] == 0.003 and training["images"] == 62


def test_kept_weights_are_those_of_the_best_validation_loss(whole_run):
    _, run_dir = whole_run
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    losses = [row["val_loss"] for row in history(run_dir)]
    assert state["best_epoch"] == 1 + losses.index(min(losses))
    assert state["best_loss"] == pytest.approx(min(losses), abs=1e-6)
    kept = load_file(run_dir / "model.safetensors")
    assert kept.keys() == state["kept"].keys()
    assert all(torch.equal(kept[k], state["kept"][k]) for k in kept)


def test_resume_leaves_a_finished_run_alone(whole_run, tiny_ckplus):
    recipe, run_dir = whole_run
    before = (run_dir / "model.safetensors").stat().st_mtime_ns
    main(arguments(recipe, tiny_ckplus, run_dir.parent, "--resume"))
    assert (run_dir / "model.safetensors").stat().st_mtime_ns == before


def test_another_recipe_or_a_run_that_is_there_is_refused(whole_run, tiny_ckplus, tmp_path):
    recipe, run_dir = whole_run
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0/checkpoint.pt").write_bytes((run_dir / "checkpoint.pt").read_bytes())
    args = arguments(recipe, tiny_ckplus, tmp_path)
    with pytest.raises(SystemExit, match=r"another run \(different: lr\)"):
        main([*args, "--set", "lr=0.001", "--resume"])
    with pytest.raises(SystemExit, match=r"another run \(different: data, seed\)"):
        main([*args, "--seed", "2", "--set", "validation=0.2", "--resume", "--splits", "1",
              "--out", str(moved(tmp_path / "seed0", tmp_path / "b" / "seed1"))])  # fmt: skip
    with pytest.raises(SystemExit, match="holds a run; expected --resume"):
        main([*args[:-1], str(run_dir.parent)])


def moved(folder: Path, to: Path) -> Path:
    """The folder of runs, after a run has gone there under another name."""
    to.parent.mkdir()
    folder.rename(to)
    return to.parent


@pytest.mark.slow
def test_two_processes_train_one_model(whole_run, tiny_ckplus, tmp_path):
    recipe, reference = whole_run
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launched = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2",
         f"--master_port={port}", "-m", "train", *arguments(recipe, tiny_ckplus, tmp_path)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr
    rows, single = history(tmp_path / "seed0"), history(reference)
    assert [row["lr"] for row in rows] == [row["lr"] for row in single]
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]
    # The first epoch sees the same batches from the same weights, with other augmentation.
    assert rows[0]["train_loss"] == pytest.approx(single[0]["train_loss"], rel=0.15)
    # Each process reads a part of what is held out; the loss is that of the whole.
    loaded, faces = hub.load_model(tmp_path / "seed0"), data.load(tiny_ckplus)
    split = protocol_splits(faces, "paper")[0]
    _, held_out = validation_part(faces, split.train, 0.2, seed=0, by_subject=False)
    x = torch.from_numpy(loaded.preprocess([faces.samples[i].pixels for i in held_out]))
    loss = F.cross_entropy(loaded.model(x), torch.from_numpy(faces.targets()[held_out]))
    assert min(row["val_loss"] for row in rows) == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("splits", ["x", "7"])
def test_unknown_split(splits, tiny_ckplus, tiny_recipe, tmp_path):
    args = arguments(tiny_recipe, tiny_ckplus, tmp_path)
    args[args.index("0")] = splits
    with pytest.raises(SystemExit, match=f"split {splits}: expected 'all' or some of seed0, seed1"):
        main(args)


def test_a_file_in_place_of_the_folder_for_runs_is_named(whole_run, tiny_ckplus):
    recipe, _ = whole_run
    with pytest.raises(SystemExit, match=r"Error: .*tiny\.yaml"):
        main(arguments(recipe, tiny_ckplus, recipe))
