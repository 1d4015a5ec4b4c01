"""Train one model for each split of a protocol.

    python -m train --config my.yaml --data faces.zip --protocol subject10 --out runs/mine \
        --set epochs=30 --set augment.camera=0 --seed 1

Every split gets a folder (``seed0``, ``fold3``, ...) with weights in the layout that timm reads,
``history.csv`` and a checkpoint; ``--resume`` goes on from it, or leaves a split alone that is
complete. With ``--labels`` the pictures are one's own, of any kind, see ``train/own.py``;
``fer-cbam train`` is the short way to that. A recipe with several heads leaves one folder of
weights for each (``public/ferplus``, ``public/fer2013``), one with several stages a folder for each
stage's checkpoint and history.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_cbam.data.protocols import FOLDS
from fer_cbam.errors import FerError
from train import distributed
from train.clips import train_on_clips
from train.examples import Source, read_source
from train.own import finish, with_faces
from train.recipe import Recipe, read_recipe
from train.run import Training, alignment_of, chosen_splits, train_split


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    device = distributed.start()
    try:
        settings = [*args.set, *([] if args.seed is None else [f"seed={args.seed}"])]
        recipe = read_recipe(args.config, settings)
        if recipe.clips is not None:
            train_on_clips(recipe, args.data, args.votes, args.out, args.resume)
            return
        source = _source(recipe, args)
        folders: list[Path] = []
        for split in chosen_splits(source.faces, args.protocol, args.splits):
            folder = args.out / split.name
            training = Training(recipe, source, split, args.protocol, folder, args.out, device)
            folders += train_split(training, args.resume)
            if FOLDS.fullmatch(args.protocol) and distributed.rank() == 0:
                finish(folder, source, split, args.protocol, arguments)
        if distributed.rank() == 0:
            print(f"weights: {', '.join(map(str, folders))}; to open them in the app: "
                  f"fer-cbam app --weights {folders[-1]}")  # fmt: skip
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    finally:
        distributed.stop()


def _source(recipe: Recipe, args: argparse.Namespace) -> Source:
    """The faces of a run; found and aligned where nobody has measured how they lie in the data."""
    source = read_source(recipe, args.data, args.votes, args.labels)
    if args.labels is None and alignment_of(source):
        return source
    return with_faces(source, recipe)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--config", required=True, help="a recipe: a YAML file, or the name of a shipped one")
    add("--data", type=Path, required=True, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, to train on FER+ votes")
    add("--labels", metavar="folders|FILE", help="for pictures of your own: a folder for each "
        "class, or a CSV or Parquet file with path, label and perhaps subject")  # fmt: skip
    add("--protocol", required=True, help="paper, subject10, public, private, or folds5")
    add("--splits", default="all", help="all (5 seeds, 10 folds) or some: 0,2,4")
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="change the recipe: epochs=1, augment.zoom=0.1; as often as needed")  # fmt: skip
    add("--seed", type=int, help="for initial weights, order and augmentation")
    add("--out", type=Path, required=True, help="folder for the runs")
    add("--resume", action="store_true", help="go on where a run stopped")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
