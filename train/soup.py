"""A model soup: the mean of the weights of several runs from one start.

Wortsman et al. 2022, "Model soups", https://arxiv.org/abs/2203.05482 (the uniform soup). Runs that
are fine-tuned from the same weights mostly end in one basin, where their mean can be better than
each of them, and is as fast as one. Runs from random weights share no basin: a recipe without
``init`` is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from train.recipe import Recipe

SEED_STEP = 1000  # between runs of a soup; the splits of a protocol are told apart by less


def fit_soup(
    recipe: Recipe, run_dir: Path, trained: Callable[[Recipe, Path], nn.Module]
) -> nn.Module:
    """The mean of ``recipe.soup`` runs that differ in their seed.

    The first run is the one that the recipe without a soup gives. It stands in ``run_dir``, the
    others in folders of it. The seed also decides on the rows of the classifier that the weights
    to start from do not have.

    trained: a new model, trained by a recipe in a folder.
    """
    models = [
        trained(
            dataclasses.replace(recipe, soup=1, seed=recipe.seed + SEED_STEP * i),
            run_dir / f"run{i}" if i else run_dir,
        )
        for i in range(recipe.soup)
    ]
    models[0].load_state_dict(mean_state([model.state_dict() for model in models]))
    return models[0]


def mean_state(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor, running statistics too; of counts (integers) the first."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0)
        if value.is_floating_point()
        else value.clone()
        for name, value in states[0].items()
    }
