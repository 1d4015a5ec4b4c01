"""``fer-cbam export``: weights as a folder that needs no torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.errors import BackendError

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.data import Dataset
    from fer_cbam.deploy.folder import Exported

    Exporter = Callable[[str, Path, Dataset | None], Exported]

NEEDED = ("torch", "timm", "onnx", "onnxruntime", "flatbuffers", "ai_edge_litert", "litert_torch",
          "ai_edge_quantizer")  # fmt: skip


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    export = commands.add_parser("export", help="write weights as a folder that needs no torch")
    export.add_argument(
        "--weights", required=True, help="<arch>.<tag>, a folder, or hf-hub:user/name"
    )
    export.add_argument("--format", choices=["onnx", "litert"], default="onnx")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.add_argument(
        "--data", type=Path, metavar="FER2013", help="measure accuracy; onnx: make an int8 network"
    )
    export.add_argument("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    export.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the folder, then say of each way to run it how good, how large and how fast it is."""
    try:
        import torch

        export = _exporter(args.format)
    except ModuleNotFoundError as error:
        extra = {"onnx": "export", "litert": "litert-export"}[args.format]
        if error.name not in NEEDED:
            raise
        raise BackendError(
            f"export needs {error.name}, which is not installed; "
            f"expected: pip install 'fer-cbam[{extra}]'"
        ) from error
    from fer_cbam import data, hub, pretrained

    torch.set_num_threads(1)  # times are of one thread
    if pretrained.read_config(hub.resolve(args.weights))["architecture"] in pretrained.RECURRENT:
        from fer_cbam.deploy.recurrent import export_step

        print(export_table(export_step(args.weights, args.out, args.format)))
        return 0
    dataset = data.load(args.data, votes=args.votes) if args.data else None
    print(export_table(export(args.weights, args.out, dataset)))
    return 0


def _exporter(form: str) -> Exporter:
    """What writes a format of a network that reads faces, with all that it needs imported."""
    if form == "onnx":
        from fer_cbam.deploy.export import export

        return export
    import ai_edge_quantizer  # noqa: F401
    import litert_torch  # noqa: F401

    from fer_cbam.deploy.litert import export_litert

    return export_litert


def export_table(exported: Exported) -> str:
    """Accuracy, agreement with torch, size and latency side by side; below, what was dropped."""
    lines = [f"{'':11} {'accuracy':>9} {'as torch':>9} {'size':>10} {'one face, one thread':>21}"]
    for v in exported.variants:
        accuracy = "-" if v.accuracy is None else f"{100 * v.accuracy:.2f} %"
        agreement = "-" if v.agreement is None else f"{100 * v.agreement:.2f} %"
        lines.append(
            f"{v.name:11} {accuracy:>9} {agreement:>9} {v.size / 1e6:>7.2f} MB "
            f"{v.milliseconds:>18.2f} ms"
        )
    lines += [f"{name}: removed, for it loses more than half a point" for name in exported.dropped]
    return "\n".join([*lines, f"written to {exported.folder}"])
