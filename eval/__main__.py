"""Evaluate weights on a data set: predictions, metrics with intervals, figures.

    python -m eval --weights runs/ckplus48_paper --data ckplus48.zip --protocol paper \
        --out reports/ckplus48/paper

Writes ``predictions.parquet`` (kept out of git), ``metrics.json`` and figures. ``--weights`` is the
name of embedded weights, a folder of weights, a folder with one such folder for each split, or
``hf-hub:user/name``. ``--backend onnx-int8`` takes a folder of ``fer-cbam export --data``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eval import attention, figures, table
from eval.history import run_history
from eval.predict import (
    ENSEMBLE,
    OPTIONS,
    Job,
    jobs,
    predict,
    predict_ensemble,
    weights_sha256,
)
from eval.report import dumps, provenance, report
from fer_cbam import data
from fer_cbam.backends.base import BACKENDS
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import PROTOCOLS
from fer_cbam.errors import FerError

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"
GALLERY_SIZE = 6


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        dataset = data.load(args.data, votes=args.votes)
        pairs, *others = (
            jobs(source, dataset, args.protocol, args.backend, args.device)
            for source in (args.weights, *args.ensemble)
        )
        if others:
            predictions = predict_ensemble([pairs, *others], dataset, args.protocol, args.name)
        else:
            predictions = predict(pairs, dataset, args.protocol, args.option, args.name)
        result = report(predictions)
        args.out.mkdir(parents=True, exist_ok=True)
        table.write(predictions, args.out / PREDICTIONS_FILE)
        sums = [weights_sha256(member) for member in (pairs, *others)]
        content = {
            **provenance("eval", arguments), "backend": args.backend,
            "device": pairs[0].backend.device, "weights_sha256": sums, **result,
        }  # fmt: skip
        (args.out / METRICS_FILE).write_text(dumps(content), encoding="utf-8")
        draw(pairs, dataset, predictions, result, args.out)
        if args.gallery_with_images:
            draw_gallery(pairs, dataset, predictions, result, args.out)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    print_summary(result)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="<arch.tag>, a folder, a folder of splits, or hf-hub:id")
    add("--data", type=Path, required=True, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--protocol", required=True, choices=PROTOCOLS)
    add("--out", type=Path, required=True, help="folder for the report")
    add("--option", default="plain", choices=OPTIONS, help="views of a crop, see eval/predict.py")
    add("--ensemble", nargs="+", default=[], metavar="WEIGHTS", help="more, to be tested together")
    add("--backend", default="torch", choices=BACKENDS, help="what runs the network")
    add("--device", choices=("cpu", "cuda"), help="default: cuda where torch finds it")
    add("--name", help="name of the weights in the report (default: the architecture)")
    add("--gallery-with-images", action="store_true",
        help="also gallery_images.png, with faces of the data set: keep it private")  # fmt: skip
    args = parser.parse_args(argv)
    if args.ensemble and not (args.name and args.option == "plain"):
        parser.error("--ensemble: expected a --name for it, and the option plain")
    return args


def draw(
    pairs: Sequence[Job], dataset: Dataset, predictions: pd.DataFrame, result: dict[str, Any],
    out: Path,
) -> None:  # fmt: skip
    """Every figure that may be published."""
    title = figures.heading(result)
    figures.save(figures.confusion(result), out / "confusion.png")
    figures.save(figures.roc(predictions, result), out / "roc.png")
    figures.save(figures.precision_recall(predictions, result), out / "precision_recall.png")
    figures.save(figures.reliability(predictions, result), out / "reliability.png")
    histories = {job.split.name: run_history(job.folder) for job in pairs}
    runs = {name: table for name, table in histories.items() if table is not None}
    if runs:
        figures.save(figures.history(runs, result), out / "history.png")
    if result["option"] == ENSEMBLE:
        return  # no single network to explain
    maps = attention.mean_maps(pairs, dataset, predictions)
    if maps:
        landmarks = pairs[0].backend.preprocess.landmarks
        figures.save(figures.mean_maps(maps, landmarks, title), out / "gradcam.png")


def draw_gallery(
    pairs: Sequence[Job], dataset: Dataset, predictions: pd.DataFrame, result: dict[str, Any],
    out: Path,
) -> None:  # fmt: skip
    """``gallery_images.png``: Grad-CAM on recognised faces, one of a sequence, of all splits."""
    crops, maps = [], []
    labels: list[str] = []
    shown: set[str] = set()
    for job, index in zip(pairs, attention.recognised(pairs, predictions), strict=True):
        chosen = []
        for i in index:
            sample = dataset.samples[i]
            unit = sample.group or sample.sample_id
            if labels.count(sample.label) < GALLERY_SIZE and unit not in shown:
                shown.add(unit)
                labels.append(sample.label)
                crops.append(sample.pixels)
                chosen.append(i)
        if chosen:
            maps.append(attention.maps_of(job, dataset, np.array(chosen))[0])
    figure = figures.gallery(
        crops, np.concatenate(maps), labels, figures.heading(result), GALLERY_SIZE
    )
    figures.save(figure, out / "gallery_images.png")


def print_summary(result: dict[str, Any]) -> None:
    """The main numbers, for whoever waits at the terminal."""
    print(figures.heading(result) + f", {result['value']}")
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "ece"):
        entry = result["metrics"][name]
        spread = f", sd over splits {entry['sd']:.4f}" if "sd" in entry else ""
        print(
            f"  {name:18} {entry['value']:.4f} ({entry['low']:.4f} to {entry['high']:.4f}){spread}"
        )


if __name__ == "__main__":
    main()
