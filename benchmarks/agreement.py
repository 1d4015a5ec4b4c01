"""Whether each runtime says what torch says, on every face of a FER2013 split.

    fer-cbam export --weights NAME --data fer2013.csv --votes fer2013new.csv --out onnx/
    fer-cbam export --weights NAME --format litert --out litert/
    python -m benchmarks.agreement --data fer2013.csv --votes fer2013new.csv --weights NAME \
        [--onnx onnx/] [--litert litert/] [--report reports/speed/agreement.<weights>.json]
    python -m benchmarks.agreement ... --ways litert-filled --report ...

Accuracy, on how many faces the label is torch's, how much the Grad-CAM of that label is torch's
(Pearson's correlation, median), and the largest difference of logits. PublicTest, which is there to
choose on, unless another split is named. Where LiteRT is installed, the network that it runs
without an export (``litert-filled``) is one of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import report
from eval.metrics import accuracy, balanced_accuracy, confusion_matrix
from eval.records import metric_records
from fer_cbam import data, pretrained
from fer_cbam.backends.base import Backend, Forward
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.known_litert import known_network
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.decide import Decision
from fer_cbam.hub import DEFAULT_WEIGHTS, load_model

SPLIT = "PublicTest"
FILLED = "litert-filled"  # as titles.AGREEMENT has it


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--onnx", type=Path, help="folder of fer-cbam export, for int8")
    parser.add_argument("--litert", type=Path, help="folder of fer-cbam export --format litert")
    parser.add_argument("--ways", nargs="+", help="some of them; without, all that there are")
    parser.add_argument("--split", default=SPLIT)
    parser.add_argument("--limit", type=int, help="only the first faces")
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    samples = [s for s in data.load(args.data, votes=args.votes).samples if s.split == args.split]
    samples = samples[: args.limit]
    crops = [s.pixels for s in samples]
    backends = opened(args.weights, args.onnx, args.litert) | filled(args.weights)
    names = backends["torch"].label_names
    targets = np.array([names.index(s.label) for s in samples])
    reference = forward_many(backends["torch"], crops)
    decision = Decision.of(backends["torch"].config, names)
    print(f"{args.weights}, {len(crops)} faces of {args.split}, against torch")
    records = []
    if unknown := set(args.ways or ()) - set(backends):
        parser.error(f"--ways {', '.join(sorted(unknown))}; there are {', '.join(backends)}")
    for way in args.ways or backends:
        backend = backends[way]
        found = reference if way == "torch" else forward_many(backend, crops)
        values = compared(reference, found, decision, targets)
        values["megabytes"] = size(way, backend) / 1e6
        print(f"{way:12} " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        records += metric_records(values, weights=backends["torch"].name, option=way,
                                  condition=args.split, n=len(crops))  # fmt: skip
    if args.report:
        report.write(args.report, "agreement", "benchmarks.agreement", arguments, records)


def opened(source: str, onnx: Path | None, litert: Path | None) -> dict[str, Backend]:
    """Torch first, then what there is."""
    found: dict[str, Backend] = {
        "torch": TorchBackend(load_model(source), "cpu"),
        "onnx": OnnxBackend.load(onnx or source, threads=1),
    }
    if onnx:
        found["onnx-int8"] = OnnxBackend.load(onnx, int8=True, threads=1)
    if litert:
        from fer_cbam.backends.litert import LitertBackend

        found["litert"] = LitertBackend.load(litert, threads=1)
        found["litert-fp16"] = LitertBackend.load(litert, fp16=True, threads=1)
    return found


def filled(source: str) -> dict[str, Backend]:
    """The package's own network for LiteRT with these weights in it, where LiteRT is installed."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        return {}
    from fer_cbam.backends.litert import LitertBackend

    return {FILLED: LitertBackend.load(source, threads=1)}


def size(way: str, backend: Backend) -> int:
    """Bytes of a network: of its file, or of what is made of the weights in memory."""
    if way != FILLED:
        return backend.weights_file.stat().st_size
    folder = backend.weights_file.parent
    return len(known_network(pretrained.read_config(folder), pretrained.read_tensors(folder)))


def compared(
    reference: Forward, found: Forward, decision: Decision, targets: np.ndarray
) -> dict[str, float]:
    """Shares in [0, 1], the median correlation, and a difference of logits."""
    said, expected = (
        np.array([decision.label_names.index(p.label) for p in decision.predictions(f.logits)])
        for f in (found, reference)
    )
    matrix = confusion_matrix(targets, said, len(decision.label_names))
    rows = np.arange(len(targets))
    maps = [np.maximum(f.class_maps[rows, expected], 0).reshape(len(rows), -1)
            for f in (found, reference)]  # fmt: skip
    return {
        "accuracy": float(accuracy(matrix)),
        "balanced_accuracy": float(balanced_accuracy(matrix)),
        "same_label": float((said == expected).mean()),
        "gradcam_correlation": float(np.nanmedian(correlations(*maps))),
        "logits_apart": float(np.abs(found.logits - reference.logits).max()),
    }


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's of each row of two ``(N, D)``; NaN where one is flat."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    with np.errstate(invalid="ignore"):
        return np.einsum("nd,nd->n", a, b) / length


if __name__ == "__main__":
    main()
