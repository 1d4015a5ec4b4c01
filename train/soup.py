"""A model soup: the mean of the weights of several runs from one start.

Wortsman et al. 2022, "Model soups", https://arxiv.org/abs/2203.05482 (the uniform soup). Runs that
are fine-tuned from the same weights mostly end in one basin, where their mean can be better than
each of them, and is as fast as one. Runs from random weights share no basin: a recipe without
``init`` is refused.

Where the start lies in that basin too, a share of its weights in those that are kept brings back
some of what a fine-tuned network forgot (``start_share`` of a recipe; Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903).

Finished runs, of which one went on from another or all from the same, are averaged by

    python -m train.soup runs/base_third/public/ferplus runs/base_fifth/public/ferplus \
        --out runs/base_soup/public/ferplus
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eval.predict import training_record
from eval.studies.adjustment import trained_tau
from fer_cbam import hub
from fer_cbam.errors import FerError, WeightsError
from train.recipe import Recipe

# What runs must have in common: their mean is then of the same images, with the same prior.
COMMON = ("data", "protocol", "split", "images", "prior")
GEOMETRY = ("landmarks", "crop_from_box")  # of config.json
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


def with_start(
    start: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """``share`` of each tensor of the start and the rest of the trained one, running statistics
    too; of counts (integers) the trained one."""
    return {
        name: torch.lerp(value, start[name].to(value), share)
        if value.is_floating_point()
        else value.clone()
        for name, value in trained.items()
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--out", type=Path, required=True, help="folder for their mean")
    args = parser.parse_args(argv)
    try:
        print(f"{average(args.runs, args.out)}: the mean of {len(args.runs)} runs")
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def average(runs: Sequence[Path], out: Path) -> Path:
    """Save the mean of the weights of finished runs, with the last one's record of training, which
    names the configs of all (``soup``). The folder they are in.

    Raises:
        WeightsError: fewer than two, of different architectures, labels or training images, or with
            logits that were adjusted for release.
    """
    if len(runs) < 2:
        raise WeightsError(f"soup of {len(runs)}; expected two runs or more")
    loaded = [hub.load_model(run) for run in runs]
    for one in loaded:
        _check_alike(one, loaded[0])
    last = loaded[-1]
    extra: dict[str, Any] = {k: last.config[k] for k in GEOMETRY if k in last.config}
    configs = [training_record(one)["config"] for one in loaded]
    extra["training"] = {**training_record(last), "soup": configs}
    last.model.load_state_dict(mean_state([one.model.state_dict() for one in loaded]))
    return hub.save_model(last.model, out, last.label_names, extra)


def _check_alike(one: hub.LoadedModel, first: hub.LoadedModel) -> None:
    differs = [k for k in COMMON if training_record(one).get(k) != training_record(first).get(k)]
    if trained_tau(training_record(one)) != trained_tau(training_record(first)):
        differs.append("logit_adjustment")
    if one.config["architecture"] != first.config["architecture"]:
        differs.append("architecture")
    if one.label_names != first.label_names:
        differs.append("labels")
    if differs:
        raise WeightsError(f"{one.name}: other {', '.join(differs)} than {first.name}; expected "
                           "the same")  # fmt: skip
    if "balance" in one.config:
        raise WeightsError(f"{one.name}: adjusted already; expected the run it came from")


if __name__ == "__main__":
    main()
