"""Trained by what is held out, then once more with everything."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from fer_cbam.errors import FerError
from train.examples import Examples
from train.loop import fit
from train.optim import make_optimizer, make_schedule
from train.recipe import Recipe, RecipeError
from train.refit import fit_split, replay, used_positions

RECIPE = Recipe("line", epochs=6, batch_size=4, validation=0.5, amp=False, lr=0.1, refit=True,
                plateau_patience=0, plateau_factor=0.1, early_stopping=2, seed=3)  # fmt: skip


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(x.flatten(1))


@pytest.fixture
def examples() -> Examples:
    x = torch.rand((16, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    return Examples(x, torch.eye(2).repeat(8, 1), (2,))


def test_everything_at_the_rates_that_the_first_run_found(examples, tmp_path):
    train, held_out = np.arange(0, 16, 2), np.arange(1, 16, 2)
    kept = fit_split(Line, RECIPE, examples, train, held_out, tmp_path)
    first = torch.load(tmp_path / "watched" / "checkpoint.pt", weights_only=True)
    lrs = [row["lr"] for row in first["history"]]
    assert len(set(lrs)) > 1, "nothing to repeat"
    again = dataclasses.replace(RECIPE, refit=False, schedule="given", lrs=lrs, epochs=len(lrs),
                                early_stopping=0, validation=0.0)  # fmt: skip
    torch.manual_seed(RECIPE.seed)
    expected = fit(Line(), again, examples, None, tmp_path / "by hand").state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in kept.state_dict().items())
    second = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert [row["lr"] for row in second["history"]] == pytest.approx(lrs, rel=1e-12)
    assert not torch.equal(second["model"]["fc.weight"], first["best"]["fc.weight"])


def test_without_refit_what_is_held_out_stays_out(examples, tmp_path):
    recipe = dataclasses.replace(RECIPE, refit=False)
    train, held_out = np.arange(8), np.arange(8, 16)
    kept = fit_split(Line, recipe, examples, train, held_out, tmp_path / "a")
    torch.manual_seed(recipe.seed)
    watched = examples.take(held_out)
    expected = fit(Line(), recipe, examples.take(train), watched, tmp_path / "b").state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in kept.state_dict().items())
    assert not (tmp_path / "a" / "watched").exists()


def test_positions_that_the_weights_have_seen():
    train, held_out = np.array([4, 0]), np.array([2])
    assert used_positions(RECIPE, train, held_out).tolist() == [0, 2, 4]
    plain = dataclasses.replace(RECIPE, refit=False)
    assert used_positions(plain, train, held_out).tolist() == [0, 4]
    assert used_positions(plain, train, None).tolist() == [0, 4]


def test_what_cannot_be_repeated_is_said(examples, tmp_path):
    with pytest.raises(FerError, match="nothing is held out"):
        fit_split(Line, RECIPE, examples, np.arange(8), None, tmp_path)
    with pytest.raises(FerError, match="no finished run"):
        replay(RECIPE, tmp_path)


def test_learning_rates_that_are_given():
    recipe = Recipe("line", epochs=3, schedule="given", lrs=[0.5, 0.25, 0.1], lr=0.5)
    optimizer = make_optimizer(recipe, Line())
    schedule = make_schedule(recipe, optimizer, steps_per_epoch=2)
    seen = []
    for _ in range(6):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert seen == pytest.approx([0.5, 0.5, 0.25, 0.25, 0.1, 0.1])


@pytest.mark.parametrize("settings", [
    {"schedule": "given"}, {"schedule": "given", "lrs": [0.1]},
    {"schedule": "constant", "lrs": [0.1] * 3},
])  # fmt: skip
def test_learning_rates_that_do_not_fit(settings):
    with pytest.raises(RecipeError, match="one for each epoch"):
        Recipe("line", epochs=3, **settings)


def test_refit_needs_something_held_out():
    with pytest.raises(RecipeError, match="validation: 0 with"):
        Recipe("line", schedule="constant", refit=True)
