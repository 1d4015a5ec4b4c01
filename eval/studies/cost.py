"""What the training of a set of weights took: images, multiply-adds, hours of a core.

    python -m eval.studies.cost --weights runs/base/public/ferplus \
        --history runs/base/public/teacher/history.csv runs/base/public/student/history.csv \
        --threads 2 --out reports/ferplus/training/fer_cbam_base.ferplus

A recipe of several stages counts all of them: a history, and the threads, of each. Multiply-adds
are those of one forward pass; a training step does about three times as many.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from eval.history import read_history
from eval.predict import training_record, weights_name
from eval.records import metric_records, provenance, write_report
from fer_cbam.errors import DataError, FerError, WeightsError
from fer_cbam.hub import load_model

STUDY = "cost"
REPORT_FILE = f"{STUDY}.json"


def multiply_adds(model: nn.Module, input_size: Sequence[int]) -> int:
    """Of the convolutions and linear layers in one forward pass of one image ``(C, H, W)``."""
    total = 0

    def count(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        total += output[0].numel() * weight[0].numel()

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_size))
    finally:
        for hook in hooks:
            hook.remove()
    return total


def training_cost(history: pd.DataFrame, images: int, operations: int) -> dict[str, float]:
    """Counts for the report. history: a row for each epoch, its ``seconds`` and ``threads``."""
    seen = images * len(history)
    return {
        "epochs": len(history),
        "images_seen": seen,
        "multiply_adds_millions": operations / 1e6,
        "peta_multiply_adds": seen * operations / 1e15,
        "core_hours": float(history["seconds"] @ history["threads"]) / 3600,
    }


def read_histories(paths: Sequence[Path], threads: Sequence[int]) -> pd.DataFrame:
    """The epochs of several stages, one below the other, each with its stage's ``threads``.

    Raises:
        DataError: a file cannot be read, or threads are neither one number nor one a file.
    """
    if len(threads) not in (1, len(paths)):
        raise DataError(f"threads {list(threads)} for {len(paths)} histories; "
                        "expected one number, or one for each")  # fmt: skip
    each = threads if len(threads) == len(paths) else list(threads) * len(paths)
    runs = [read_history(path).assign(threads=n) for path, n in zip(paths, each, strict=True)]
    return pd.concat(runs, ignore_index=True)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.cost", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="weights of the run")
    add("--history", type=Path, required=True, nargs="+",
        help="history.csv of every stage")  # fmt: skip
    add("--threads", type=int, required=True, nargs="+",
        help="cores that the run kept busy: one number, or one for each history")  # fmt: skip
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    args = parser.parse_args(arguments)
    try:
        loaded = load_model(args.weights)
        record = training_record(loaded)
        images = record.get("images")
        if not isinstance(images, int):
            raise WeightsError(f"{loaded.name}: training record says images {images!r}; expected "
                               "how many were trained on in an epoch")  # fmt: skip
        history = read_histories(args.history, args.threads)
        operations = multiply_adds(loaded.model, loaded.preprocess.input_size)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    counts = training_cost(history, images, operations)
    records = metric_records(
        counts, data=record["data"], protocol="training", weights=weights_name(loaded), n=images
    )
    write_report(args.out / REPORT_FILE, STUDY, provenance("eval.studies.cost", arguments), records)
    print("  ".join(f"{name} {value:,.4g}" for name, value in counts.items()))


if __name__ == "__main__":
    main()
