"""Training on sequences: what is filled up counts nowhere, frames that are dropped drop whole, and
a run that was killed gives the weights of one that was not."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.numpy import load_file

from eval.clips.readings import Readings, joined
from fer_cbam import pretrained
from fer_cbam.labels import LABEL_SETS
from train import recurrent
from train.clips import matching_weights
from train.recipe import RecipeError, read_recipe
from train.recurrent import RecurrentTask, since_last, thinned, train_recurrent

ROOT = Path(__file__).parents[2]
LABELS = LABEL_SETS["ferplus"]


def reading(number: int, length: int, seed: int = 0) -> Readings:
    rng = np.random.default_rng([seed, number])
    target = rng.integers(0, 8, length)
    embedding = rng.normal(size=(length, 6)) + np.eye(8)[target][:, :6] * 3
    return Readings(
        np.full(length, number), np.cumsum(rng.uniform(0.05, 0.2, length)),
        embedding.astype(np.float32), np.zeros((length, 8), np.float32),
        rng.normal(size=(length, 8)).astype(np.float32), target,
        np.eye(8, dtype=np.float32)[target], np.full(length, np.nan), length,
    )  # fmt: skip


def some(count: int = 12, seed: int = 0) -> recurrent.Sequences:
    readings = joined([reading(n, 3 + n % 5, seed) for n in range(count)])
    return recurrent.sequences(readings, np.full((len(readings), 8), 1 / 8))


def recipe(tmp_path: Path, **more):
    text = (ROOT / "train/recipes/fer_cbam_gru.ferplus.yaml").read_text()
    path = tmp_path / "fer_cbam_gru.ferplus.yaml"
    path.write_text(text)
    settings = {"epochs": 3, "batch_size": 4, "model_args": "{width: 6, hidden_size: 8}", **more}
    return read_recipe(path, [f"{key}={value}" for key, value in settings.items()])


def test_sequences_are_filled_up_at_their_ends():
    readings = joined([reading(0, 2), reading(1, 4)])
    probs = np.full((6, 8), 1 / 8)
    made = recurrent.sequences(readings, probs)
    assert made.x.shape == (2, 4, 8 + 8 + 6)
    assert made.valid.tolist() == [[True, True, False, False], [True] * 4]
    np.testing.assert_allclose(made.x[0, :2, :8], np.log(1 / 8), rtol=1e-6)
    np.testing.assert_array_equal(made.x[1, :, 16:], readings.embedding[2:])
    np.testing.assert_array_equal(made.x[1, :, 8:16], readings.cues[2:])
    np.testing.assert_array_equal(made.times[1], readings.seconds[2:])


def test_what_is_filled_up_changes_no_loss():
    made = some(3)
    torch.manual_seed(0)
    task = RecurrentTask(timm.create_model("fer_cbam_gru", in_features=22).eval(), 8)

    def loss(of: recurrent.Sequences) -> float:
        return task(of.x, since_last(of.times), of.target_probs, of.valid)["loss"].item()

    other = replace(made, x=torch.where(made.valid[..., None], made.x, torch.full((), 9.0)))
    assert loss(other) == pytest.approx(loss(made))


def test_frames_are_dropped_whole_and_time_goes_on():
    made = some(40)
    kept = thinned(made, 0.8, torch.Generator().manual_seed(0))
    assert 0 < kept.valid.sum() < made.valid.sum() and kept.valid.any(1).all()
    for i in range(40):
        own = made.times[i][made.valid[i]]
        times = kept.times[i][kept.valid[i]]
        places = torch.isin(own, times).nonzero().flatten()
        assert (times.diff() > 0).all() and len(places) == len(times)
        torch.testing.assert_close(kept.x[i][kept.valid[i]], made.x[i][places])
        torch.testing.assert_close(
            kept.target_probs[i][kept.valid[i]], made.target_probs[i][places]
        )
    assert kept.valid.int().diff(dim=1).le(0).all()  # what is left moved together
    same = thinned(made, 0.0, torch.Generator().manual_seed(3))
    assert same.valid.sum() <= made.valid.sum()


def test_seconds_since_the_last_frame():
    times = torch.tensor([[1.0, 1.5, 3.0], [2.0, 2.25, 0.0]], dtype=torch.float64)
    expected = torch.tensor([[0, 0.5, 1.5], [0, 0.25, 0]])  # what is filled up goes not back
    torch.testing.assert_close(since_last(times), expected)


def test_it_learns_and_its_scale_is_that_of_the_data(tmp_path):
    made = some(60)
    how = recipe(tmp_path, epochs=25, lr=0.02)
    folder = train_recurrent(how, made, some(20, seed=1), LABELS, tmp_path / "run", {"reads": {}})
    model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    rows = made.x[made.valid]
    torch.testing.assert_close(model.mean, rows.mean(0))
    with (folder / "history.csv").open() as file:
        accuracy = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    assert max(accuracy) > 0.45 > accuracy[0]
    assert pretrained.label_names(pretrained.read_config(folder)) == LABELS


def test_recipes_that_are_none(tmp_path):
    with pytest.raises(RecipeError, match="expected fer_cbam_gru or fer_cbam_lstm"):
        recurrent.make_model(recipe(tmp_path, model="fer_cbam_tiny"), some(2))
    with pytest.raises(RecipeError, match=r"model_args: .*depth"):
        recurrent.make_model(recipe(tmp_path, model_args="{depth: 3}"), some(2))
    with pytest.raises(RecipeError, match="thin: 2"):
        recipe(tmp_path, **{"clips.thin": 2})


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.train.test_recurrent import LABELS, recipe, some
from train.recurrent import train_recurrent
out = Path(sys.argv[1])
train_recurrent(recipe(out.parent, epochs=40), some(), some(4, 1), LABELS, out, {{"reads": {{}}}},
                resume=True)
"""


def test_killed_it_gives_what_an_undisturbed_run_gives(tmp_path):
    def start(out: Path) -> subprocess.Popen[bytes]:
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        code = SCRIPT.format(root=str(ROOT))
        return subprocess.Popen([sys.executable, "-c", code, str(out)], cwd=ROOT, env=env,
                                stdout=subprocess.DEVNULL)  # fmt: skip

    whole, cut = tmp_path / "a" / "whole", tmp_path / "b" / "cut"
    for folder in (whole, cut):
        folder.parent.mkdir()
    process = start(cut)
    history, deadline = cut / "history.csv", time.monotonic() + 400
    while not history.exists() or len(history.read_text().splitlines()) < 4:
        assert process.poll() is None and time.monotonic() < deadline, "ended before it was killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (cut / pretrained.WEIGHTS_FILE).exists()
    assert start(cut).wait() == 0 and start(whole).wait() == 0
    first, second = (load_file(folder / pretrained.WEIGHTS_FILE) for folder in (whole, cut))
    assert all((first[name] == second[name]).all() for name in first)
    assert len((cut / "history.csv").read_text().splitlines()) == 41


def test_faces_are_drawn_as_surely_as_others():
    rng = np.random.default_rng(0)
    own, others = rng.beta(9, 1, 5000), rng.beta(3, 1, 4000)  # learnt by heart, and not
    weights = matching_weights(own, others)
    assert weights.sum() == pytest.approx(1)
    drawn = rng.choice(own, 20_000, p=weights)
    assert own.mean() > others.mean() + 0.1
    assert drawn.mean() == pytest.approx(others.mean(), abs=0.02)
    np.testing.assert_allclose(np.quantile(drawn, [0.2, 0.5, 0.8]),
                               np.quantile(others, [0.2, 0.5, 0.8]), atol=0.05)  # fmt: skip
