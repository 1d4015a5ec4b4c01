"""What the training of a set of weights took: images, multiply-adds, hours of a core.

    python -m eval.studies.cost --weights runs/base/public/ferplus \
        --history runs/base/public/history.csv --threads 2 --out reports/ferplus/training

A run that started from another counts both: two histories, and the threads of each. Where the
histories of those before are gone, ``--after`` takes epochs and hours from an earlier report.

Multiply-adds are those of one forward pass; a training step does about three times as many. Images
of a sharpness-aware run count one and a half times, for half of each batch is passed twice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from eval.docs.records import read_report
from eval.history import read_history
from eval.predict import training_record, weights_name
from eval.records import metric_records, provenance, write_report
from fer_cbam.errors import DataError, FerError, WeightsError
from fer_cbam.hub import load_model

STUDY = "cost"
REPORT_FILE = f"{STUDY}.json"
# Multiply-adds by which networks may differ and be one: a label in a classifier is a few hundred.
LABELS_MILLIONS = 0.01
NOTHING: Mapping[str, float] = {"epochs": 0, "images_seen": 0, "core_hours": 0.0}


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


def training_cost(
    history: pd.DataFrame, images: int, operations: int, before: Mapping[str, float] = NOTHING
) -> dict:
    """Counts for the report. history: a row for each epoch, its ``seconds``, ``threads`` and
    ``passes`` of each image. before: counts of the runs that these started from."""
    seen = round(images * float(history["passes"].sum())) + int(before["images_seen"])
    hours = float(history["seconds"] @ history["threads"]) / 3600
    return {
        "epochs": len(history) + int(before["epochs"]),
        "images_seen": seen,
        "multiply_adds_millions": operations / 1e6,
        "peta_multiply_adds": seen * operations / 1e15,
        "core_hours": hours + before["core_hours"],
    }


def read_counts(path: Path, operations: int) -> Mapping[str, float]:
    """Counts of an earlier report, of a network of as many ``operations`` but for its labels.

    Raises:
        DataError: it cannot be read, or is of another network.
    """
    try:
        counts = {record["metric"]: record["value"] for record in read_report(path)["records"]}
        found = {name: counts[name] for name in (*NOTHING, "multiply_adds_millions")}
    except KeyError as error:
        raise DataError(f"{path}: not a report of eval.studies.cost ({error!r})") from error
    if abs(found["multiply_adds_millions"] - operations / 1e6) > LABELS_MILLIONS:
        raise DataError(f"{path}: {found['multiply_adds_millions']} million multiply-adds; "
                        f"expected {operations / 1e6}, those of this network")  # fmt: skip
    return found


def read_histories(
    paths: Sequence[Path], threads: Sequence[int], recipe: Mapping[str, Any]
) -> pd.DataFrame:
    """The epochs of several runs, one below the other, each with its run's ``threads`` and
    ``passes``. recipe: of the last of them; those before are taken for ordinary ones.

    Raises:
        DataError: a file cannot be read, or threads are neither one number nor one a file.
    """
    if len(threads) not in (1, len(paths)):
        raise DataError(f"threads {list(threads)} for {len(paths)} histories; "
                        "expected one number, or one for each")  # fmt: skip
    each = threads if len(threads) == len(paths) else list(threads) * len(paths)
    runs = [read_history(path).assign(threads=n, passes=1.0)
            for path, n in zip(paths, each, strict=True)]  # fmt: skip
    if recipe.get("sam"):
        runs[-1]["passes"] = 1.5
    return pd.concat(runs, ignore_index=True)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.cost", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="weights of the run")
    add("--history", type=Path, required=True, nargs="+",
        help="history.csv of the run, and of those that it started from")  # fmt: skip
    add("--threads", type=int, required=True, nargs="+",
        help="cores that the run kept busy: one number, or one for each history")  # fmt: skip
    add("--after", type=Path, metavar="REPORT", help=f"{REPORT_FILE} of the runs before these")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    args = parser.parse_args(arguments)
    try:
        loaded = load_model(args.weights)
        record = training_record(loaded)
        images = record.get("images")
        if not isinstance(images, int):
            raise WeightsError(f"{loaded.name}: training record says images {images!r}; expected "
                               "how many were trained on in an epoch")  # fmt: skip
        history = read_histories(args.history, args.threads, record.get("recipe", {}))
        operations = multiply_adds(loaded.model, loaded.preprocess.input_size)
        before = read_counts(args.after, operations) if args.after else NOTHING
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    counts = training_cost(history, images, operations, before)
    records = metric_records(
        counts, data=record["data"], protocol="training", weights=weights_name(loaded), n=images
    )
    write_report(args.out / REPORT_FILE, STUDY, provenance("eval.studies.cost", arguments), records)
    print("  ".join(f"{name} {value:,.4g}" for name, value in counts.items()))


if __name__ == "__main__":
    main()
