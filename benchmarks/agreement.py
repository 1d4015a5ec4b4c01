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
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.hub import DEFAULT_WEIGHTS, load_model
from fer_cbam.saliency import saliency_maps


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--exported", type=Path)
    parser.add_argument("--split", default="PrivateTest")
    parser.add_argument("--limit", type=int, help="only the first faces")
    args = parser.parse_args()
    torch.set_num_threads(1)
    samples = [s for s in data.load(args.data).samples if s.split == args.split]
    crops = [s.pixels for s in samples[: args.limit]]
    reference = TorchBackend(load_model(args.weights), "cpu")
    others: dict[str, Backend] = {"onnx": OnnxBackend.load(args.exported or args.weights)}
    if args.exported:
        others["onnx-int8"] = OnnxBackend.load(args.exported, int8=True)
    print(f"{args.weights}, {len(crops)} faces of {args.split}, against torch")
    for name, backend in others.items():
        print(f"{name:10} {agreement(reference, backend, crops)}")


def agreement(reference: Backend, backend: Backend, crops: list[np.ndarray]) -> str:
    """Largest differences over all crops and classes."""
    expected, found = forward_many(reference, crops), forward_many(backend, crops)
    maps = apart(saliencies(expected.class_maps), saliencies(found.class_maps))
    both = expected.attention is not None and found.attention is not None
    gate = f"{apart(expected.attention, found.attention):.1e}" if both else "absent"
    both = expected.embedding is not None and found.embedding is not None
    embedding = f"{apart(expected.embedding, found.embedding):.1e}" if both else "absent"
    same = int((expected.logits.argmax(1) == found.logits.argmax(1)).sum())
    return (
        f"logits within {apart(expected.logits, found.logits):.1e}, embedding {embedding}, "
        f"Grad-CAM of every class {maps:.1e}, attention {gate}, "
        f"same label on {same} of {len(crops)}"
    )


def saliencies(class_maps: np.ndarray) -> np.ndarray:
    return saliency_maps(class_maps, class_maps.shape[2:])


def apart(a: np.ndarray | None, b: np.ndarray | None) -> float:
    return float(np.abs(a - b).max())


if __name__ == "__main__":
    main()
