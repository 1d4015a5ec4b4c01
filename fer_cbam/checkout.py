"""Programs that lie beside the package in the source, and not in it: app.py, train, eval.

The installed package holds what recognises. Training, evaluation and the app's layout are run from
a checkout, in this process, as ``python app.py`` or ``python -m train`` would be.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from fer_cbam.errors import FerError

ROOT = Path(__file__).parents[1]
# Packages that a program asks for when it is imported, by the names they are imported by.
NEEDS: dict[str, tuple[str, ...]] = {
    "app": ("gradio", "cv2"),
    "train": (
        "torch",
        "timm",
        "onnx",
        "yaml",
        "tqdm",
        "sklearn",
        "pandas",
        "pyarrow",
        "matplotlib",
    ),
    "eval": ("tqdm", "sklearn", "pandas", "pyarrow", "matplotlib"),
}
EXTRA = {"app": "app-onnx", "train": "train", "eval": "train"}


class CheckoutError(FerError, RuntimeError):
    """A program of the source, without the source or what the program needs."""


def check_program(name: str) -> None:
    """Whether ``app``, ``train`` or ``eval`` can be run here.

    Raises:
        CheckoutError: there is no such program beside the package, or a package it needs is not
            installed.
    """
    place = ROOT / name
    if not (place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()):
        raise CheckoutError(
            f"{name}: runs from the source, and this fer-cbam is installed without it; expected a "
            f"checkout, and in it: pip install -e '.[{EXTRA[name]}]'"
        )
    missing = [package for package in NEEDS[name] if find_spec(package) is None]
    if missing:
        raise CheckoutError(f"{name} needs {', '.join(missing)}, not installed; expected, in "
                            f"{ROOT}: pip install -e '.[{EXTRA[name]}]'")  # fmt: skip


def run_program(name: str, arguments: Sequence[str]) -> int:
    """Run ``app``, ``train`` or ``eval`` with the arguments of its command line.

    Raises:
        CheckoutError: see `check_program`.
        SystemExit: how such programs end that end early.
    """
    check_program(name)
    path, argv = sys.path, sys.argv
    sys.path = [str(ROOT), *path]  # before a train.py of the user's
    sys.argv = [name, *arguments]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    finally:
        sys.path, sys.argv = path, argv
    return 0


def add_program(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    """Declare a command that hands everything behind its name to a program, ``--help`` too."""
    # No argument begins with a NUL, so that all of them are taken as they stand.
    parser = commands.add_parser(name, help=about, add_help=False, prefix_chars="\0")
    parser.add_argument("arguments", nargs="*")
    return parser
