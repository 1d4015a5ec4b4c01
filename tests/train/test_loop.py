"""When training ends, which weights are kept, and how it goes on after a cut."""

from __future__ import annotations

import copy
import csv

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fer_cbam.errors import FerError
from train import loop
from train.examples import Examples
from train.loop import fit
from train.losses import Columns
from train.recipe import Stage
from train.task import SupervisedTask


class Line(nn.Module):
    """The smallest thing that trains."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(x.mean((2, 3)).expand(-1, 4))


def line() -> SupervisedTask:
    return SupervisedTask(Line(), [Columns(0, 2)])


def run(monkeypatch, tmp_path, losses: list[float], **settings) -> list[dict[str, str]]:
    """The history of a run whose validation losses are given; the last one is repeated."""
    given = iter(losses)
    monkeypatch.setattr(
        loop, "validate", lambda *_: {"val_loss": next(given, losses[-1]), "val_accuracy": 0.5}
    )
    examples = Examples(torch.rand(8, 1, 2, 2), torch.eye(2).repeat(4, 1), (2,))
    stage = Stage("line", batch_size=4, validation=0.5, amp=False, **settings)
    fit(line(), stage, examples, examples, tmp_path)
    with (tmp_path / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_stops_after_patience_epochs_without_a_better_loss(monkeypatch, tmp_path):
    rows = run(monkeypatch, tmp_path, [3, 2, 1, 1.5], epochs=50, early_stopping=4,
               plateau_patience=40)  # fmt: skip
    assert len(rows) == 3 + 4


def test_each_reduction_starts_the_count_again(monkeypatch, tmp_path):
    rows = run(monkeypatch, tmp_path, [1, 2], epochs=50, early_stopping=4, plateau_patience=2,
               plateau_factor=0.5, plateau_min_lr=2.5e-4)  # fmt: skip
    # Reduced after epochs 4 and 7 (three without a better loss each), then no further.
    assert [float(r["lr"]) for r in rows] == [1e-3] * 4 + [5e-4] * 3 + [2.5e-4] * 4
    assert len(rows) == 7 + 4


def test_nothing_counts_before_the_warm_up_is_over(monkeypatch, tmp_path):
    rows = run(monkeypatch, tmp_path, [1, 2], epochs=50, early_stopping=4, plateau_patience=2,
               plateau_factor=0.5, plateau_min_lr=5e-4, plateau_warmup=6)  # fmt: skip
    # From epoch 7 on: the first loss that counts, three that are no better, then reduced.
    assert [float(r["lr"]) for r in rows] == [1e-3] * 10 + [5e-4] * 4


def test_early_stopping_counts_where_the_last_weights_are_kept(monkeypatch, tmp_path):
    rows = run(monkeypatch, tmp_path, [1, 2], epochs=50, early_stopping=4, plateau_patience=40,
               keep="last")  # fmt: skip
    assert len(rows) == 1 + 4


def test_never_stops_before_the_end_without_early_stopping(monkeypatch, tmp_path):
    assert len(run(monkeypatch, tmp_path, [1, 2], epochs=15, plateau_patience=40)) == 15


def test_the_best_epoch_s_weights_are_returned(monkeypatch, tmp_path):
    seen = []
    losses = iter([3.0, 1.0, 2.0])

    def validate(state, _):
        seen.append({k: v.clone() for k, v in state.evaluated().state_dict().items()})
        return {"val_loss": next(losses), "val_accuracy": 0.5}

    monkeypatch.setattr(loop, "validate", validate)
    examples = Examples(torch.rand(8, 1, 2, 2), torch.eye(2).repeat(4, 1), (2,))
    stage = Stage("line", epochs=3, batch_size=4, validation=0.5, amp=False, lr=0.1)
    kept = fit(line(), stage, examples, examples, tmp_path).state_dict()
    assert all(torch.equal(kept[k], seen[1][k]) for k in kept)
    assert not torch.equal(seen[1]["fc.weight"], seen[2]["fc.weight"])


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_last_epoch_is_kept_where_nothing_is_held_out(tmp_path, ema):
    examples = Examples(torch.rand(8, 1, 2, 2), torch.eye(2).repeat(4, 1), (2,))
    stage = Stage("line", epochs=3, batch_size=4, schedule="constant", amp=False, ema=ema)
    kept = fit(line(), stage, examples, None, tmp_path).state_dict()
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    last = state["ema"] if ema else state["model"]
    assert state["epoch"] == 3 and all(torch.equal(kept[k], last[k]) for k in kept)


def examples_of(n: int) -> Examples:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, 1, 2, 2, generator=generator)
    return Examples(x, torch.eye(2).repeat(n // 2, 1), (2,))


def test_one_epoch_is_gradient_descent_on_every_batch(tmp_path):
    """Against a loop by hand: the order that the seed gives, plain SGD with Nesterov's momentum."""
    examples = examples_of(8)
    stage = Stage("line", epochs=2, batch_size=4, schedule="constant", optimizer="sgd", lr=0.1,
                  amp=False)  # fmt: skip
    torch.manual_seed(0)
    task = line()
    model = copy.deepcopy(task.model)
    kept = fit(task, stage, examples, None, tmp_path, seed=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for epoch in (1, 2):
        generator = torch.Generator().manual_seed((3 * 1_000_003 + epoch) * 1_009)
        for batch in torch.randperm(8, generator=generator).split(4):
            optimizer.zero_grad()
            F.cross_entropy(model(examples.x[batch]), examples.target_probs[batch]).backward()
            optimizer.step()
    for ours, expected in zip(kept.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-5)


def test_a_run_that_was_cut_goes_on_and_another_s_checkpoint_is_refused(tmp_path, monkeypatch):
    stage = Stage("line", epochs=4, batch_size=4, schedule="onecycle", amp=False, ema=0.5,
                  mixup=0.5)  # fmt: skip
    torch.manual_seed(0)
    first = line()
    cut = copy.deepcopy(first)
    whole = fit(first, stage, examples_of(8), None, tmp_path / "whole", 0, {"lr": 1})

    save = loop.save_checkpoint

    def killed(run_dir, state):
        if state["epoch"] == 3:
            raise KeyboardInterrupt
        save(run_dir, state)

    monkeypatch.setattr(loop, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(cut, stage, examples_of(8), None, tmp_path / "cut", 0, {"lr": 1})
    monkeypatch.setattr(loop, "save_checkpoint", save)
    with pytest.raises(FerError, match=r"another run \(different: lr, name\)"):
        fit(line(), stage, examples_of(8), None, tmp_path / "cut", 0, {"lr": 2, "name": "b"})
    again = fit(line(), stage, examples_of(8), None, tmp_path / "cut", 0, {"lr": 1})
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in again.state_dict().items())


def test_every_epoch_says_what_it_took(tmp_path, capsys):
    stage = Stage("line", epochs=1, batch_size=4, schedule="constant", amp=False)
    fit(line(), stage, examples_of(8), examples_of(4), tmp_path)
    said = capsys.readouterr().out
    assert said.startswith("main epoch 1/1: loss ") and "change images" in said
    with (tmp_path / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["augment_seconds"]) < float(row["seconds"])
