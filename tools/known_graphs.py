"""Make the ONNX graphs that ``fer_cbam/backends/known_graphs.py`` reads. Needs torch and onnx.

    python -m tools.known_graphs fer_cbam/backends/graphs

To be run again when an architecture changes; a test compares what torch and the graphs say.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import timm

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam.backends.known_graphs import MOST_CLASSES, PLAIN
from fer_cbam.deploy.graph import build, without_weights
from fer_cbam.hub import LoadedModel
from fer_cbam.preprocess import Preprocess

PLAIN_GATE = {"attention": ("", "", "cbam", "cbam")}
GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "fer_cbam_paper": ("fer_cbam_paper", {}),
    "fer_cbam_base": ("fer_cbam_base", {}),
    f"fer_cbam_base{PLAIN}": ("fer_cbam_base", PLAIN_GATE),
    "fer_cbam_tiny": ("fer_cbam_tiny", {}),
    f"fer_cbam_tiny{PLAIN}": ("fer_cbam_tiny", PLAIN_GATE),
}


def graph_of(name: str) -> bytes:
    """The content of the file of this name."""
    architecture, options = GRAPHS[name]
    model = timm.create_model(architecture, num_classes=MOST_CLASSES, **options)
    model.eval().requires_grad_(False)
    config = {"architecture": architecture, "pretrained_cfg": dict(model.pretrained_cfg)}
    labels = tuple(map(str, range(MOST_CLASSES)))
    loaded = LoadedModel(model, Preprocess(), labels, name, Path(), config)
    content: bytes = without_weights(build(loaded), model.state_dict()).SerializeToString()
    return content


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(argv).folder
    for name in GRAPHS:
        (folder / f"{name}.onnx").write_bytes(graph_of(name))


if __name__ == "__main__":
    main()
