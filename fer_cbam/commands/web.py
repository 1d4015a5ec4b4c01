"""``fer-cbam web``: the page that reads pictures on the visitor's own device, as a folder."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    web = commands.add_parser(
        "web", help="write a page that reads pictures on the visitor's own device"
    )
    web.add_argument("--out", type=Path, required=True, metavar="DIR")
    web.add_argument(
        "--weights", nargs="+", metavar="SOURCE",
        help="<arch>.<tag>, folders, or hf-hub:user/name; the page starts with the first "
        "(default: fer_cbam_tiny.ferplus)",
    )  # fmt: skip
    web.add_argument(
        "--overwrite", action="store_true", help="replace the page that the folder holds already"
    )
    web.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the folder, and say how to look at it."""
    from fer_cbam.device.offers import DEFAULT
    from fer_cbam.device.site import write_site

    out = write_site(args.out, args.weights or DEFAULT, overwrite=args.overwrite)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"written to {out}: {size / 1e6:.1f} MB; any host serves it as it is")
    print(f"look at it: python -m http.server --bind 127.0.0.1 --directory {out}")
    return 0
