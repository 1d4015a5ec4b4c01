"""Train what eval/studies/pruning.py compares: pruned networks, and others of the same budget.

    python -m train.pruning_runs --out runs/pruning

Each network is trained with three seeds by eval/studies/pruning.yaml, for as many epochs: pruned
from the embedded fer_cbam_tiny, with the same widths from nothing (with the rate of learning of
eval/studies/attention.yaml, which starts from nothing too), and unpruned. Started again after a cut
it goes on. Without ``--data`` the files are looked for in ``$FER_CBAM_DATA``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import eval.studies
from fer_cbam.errors import FerError
from train import __main__ as train
from train.reproduce import DATA_FILES, VOTES_FILE, data_file

RECIPE = Path(next(iter(eval.studies.__path__))) / "pruning.yaml"
SEEDS = (0, 1, 2)
#: Channels of the four stages, multiples of 8; those of fer_cbam_tiny are 16, 32, 64, 120.
WIDTHS = {"two-thirds": [16, 24, 40, 80]}
FROM_NOTHING = ["init=''", "lr=0.15"]


def networks() -> Iterator[tuple[str, list[str]]]:
    """Name of a network, and what it changes in the recipe."""
    yield "unpruned", []
    for width, channels in WIDTHS.items():
        setting = f"model_args.channels={channels}"
        yield f"pruned-{width}", [setting]
        yield f"scratch-{width}", [setting, *FROM_NOTHING]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.pruning_runs", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", type=Path, help="FER2013")
    add("--votes", type=Path, help="fer2013new.csv")
    add("--out", type=Path, required=True, help="folder for the runs: <network>/seed<n>/public")
    add("--networks", nargs="+", choices=dict(networks()), metavar="NAME",
        help="some of the networks")  # fmt: skip
    args = parser.parse_args(argv)
    try:
        data = args.data or data_file(DATA_FILES["fer2013"], "--data")
        votes = args.votes or data_file(VOTES_FILE, "--votes")
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    wanted = {name: changes for name, changes in networks()
              if args.networks is None or name in args.networks}  # fmt: skip
    for seed in SEEDS:
        for name, changes in wanted.items():
            settings = [part for change in changes for part in ("--set", change)]
            train.main(["--config", str(RECIPE), "--data", str(data), "--votes", str(votes),
                        "--protocol", "public", "--seed", str(seed), *settings,
                        "--out", str(args.out / name / f"seed{seed}"), "--resume"])  # fmt: skip


if __name__ == "__main__":
    main()
