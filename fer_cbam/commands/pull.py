"""``fer-cbam pull``: weights from a hub."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    pull = commands.add_parser("pull", help="fetch weights from a hub, and check them")
    pull.add_argument("repo", metavar="USER/NAME[@REVISION]")
    pull.add_argument("folder", metavar="DIR", type=Path)
    pull.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Say where the weights lie."""
    from fer_cbam.hub import pull

    print(f"{args.repo}: pulled to {pull(args.repo, args.folder)}")
    return 0
