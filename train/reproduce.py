"""Make the embedded weights of a recipe again, in one command.

    python -m train.reproduce fer_cbam_tiny.ferplus --data fer2013.csv.zip --votes fer2013new.csv

Trains all stages of ``train/recipes/<arch>.<tag>.yaml``, releases what they give and calibrates it,
which ends in a folder as the package embeds it (``runs/released/<arch>.<tag>``), and says how good
it is beside the weights that are embedded now. Started again after a cut it goes on, and gives what
an undisturbed run gives. Without ``--data`` the files are looked for in ``$FER_CBAM_DATA``.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.calibrate import PROTOCOL as CALIBRATION
from eval.calibrate import fitted, in_words, store
from eval.predict import jobs, predict
from eval.report import report
from fer_cbam import data, pretrained
from fer_cbam.data import Dataset
from fer_cbam.errors import FerError
from train import distributed
from train.clips import release_recurrent, train_on_clips
from train.examples import Source, read_source
from train.recipe import Recipe, RecipeError, Release, read_recipe
from train.release import release
from train.run import Training, chosen_splits, train_split

DATA_FILES = {"fer2013": "fer2013.csv.zip", "ckplus48": "ckplus48.zip"}
VOTES_FILE = "fer2013new.csv"
RELEASED = "released"  # beside the folders of runs, so that those hold nothing but splits
SHOWN = ("accuracy", "balanced_accuracy")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    try:
        recipe = read_recipe(args.recipe, args.set)
        if recipe.clips is not None:
            path = args.data or data_file(DATA_FILES["fer2013"], "--data")
            votes = args.votes or data_file(VOTES_FILE, "--votes")
            cache = args.out / "cache" / "clips"
            run = train_on_clips(recipe, path, votes, args.out / recipe.name, True, cache)
            folder = release_recurrent(run, args.out / RELEASED / recipe.name)
            if args.embed:
                embed(folder, pretrained.EMBEDDED / recipe.name)
            return
        if recipe.release is None:
            raise RecipeError(f"recipe {recipe.name} releases nothing; train it by python -m train")
        path = args.data or data_file(DATA_FILES.get(recipe.data, ""), "--data")
        asked = any(head.labels == "ferplus" for head in recipe.heads)
        votes = args.votes or (data_file(VOTES_FILE, "--votes") if asked else None)
        source = read_source(recipe, path, votes)
        tested = (
            data.load(path, votes=votes) if recipe.release.labels == "ferplus" else source.faces
        )
        of_votes = votes if recipe.release.labels == "ferplus" else None
        folder = reproduce(recipe, recipe.release, source, tested, args.out, of_votes)
        print(compared(recipe, folder, tested))
        if args.embed:
            embed(folder, pretrained.EMBEDDED / recipe.name)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.reproduce", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("recipe", help="<arch>.<tag> of train/recipes, or a YAML file of that name")
    add("--data", type=Path, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--out", type=Path, default=Path("runs"), help="folder for the runs")
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="change the recipe: epochs=1, release.balance=0.3; as often as needed")  # fmt: skip
    add("--embed", action="store_true", help="put the result into the package")
    return parser.parse_args(argv)


def data_file(name: str, option: str) -> Path:
    """A file of the folder that ``FER_CBAM_DATA`` names.

    Raises:
        FerError: there is none.
    """
    folder = os.environ.get("FER_CBAM_DATA", "")
    path = Path(folder) / name
    if not folder or not path.is_file():  # without a folder it would be looked for in this one
        raise FerError(f"FER_CBAM_DATA={folder!r} has no {name or 'such data'}; expected {option}, "
                       "or a folder that has it")  # fmt: skip
    return path


def reproduce(
    recipe: Recipe, how: Release, source: Source, tested: Dataset, out: Path,
    votes: Path | None = None,
) -> Path:  # fmt: skip
    """Train, release and calibrate; the folder that can be embedded.

    tested: the data set with the labels of the released head. votes: fer2013new.csv where these are
    FER+'s.
    """
    if how.labels not in source.names:
        raise RecipeError(f"release: labels {how.labels!r}; expected one of "
                          f"{', '.join(source.names)}")  # fmt: skip
    (split,) = chosen_splits(source.faces, recipe.protocol, recipe.split)
    training = Training(
        recipe, source, split, recipe.protocol, out / recipe.trained_as / split.name, out,
        distributed.start(),
    )  # fmt: skip
    folders = train_split(training, resume=True)
    folder = out / RELEASED / recipe.name
    run_dir = folders[source.names.index(how.labels)]
    print(release(run_dir, recipe.name.partition(".")[0], folder, how), flush=True)
    if how.calibrate:
        (job,) = jobs(str(folder), tested, CALIBRATION)
        values, _ = fitted(job, tested, votes, how.balance)
        store(job, values)
        print(f"{CALIBRATION}: {in_words(values)}", flush=True)
    return folder


def compared(recipe: Recipe, folder: Path, tested: Dataset) -> str:
    """A table: how good the weights in a folder are, and the embedded ones, on the same images."""
    columns = {"this run": measured(str(folder), tested, recipe.protocol)}
    if recipe.name in pretrained.embedded_names():
        columns["embedded"] = measured(recipe.name, tested, recipe.protocol)
    n = next(iter(columns.values()))["n"]
    lines = [f"{recipe.name}, {tested.name} {recipe.protocol}, {n} images",
             " " * 18 + "".join(f"  {name:26}" for name in columns)]  # fmt: skip
    for metric in SHOWN:
        cells = [column["metrics"][metric] for column in columns.values()]
        lines.append(f"{metric:18}" + "".join(
            f"  {c['value']:.4f} ({c['low']:.4f} to {c['high']:.4f})" for c in cells
        ))  # fmt: skip
    return "\n".join(lines)


def measured(weights: str, tested: Dataset, protocol: str) -> dict[str, Any]:
    """The report of ``python -m eval`` on these weights."""
    return report(predict(jobs(weights, tested, protocol), tested, protocol))


def embed(folder: Path, place: Path) -> None:
    """Copy weights into the package, config.json last."""
    place.mkdir(parents=True, exist_ok=True)
    files = (pretrained.WEIGHTS_FILE, pretrained.GRAPH_FILE, pretrained.CONFIG_FILE)
    for name in (name for name in files if (folder / name).is_file()):
        partial = place / f"{name}.partial"
        shutil.copyfile(folder / name, partial)
        partial.replace(place / name)


if __name__ == "__main__":
    main()
