"""Training by what is held out, and then once more with nothing held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from eval.history import WATCHED
from fer_cbam.errors import FerError
from train.checkpoint import load_checkpoint
from train.distill import Tutor
from train.examples import Examples
from train.loop import fit
from train.recipe import Recipe
from train.soup import fit_soup, with_start


def fit_split(
    make: Callable[[], nn.Module],
    recipe: Recipe,
    examples: Examples,
    train: np.ndarray,
    held_out: np.ndarray | None,
    run_dir: Path,
    resume: bool = False,
    device: torch.device | None = None,
    tutor: Tutor | None = None,
) -> nn.Module:
    """Train on a split by its recipe; the model returned holds the weights that are kept.

    With ``refit`` the run that watches the held-out part stands in ``run_dir/watched``, and that
    with all of the training side, for as many epochs at the same learning rates from the same
    initial weights, in ``run_dir``. With ``soup`` they are the mean of several runs' weights, with
    ``start_share`` some of the initial weights remains in them.

    make: an untrained model. train, held_out: positions in examples. tutor: of recipes with
    ``distill_views``.
    """
    if recipe.start_share:
        torch.manual_seed(recipe.seed)
        start = make().state_dict()
        rest = dataclasses.replace(recipe, start_share=0.0)
        model = fit_split(make, rest, examples, train, held_out, run_dir, resume, device, tutor)
        model.load_state_dict(with_start(start, model.state_dict(), recipe.start_share))
        return model
    watched = None if held_out is None else examples.take(held_out)

    def trained(
        recipe: Recipe, chosen: Examples, watched: Examples | None, folder: Path
    ) -> nn.Module:
        torch.manual_seed(recipe.seed)
        return fit(make(), recipe, chosen, watched, folder, resume, device, tutor)

    if recipe.soup > 1:
        chosen = examples.take(train)
        return fit_soup(recipe, run_dir, lambda one, at: trained(one, chosen, watched, at))
    if not recipe.refit:
        return trained(recipe, examples.take(train), watched, run_dir)
    if watched is None or held_out is None:
        raise FerError("refit: nothing is held out under this protocol; expected a part to watch")
    first = dataclasses.replace(recipe, refit=False)
    trained(first, examples.take(train), watched, run_dir / WATCHED)
    again = replay(first, run_dir / WATCHED)
    return trained(again, examples.take(used_positions(recipe, train, held_out)), None, run_dir)


def used_positions(recipe: Recipe, train: np.ndarray, held_out: np.ndarray | None) -> np.ndarray:
    """Positions of everything that the weights kept have been trained on."""
    parts = [train, held_out] if recipe.refit and held_out is not None else [train]
    return np.sort(np.concatenate([np.asarray(part) for part in parts]))


def replay(recipe: Recipe, finished: Path) -> Recipe:
    """The recipe that does what a finished run of this one did, watching nothing."""
    state = load_checkpoint(finished, dataclasses.asdict(recipe))
    if state is None:
        raise FerError(f"{finished}: no finished run there")
    lrs = [row["lr"] for row in state["history"]]
    return dataclasses.replace(
        recipe, schedule="given", lrs=lrs, epochs=len(lrs), early_stopping=0, validation=0.0
    )
