"""What a face costs: torch, ONNX Runtime and int8 in one run, one thread.

    fer-cbam export --weights NAME --data fer2013.csv --out exported/     # for int8
    python -m benchmarks.runtime [--weights NAME] [--exported exported/] [--rounds 50]

Each round times every way once, in turn, so that a machine whose speed drifts treats all alike; the
table gives medians and how many times faster than torch that is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fer_cbam.backend import Backend
from fer_cbam.deploy.export import milliseconds
from fer_cbam.deploy.runtime import OnnxBackend
from fer_cbam.hub import DEFAULT_WEIGHTS, load_model
from fer_cbam.torch_backend import TorchBackend


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--exported", type=Path, help="folder of fer-cbam export, for int8")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(1)
    backends: dict[str, Backend] = {
        "torch eager": TorchBackend(load_model(args.weights)),
        "onnx": OnnxBackend.load(args.exported or args.weights),
    }
    if args.exported:
        backends["onnx-int8"] = OnnxBackend.load(args.exported, int8=True)
    print(f"{args.weights}, one thread, median of {args.rounds} rounds")
    print("| ms a face | " + " | ".join(backends) + " |")
    print("| --- |" + " ---: |" * len(backends))
    for explain in (False, True):
        for batch in args.batches:
            times = milliseconds(backends, batch, args.rounds, explain)
            cells = [f"{ms:.2f} ({times['torch eager'] / ms:.1f}x)" for ms in times.values()]
            what = f"batch {batch}" + (", with both maps" if explain else "")
            print(f"| {what} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
