"""Train one model for each split of a protocol.

    python -m train --config train/configs/ckplus48_paper.yaml --data ckplus48.zip \
        --protocol subject10 --out runs/ckplus48_subject10

Every split gets a folder (``seed0``, ``fold3``, ...) with weights in the layout that timm reads,
``history.csv``, TensorBoard events and a checkpoint; ``--resume`` goes on from it, or leaves a
split alone that is complete.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

import fer_cbam
from fer_cbam import data, hub, pretrained
from fer_cbam.data.protocols import Split, protocol_splits, validation_part
from fer_cbam.errors import FerError
from fer_cbam.preprocess import Preprocess
from train import distributed
from train.loop import Examples, fit
from train.recipe import Recipe, read_recipe


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    device = distributed.start()
    try:
        recipe = read_recipe(args.config)
        dataset = data.load(args.data, votes=args.votes)
        for split in chosen_splits(dataset, args.protocol, args.splits):
            train_split(recipe, dataset, split, args, device)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    finally:
        distributed.stop()


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--config", type=Path, required=True, help="recipe, train/configs/*.yaml")
    parser.add_argument("--data", type=Path, required=True, help="data set file or folder")
    parser.add_argument("--votes", type=Path, help="fer2013new.csv, to train on FER+ votes")
    parser.add_argument("--protocol", required=True, help="paper, subject10, public, private")
    parser.add_argument("--splits", default="all", help="all (5 seeds, 10 folds) or 0,2,4")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    return parser.parse_args(argv)


def chosen_splits(dataset: data.Dataset, protocol: str, choice: str) -> tuple[Split, ...]:
    splits = protocol_splits(dataset, protocol)
    if choice == "all":
        return splits
    try:
        return tuple(splits[int(i)] for i in choice.split(","))
    except (ValueError, IndexError):
        raise FerError(
            f"--splits {choice}: expected 'all' or numbers below {len(splits)}, such as 0,2"
        ) from None


def train_split(
    recipe: Recipe,
    dataset: data.Dataset,
    split: Split,
    args: argparse.Namespace,
    device: torch.device,
) -> None:
    """Train, keep and save the weights of one split."""
    run_dir = args.out / split.name
    if args.resume and (run_dir / pretrained.CONFIG_FILE).exists():
        return
    # The split's number is its seed: initial weights and held-out part differ from split to split.
    recipe = dataclasses.replace(recipe, seed=recipe.seed + split.index)
    torch.manual_seed(recipe.seed)
    model = make_model(recipe, dataset)
    preprocess = Preprocess.from_config({"pretrained_cfg": model.pretrained_cfg})
    train, held_out = split.train, None
    if recipe.validation:
        train, held_out = validation_part(
            dataset,
            split.train,
            recipe.validation,
            seed=recipe.seed,
            by_subject=False,
        )
    print(f"{split.name}: {len(train)} to train on, "
          f"{0 if held_out is None else len(held_out)} held out of them", flush=True)  # fmt: skip
    examples = make_examples(dataset, preprocess)
    model = fit(
        model,
        recipe,
        take(examples, train),
        None if held_out is None else take(examples, held_out),
        run_dir,
        args.resume,
        device,
    )
    if distributed.rank() == 0:
        extra = {**alignment(dataset.name), "training": record(recipe, args, dataset, split)}
        hub.save_model(model, run_dir, dataset.label_names, extra)


def make_model(recipe: Recipe, dataset: data.Dataset) -> nn.Module:
    """The recipe's architecture for the classes of the data set, or weights to start from."""
    return timm.create_model(
        recipe.model, num_classes=len(dataset.label_names), **recipe.model_args
    )


def make_examples(dataset: data.Dataset, preprocess: Preprocess) -> Examples:
    x = torch.from_numpy(preprocess([sample.pixels for sample in dataset.samples]))
    return Examples(x, torch.from_numpy(dataset.target_probs()))


def take(examples: Examples, indices: Any) -> Examples:
    return Examples(examples.x[indices], examples.target_probs[indices])


def alignment(dataset_name: str) -> dict[str, Any]:
    """How faces lie in the crops of a data set, for the root of config.json; empty if unmeasured.

    ``python -m eval.alignment`` measures it; see :class:`fer_cbam.preprocess.Preprocess`.
    """
    path = Path(fer_cbam.__file__).parent / "data" / "alignment.json"
    measured = json.loads(path.read_text(encoding="utf-8"))
    return measured.get({"ferplus": "fer2013"}.get(dataset_name, dataset_name), {})


def record(
    recipe: Recipe, args: argparse.Namespace, dataset: data.Dataset, split: Split
) -> dict[str, Any]:
    """What these weights were trained on, so that evaluation can refuse to leak."""
    return {
        "data": dataset.name,
        "protocol": args.protocol,
        "split": split.name,
        "config": args.config.name,
        "recipe": dataclasses.asdict(recipe),
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
    }


if __name__ == "__main__":
    main()
