"""``fer-cbam eval``: how good weights are on a data set, as ``python -m eval`` in a checkout."""

from __future__ import annotations

import argparse

from fer_cbam.checkout import add_program, run_program


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command; its arguments are those of ``python -m eval``."""
    add_program(commands, "eval", "measure weights on a data set").set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the main numbers and write the report."""
    return run_program("eval", args.arguments)
