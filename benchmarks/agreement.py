"""Whether ONNX Runtime says what torch says, on every face of a FER2013 split.

    python -m benchmarks.agreement --data fer2013.csv [--weights NAME] [--exported exported/]

Largest difference of logits and of both maps, and on how many faces the top labels are the same.
Nothing is compared with the truth, so PrivateTest may be looked at. --exported: a folder of
``fer-cbam export``, for int8 as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from fer_cbam import data
from fer_cbam.backends.base import Backend
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.hub import DEFAULT_WEIGHTS, load_model

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--exported", type=Path)
    parser.add_argument("--split", default="PrivateTest")
    parser.add_argument("--limit", type=int, help="only the first faces")
    args = parser.parse_args()
    torch.set_num_threads(1)
    samples = [s for s in data.load(args.data).samples if s.split == args.split]
    crops = [s.pixels for s in samples[: args.limit]]
    reference = TorchBackend(load_model(args.weights))
    others: dict[str, Backend] = {"onnx": OnnxBackend.load(args.exported or args.weights)}
    if args.exported:
        others["onnx-int8"] = OnnxBackend.load(args.exported, int8=True)
    print(f"{args.weights}, {len(crops)} faces of {args.split}, against torch")
    for name, backend in others.items():
        print(f"{name:10} {agreement(reference, backend, crops)}")


def agreement(reference: Backend, backend: Backend, crops: list[np.ndarray]) -> str:
    """Both explain the class that the reference predicts."""
    logits, cams, gates, same = 0.0, 0.0, 0.0, 0
    for start in range(0, len(crops), BATCH):
        x = reference.preprocess(crops[start : start + BATCH])
        expected = reference.explain(x)
        best = expected.logits.argmax(1)
        found = backend.explain(x, best)
        logits = max(logits, float(np.abs(found.logits - expected.logits).max()))
        cams = max(cams, float(np.abs(found.gradcam - expected.gradcam).max()))
        if expected.attention is not None and found.attention is not None:
            gates = max(gates, float(np.abs(found.attention - expected.attention).max()))
        same += int((found.logits.argmax(1) == best).sum())
    return (
        f"logits within {logits:.1e}, Grad-CAM within {cams:.1e}, attention within {gates:.1e}, "
        f"same label on {same} of {len(crops)}"
    )


if __name__ == "__main__":
    main()
