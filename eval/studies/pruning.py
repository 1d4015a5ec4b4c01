"""What pruning gives and costs, beside int8, training the small network itself, and distillation.

    python -m train.pruning_runs --out runs/pruning
    python -m eval.studies.pruning --runs runs/pruning --data fer2013.csv.zip \\
        --votes fer2013new.csv --onnx runs/pruning/onnx --report reports/findings/pruning.json
    python -m benchmarks.pruning --onnx runs/pruning/onnx --report reports/speed/pruning.json
    python -m eval.docs.pruning_figure

Every network answers FER+ PublicTest with its largest logit, on ONNX Runtime in float32 and in
int8, calibrated as ``fer-cbam export`` does it. PrivateTest is not read. A network's ``condition``
is its name, its ``option`` the runtime. ``<metric>_difference`` is to the unpruned network that was
trained on as long, seed by seed, in the same arithmetic; ``<metric>_over_scratch`` to the same
widths that started from nothing. Both have a 95 % interval by Student's t. The embedded network,
which is distilled, is one run and has no spread.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from scipy import stats

from eval.metrics import accuracy, balanced_accuracy, confusion_matrix
from eval.records import Record, provenance, record, write_report
from eval.studies.cost import multiply_adds
from fer_cbam import data, pretrained
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.data import Dataset
from fer_cbam.deploy.folder import CALIBRATION_SPLIT, JUDGING_SPLIT, images
from fer_cbam.deploy.graph import build
from fer_cbam.deploy.int8 import quantize
from fer_cbam.errors import DataError, FerError
from fer_cbam.hub import LoadedModel, load_model

STUDY = "pruning"
DATA = "ferplus"
RELEASED = "fer_cbam_tiny.ferplus"
UNPRUNED, PRUNED, SCRATCH = "unpruned", "pruned-", "scratch-"
OPTIONS = ("onnx", "onnx-int8")
#: Network and option -> metric -> its value for each seed.
Values = dict[tuple[str, str], dict[str, np.ndarray]]


def trained(runs: Path) -> dict[str, list[Path]]:
    """Network -> the folders of its weights, by seed.

    Raises:
        DataError: none, or networks with other seeds than the rest.
    """
    found = {folder.name: sorted(folder.glob("seed*/public")) for folder in sorted(runs.iterdir())
             if folder.is_dir() and any(folder.glob("seed*/public"))}  # fmt: skip
    whole = {name: [f for f in each if (f / pretrained.CONFIG_FILE).is_file()]
             for name, each in found.items()}  # fmt: skip
    seeds = {name: tuple(f.parent.name for f in each) for name, each in whole.items()}
    if UNPRUNED not in whole or len(set(seeds.values())) != 1:
        raise DataError(f"{runs}: finished runs {seeds}; expected {UNPRUNED} and others, each with "
                        "the same seeds, as python -m train.pruning_runs leaves them")  # fmt: skip
    return whole


def exported(loaded: LoadedModel, crops: Sequence[np.ndarray], folder: Path) -> list[Path]:
    """The network as ONNX in float32 and int8. crops: of training images, for the ranges of int8.

    The int8 one is written whatever it loses, unlike ``fer-cbam export``'s.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = build(loaded)
    paths = [folder / pretrained.GRAPH_FILE, folder / pretrained.INT8_FILE]
    onnx.save(graph, paths[0])
    onnx.save(quantize(graph, loaded.preprocess(list(crops))), paths[1])
    pretrained.write_config(folder, loaded.config)
    return paths


def measured(
    source: str | Path, folder: Path, calibration: Sequence[np.ndarray],
    crops: Sequence[np.ndarray], labels: Sequence[str],
) -> Iterator[tuple[str, dict[str, float]]]:  # fmt: skip
    """Option and metrics of one set of weights, exported to a folder."""
    loaded = load_model(source)
    targets = np.array([loaded.label_names.index(label) for label in labels])
    operations = multiply_adds(loaded.model, loaded.preprocess.input_size)
    for option, path in zip(OPTIONS, exported(loaded, calibration, folder), strict=True):
        backend = OnnxBackend.load(folder, int8=option == "onnx-int8", threads=1)
        said = forward_many(backend, crops).logits.argmax(1)
        matrix = confusion_matrix(targets, said, len(loaded.label_names))
        metrics = {
            "accuracy": float(accuracy(matrix)),
            "balanced_accuracy": float(balanced_accuracy(matrix)),
            "megabytes": path.stat().st_size / 1e6,
            "multiply_adds_millions": operations / 1e6,
        }
        yield option, metrics


def compared(values: Values) -> Iterator[Record]:
    """Means and spreads of all networks, and the differences that answer the question."""
    for (name, option), metrics in values.items():
        fields = {"data": DATA, "protocol": "public", "condition": name, "option": option}
        for metric, each in metrics.items():
            spread = float(each.std(ddof=1)) if len(each) > 1 else None
            yield record(metric, float(each.mean()), sd=spread, n=len(each), **fields)
        others = {"difference": UNPRUNED, "over_scratch": name.replace(PRUNED, SCRATCH)}
        for kind, other in others.items():
            if not name.startswith(PRUNED) or (other, option) not in values:
                continue
            for metric in ("accuracy", "balanced_accuracy"):
                gaps = metrics[metric] - values[other, option][metric]
                yield record(f"{metric}_{kind}", **interval(gaps), n=len(gaps), **fields)


def interval(gaps: np.ndarray) -> dict[str, float]:
    """Mean of paired differences ``(R,)`` with a 95 % interval by Student's t."""
    mean = float(gaps.mean())
    if len(gaps) < 2:
        return {"value": mean}
    half = float(stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
    return {"value": mean, "low": mean - half, "high": mean + half}


def images_seen(training: Mapping[str, Any]) -> Record:
    """Of a training record: how many images were shown, each epoch's anew."""
    epochs = sum(stage["epochs"] for stage in training["recipe"]["stages"])
    return record("images_seen", epochs * training["images"], data=DATA, protocol="training",
                  condition=UNPRUNED)  # fmt: skip


def measure(networks: Mapping[str, Sequence[str | Path]], dataset: Dataset, out: Path) -> Values:
    """All networks by name, each with its runs. out: folder for the exported ones."""
    calibration = images(dataset, CALIBRATION_SPLIT)[0]
    crops, labels = images(dataset, JUDGING_SPLIT)
    values: Values = {}
    for name, sources in networks.items():
        runs = [dict(measured(source, out / name / f"run{i}", calibration, crops, labels))
                for i, source in enumerate(sources)]  # fmt: skip
        for option in OPTIONS:
            values[name, option] = {
                metric: np.array([run[option][metric] for run in runs])
                for metric in runs[0][option]
            }
            shown = ", ".join(f"{metric} {each.mean():.4g}"
                              for metric, each in values[name, option].items())  # fmt: skip
            print(f"{name}, {option}: {shown}", flush=True)
    return values


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.pruning", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--runs", type=Path, required=True, help="folder of python -m train.pruning_runs")
    add("--data", type=Path, required=True, help="FER2013")
    add("--votes", type=Path, required=True, help="fer2013new.csv, for FER+ labels")
    add("--onnx", type=Path, required=True, help="folder for the exported networks")
    add("--report", type=Path, required=True, help="JSON to write")
    args = parser.parse_args(arguments)
    try:
        networks: dict[str, Sequence[str | Path]] = {RELEASED: [RELEASED], **trained(args.runs)}
        dataset = data.load(args.data, votes=args.votes)
        records = list(compared(measure(networks, dataset, args.onnx)))
        training = load_model(networks[UNPRUNED][0]).config["training"]
        records.append(images_seen(training))
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    write_report(args.report, STUDY, provenance("eval.studies.pruning", arguments), records,
                 recipe=training["recipe"], images=training["images"])  # fmt: skip


if __name__ == "__main__":
    main()
