"""What a face costs: torch, ONNX Runtime, LiteRT and int8 in one run, one thread.

    fer-cbam export --weights NAME --data fer2013.csv --out onnx/     # for int8
    fer-cbam export --weights NAME --format litert --out litert/
    python -m benchmarks.runtime [--weights NAME] [--onnx onnx/] [--litert litert/] [--rounds 50]
        [--report reports/speed/<weights>.json]

Each round times every way once, in turn, so that a machine whose speed drifts treats all alike; the
table gives medians and how many times faster than torch that is. Every way gives logits, embedding
and all maps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from benchmarks import report
from benchmarks.agreement import opened
from eval.predict import weights_name
from eval.records import record
from fer_cbam.deploy.folder import milliseconds
from fer_cbam.hub import DEFAULT_WEIGHTS, load_model


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--onnx", type=Path, help="folder of fer-cbam export, for int8")
    parser.add_argument("--litert", type=Path, help="folder of fer-cbam export --format litert")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    loaded = load_model(args.weights)
    backends = opened(args.weights, args.onnx, args.litert)
    print(f"{args.weights}, one thread, median of {args.rounds} rounds")
    print("| ms a face | " + " | ".join(backends) + " |")
    print("| --- |" + " ---: |" * len(backends))
    records = []
    for batch in args.batches:
        times = milliseconds(backends, batch, args.rounds)
        print(row(f"batch {batch}", times))
        records += [
            record("milliseconds", ms, weights=weights_name(loaded), option=way,
                   condition=f"batch {batch}", n=args.rounds)
            for way, ms in times.items()
        ]  # fmt: skip
    if args.report:
        report.write(args.report, "speed", "benchmarks.runtime", arguments, records)


def row(what: str, times: Mapping[str, float]) -> str:
    """A line of the table: milliseconds, and how many times faster than torch."""
    cells = [f"{ms:.2f} ({times['torch'] / ms:.1f}x)" for ms in times.values()]
    return f"| {what} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
