"""The ``fer-cbam`` command: its sub-commands are in ``commands``."""

from __future__ import annotations

import argparse
import sys
from io import TextIOWrapper

from fer_cbam import __version__
from fer_cbam.commands import COMMANDS
from fer_cbam.errors import FerError

EXAMPLES = """\
examples:
  fer-cbam webcam                              your own face, in the browser
  fer-cbam predict photo.jpg                   the faces of a photograph
  fer-cbam video clip.mp4 --marked marked.webm
  fer-cbam train FOLDER                        labels of your own

'fer-cbam COMMAND --help' says more of each."""


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command.

    Returns the exit status: 0, or 1 if the weights or any photo could not be read, or an
    explanation could not be written. Wrong arguments leave through argparse, with 2.
    """
    parser = argparse.ArgumentParser(
        prog="fer-cbam", description="Facial expressions, and why.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"fer-cbam {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    args = parser.parse_args(argv)
    _print_any_name()
    try:
        return int(args.run(args))
    except (FerError, OSError) as error:
        print(f"fer-cbam: {error}", file=sys.stderr)
        return 1


def _print_any_name() -> None:
    """Let no file name end a run: what a terminal cannot show is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
