"""The folder that an export writes, and what is measured of the networks in it."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam import pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.data.base import Dataset
from fer_cbam.decide import Decision
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.hub import LoadedModel

CALIBRATION_SPLIT, JUDGING_SPLIT = "Training", "PublicTest"
CALIBRATION_IMAGES = 512
MAX_LOSS = 0.005  # of accuracy, for which int8 is still offered
LICENSE_FILE = "LICENSE.md"

LICENSE = """\
# Licence

These are the weights `{name}` (architecture `{architecture}`, trained on {data}), exported to
{format}. Licence of the weights: {license}. Weights trained on FER2013, FER+ or CK+ are for
research and not for commercial use; CK+ is under an agreement of its own.

The code of the network is FER-CBAM's, Apache License 2.0:
<https://www.apache.org/licenses/LICENSE-2.0>.
"""


@dataclass(frozen=True)
class Variant:
    """One way to run the weights. size: bytes. milliseconds: for one face on one thread, median.
    accuracy: on ``PublicTest``, None without data. agreement: the share of ``PublicTest`` that gets
    the label which torch gives it, None without data."""

    name: str
    size: int
    milliseconds: float
    accuracy: float | None
    agreement: float | None


@dataclass(frozen=True)
class Exported:
    """The folder written, and what was measured of it. dropped: names of the variants that lost too
    much to stay in it."""

    folder: Path
    variants: tuple[Variant, ...]
    dropped: tuple[str, ...] = ()


def check_new(folder: Path) -> None:
    """Refuse to write into a folder of weights.

    Raises:
        WeightsError: it is one.
    """
    if (folder / pretrained.WEIGHTS_FILE).exists():
        raise WeightsError(
            f"{folder}: holds {pretrained.WEIGHTS_FILE}, which belongs to another network; "
            "expected a new folder, or one of an earlier export"
        )


def images(dataset: Dataset | None, split: str) -> tuple[list[np.ndarray], list[str]]:
    """Pixels and labels of a split, empty without data; of ``Training`` a sample that is the same
    every time.

    Raises:
        DataError: the data set has no such split.
    """
    if dataset is None:
        return [], []
    samples = [s for s in dataset.samples if s.split == split]
    if not samples:
        raise DataError(
            f"{dataset.name}: no images of {split}; expected FER2013 or FER+, whose "
            f"{CALIBRATION_SPLIT} calibrates int8 and whose {JUDGING_SPLIT} judges it"
        )
    if split == CALIBRATION_SPLIT and len(samples) > CALIBRATION_IMAGES:
        chosen = np.random.default_rng(0).choice(len(samples), CALIBRATION_IMAGES, replace=False)
        samples = [samples[i] for i in sorted(chosen)]
    return [s.pixels for s in samples], [s.label for s in samples]


def compare(
    backends: Mapping[str, Backend], files: Mapping[str, Path], crops: Sequence[np.ndarray],
    labels: Sequence[str],
) -> tuple[Variant, ...]:  # fmt: skip
    """Measure each backend; the first is the one that the others should agree with.

    files: name -> what is to be shipped. crops, labels: of ``PublicTest``, or empty.
    """
    times = milliseconds(backends)
    answers = {name: _answers(backend, crops) for name, backend in backends.items()}
    first = next(iter(answers.values()))
    return tuple(
        Variant(
            name, files[name].stat().st_size, times[name],
            float(np.mean(said == np.array(labels))) if len(crops) else None,
            float(np.mean(said == first)) if len(crops) else None,
        )
        for name, said in answers.items()
    )  # fmt: skip


def _answers(backend: Backend, crops: Sequence[np.ndarray]) -> np.ndarray:
    decision = Decision.of(backend.config, backend.label_names)
    return np.array([p.label for p in decision.predictions(forward_many(backend, crops).logits)])


def milliseconds(
    backends: Mapping[str, Backend], batch: int = 1, rounds: int = 50
) -> dict[str, float]:
    """Name -> median milliseconds a face, maps included; the backends take turns, so that a machine
    whose speed drifts treats all alike. Torch uses as many threads as it was told to."""
    size = next(iter(backends.values())).preprocess.input_size
    x = np.random.default_rng(0).random((batch, *size), np.float32)
    taken: dict[str, list[float]] = {name: [] for name in backends}
    for turn in range(rounds + 3):
        for name, backend in backends.items():
            started = time.perf_counter()
            backend.forward(x)
            if turn >= 3:  # the first warm up
                taken[name].append(time.perf_counter() - started)
    return {name: 1e3 * statistics.median(values) / batch for name, values in taken.items()}


def licence(loaded: LoadedModel, form: str) -> str:
    """What may be done with exported weights. form: what they were exported to."""
    config = loaded.config
    return LICENSE.format(
        name=loaded.name,
        architecture=config["architecture"],
        data=config.get("training", {}).get("data", "unnamed data"),
        license=config["pretrained_cfg"].get("license", "not stated"),
        format=form,
    )


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """The config.json of an exported folder."""
    write(folder / pretrained.CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())


def write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
