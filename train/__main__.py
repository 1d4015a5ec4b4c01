"""Train one model for each split of a protocol.

    python -m train --config train/configs/ckplus48_paper.yaml --data ckplus48.zip \
        --protocol subject10 --out runs/ckplus48_subject10

Every split gets a folder (``seed0``, ``fold3``, ...) with weights in the layout that timm reads,
``history.csv``, TensorBoard events and a checkpoint; ``--resume`` goes on from it, or leaves a
split alone that is complete. A recipe with several heads leaves one folder of weights for each
(``public/ferplus``, ``public/fer2013``). Under ``public`` the history shows PublicTest, which is
there to choose on, where the recipe holds nothing out.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from torch import nn

import fer_cbam
from fer_cbam import data, hub, pretrained
from fer_cbam.data.protocols import Split, protocol_splits, validation_part, with_twins
from fer_cbam.errors import FerError
from fer_cbam.preprocess import Preprocess
from train import distributed
from train.distill import lessons
from train.examples import Source, make_examples, read_source, with_detected
from train.heads import classifier_rows, one_head, start_from
from train.recipe import Recipe, read_recipe
from train.refit import fit_split, used_positions
from train.teachers import keep_teachers


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    device = distributed.start()
    try:
        recipe = read_recipe(args.config)
        source = read_source(recipe, args.data, args.votes)
        for split in chosen_splits(source.faces, args.protocol, args.splits):
            train_split(recipe, source, split, args, device)
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
    parser.add_argument("--teacher", type=Path, action="append", default=[], metavar="RUN",
                        help="run, or architecture with embedded weights, to distil from; may be "
                             "given several times")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--resume", action="store_true", help="go on where a run stopped")
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
    source: Source,
    split: Split,
    args: argparse.Namespace,
    device: torch.device,
) -> None:
    """Train, keep and save the weights of one split."""
    run_dir = args.out / split.name
    folders = [run_dir / name for name in source.names] if recipe.heads else [run_dir]
    if args.resume and all((folder / pretrained.CONFIG_FILE).exists() for folder in folders):
        return
    # The split's number is its seed: initial weights and held-out part differ from split to split.
    recipe = dataclasses.replace(recipe, seed=recipe.seed + split.index)
    make = functools.partial(make_model, recipe, source)
    preprocess = make_preprocess(make(), source)
    train, held_out = held_out_part(recipe, source.faces, split, args.protocol)
    keep_teachers(run_dir, args.teacher, source.names, args.resume)
    taught, tutor = lessons(recipe, source, train, args.teacher, args.out, preprocess)
    examples = make_examples(taught, preprocess)
    if recipe.augment.detected:
        examples = with_detected(examples, source, train, preprocess, args.out)
    held = 0 if held_out is None else len(held_out)
    print(f"{split.name}: {len(train)} to train on, {held} held out"
          f"{', then with them' if recipe.refit else ''}", flush=True)  # fmt: skip
    model = fit_split(make, recipe, examples, train, held_out, run_dir, args.resume, device, tutor)
    if distributed.rank() != 0:
        return
    used = used_positions(recipe, train, held_out)
    trained = {**record(recipe, args, source.faces, split), "images": len(examples.take(used))}
    extra = {**alignment(source.faces.name), "training": trained}
    for i, (folder, labels) in enumerate(zip(folders, source.label_names, strict=True)):
        trained["data"] = source.names[i]
        trained["prior"] = label_prior(source.targets[i][used], labels)
        hub.save_model(one_head(model, classifier_rows(source, i)), folder, labels, extra)


def label_prior(targets: np.ndarray, label_names: Sequence[str]) -> dict[str, float]:
    """Share of each label among the labelled rows of targets ``(N, K)``."""
    shares = targets.sum(0) / targets.sum()
    return {name: round(float(share), 6) for name, share in zip(label_names, shares, strict=True)}


def held_out_part(
    recipe: Recipe, faces: data.Dataset, split: Split, protocol: str
) -> tuple[Any, Any]:
    """Positions to train on, and to validate on (or None)."""
    if recipe.twins:
        split = with_twins(faces, split)
    if recipe.validation:
        return validation_part(
            faces, split.train, recipe.validation, seed=recipe.seed, by_subject=False
        )
    return split.train, split.test if protocol == "public" else None


def make_model(recipe: Recipe, source: Source) -> nn.Module:
    """The recipe's architecture for the classes of the source, or weights to start from."""
    model = timm.create_model(recipe.model, num_classes=source.num_classes, **recipe.model_args)
    if recipe.init:
        start_from(model, hub.load_model(recipe.init), source.label_names)
    return model


def make_preprocess(model: nn.Module, source: Source) -> Preprocess:
    """The model's preprocessing, and the alignment of the faces it is trained on."""
    cfg = cast(Any, model).pretrained_cfg
    return Preprocess.from_config({"pretrained_cfg": cfg, **alignment(source.faces.name)})


def alignment(dataset_name: str) -> dict[str, Any]:
    """How faces lie in the crops of a data set, for the root of config.json; empty if unmeasured.

    ``python -m eval.studies.alignment`` measures it; see :class:`fer_cbam.preprocess.Preprocess`.
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
        "teachers": ["/".join(folder.parts[-2:]) for folder in args.teacher],
        "recipe": dataclasses.asdict(recipe),
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
    }


if __name__ == "__main__":
    main()
