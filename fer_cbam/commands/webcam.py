"""``fer-cbam webcam``: the same page, opened in the browser at once; the webcam comes first."""

from __future__ import annotations

import argparse

from fer_cbam.checkout import add_program, run_program


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command; its arguments are the app's."""
    about = "start the page and open it on the webcam"
    add_program(commands, "webcam", about).set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Until a key or a signal ends it."""
    return run_program("app", ["--open", *args.arguments])
