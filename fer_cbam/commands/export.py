"""``fer-cbam export``: weights as a folder that needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.errors import BackendError

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.deploy.export import Exported


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    export = commands.add_parser("export", help="write weights as a folder that needs no torch")
    export.add_argument(
        "--weights", required=True, help="<arch>.<tag>, a folder, or hf-hub:user/name"
    )
    export.add_argument("--format", choices=["onnx"], default="onnx")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.add_argument(
        "--data", type=Path, metavar="FER2013", help="measure accuracy, and make an int8 network"
    )
    export.add_argument("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    export.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the folder, then say of each way to run it how good, how large and how fast it is."""
    try:
        import torch

        from fer_cbam.deploy.export import export
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "timm", "onnx", "onnxruntime"):
            raise
        raise BackendError(
            f"export needs {error.name}, which is not installed; "
            "expected: pip install 'fer-cbam[export]'"
        ) from error
    from fer_cbam import data

    torch.set_num_threads(1)  # times are of one thread
    dataset = data.load(args.data, votes=args.votes) if args.data else None
    print(export_table(export(args.weights, args.out, dataset)))
    return 0


def export_table(exported: Exported) -> str:
    """Accuracy, size and latency side by side; below, what became of int8."""
    lines = [f"{'':10} {'accuracy':>9} {'size':>10} {'one face, one thread':>21}"]
    for v in exported.variants:
        accuracy = "-" if v.accuracy is None else f"{100 * v.accuracy:.2f} %"
        lines.append(
            f"{v.name:10} {accuracy:>9} {v.size / 1e6:>7.2f} MB {v.milliseconds:>18.2f} ms"
        )
    names = {v.name: v for v in exported.variants}
    if "onnx-int8" in names:
        loss = 100 * ((names["onnx"].accuracy or 0) - (names["onnx-int8"].accuracy or 0))
        fate = "kept" if exported.int8 else "removed: more than half a point"
        lines.append(f"int8 loses {loss:.2f} points on PublicTest; {fate}")
    return "\n".join([*lines, f"written to {exported.folder}"])
