"""``fer-cbam train``: weights for pictures and labels of one's own.

The recipe ``finetune`` by ``python -m train``, which has more options.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_cbam.checkout import check_program, run_program
from fer_cbam.errors import DataError

SHARE = 0.2
RECIPE = "finetune"
START = "fer_cbam_base.ferplus"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    train = commands.add_parser("train", help="train weights on faces and labels of your own")
    train.add_argument("folder", metavar="FOLDER", type=Path,
                       help="pictures, in a folder for each class")  # fmt: skip
    train.add_argument(
        "--labels-from", default="folders", metavar="folders|FILE", help="a CSV or Parquet file "
        "with the columns path, label and, for folds by person, subject (default: the folders)"
    )  # fmt: skip
    train.add_argument("--from", default=START, dest="start", metavar="WEIGHTS",
                       help=f"weights to start from (default: {START})")  # fmt: skip
    train.add_argument("--epochs", type=int, metavar="N", help="default: the recipe's 12")
    train.add_argument(
        "--val-share", type=float, default=SHARE, metavar="SHARE",
        help=f"of the pictures, held out to measure on (default: {SHARE:g})",
    )  # fmt: skip
    train.add_argument("--out", type=Path, metavar="DIR", help="default: runs/<name of FOLDER>")
    train.add_argument("--resume", action="store_true", help="go on where a run stopped")
    train.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train; the last line says where the weights are."""
    check_program("train")
    return run_program("train", program_arguments(args))


def program_arguments(args: argparse.Namespace) -> list[str]:
    """The same for ``python -m train``.

    Raises:
        DataError: no such folder, or a share that is out of range.
        WeightsError: no such weights to start from.
    """
    from fer_cbam import pretrained
    from fer_cbam.hub import resolve

    if not args.folder.exists():
        raise DataError(f"{args.folder}: no such folder; expected one with a folder of pictures "
                        "for each class")  # fmt: skip
    if not 0.05 <= args.val_share <= 0.5:
        raise DataError(f"--val-share {args.val_share:g}; expected 0.05 to 0.5")
    architecture = pretrained.read_config(resolve(args.start))["architecture"]
    out = args.out or Path("runs") / args.folder.resolve().stem
    return [
        "--config", RECIPE, "--data", str(args.folder), "--labels", args.labels_from,
        "--protocol", f"folds{round(1 / args.val_share)}", "--splits", "0", "--out", str(out),
        "--set", f"model={architecture}", "--set", f"init={args.start}",
        *([] if args.epochs is None else ["--set", f"epochs={args.epochs}"]),
        *(["--resume"] if args.resume else []),
    ]  # fmt: skip
