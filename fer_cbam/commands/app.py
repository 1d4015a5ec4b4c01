"""``fer-cbam app``: the page in the browser, with the options of ``python app.py``."""

from __future__ import annotations

import argparse

from fer_cbam.checkout import add_program, run_program


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command; its arguments are the app's."""
    add_program(commands, "app", "start the page for the browser").set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Until a key or a signal ends it."""
    return run_program("app", args.arguments)
