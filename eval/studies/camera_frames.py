"""What is left of the accuracy when a face comes from a camera instead of the data set?

    python -m eval.studies.camera_frames --weights runs/base/public/ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --out reports/ferplus/public

The same test images are pasted into a frame, moved by up to a tenth of their side, spoilt as a
camera spoils a picture, found again by the detector, aligned and classified, by the recogniser's
own steps. A face that is not found is an error. ``as_is`` is the image as it stands in the data
set. PublicTest by default, so that nothing is chosen on PrivateTest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from eval import metrics as m
from eval.bootstrap import LEVEL, RESAMPLES, bootstrap
from eval.predict import Job, jobs, predict_labels, weights_name, weights_sha256
from eval.records import metric_records, provenance, write_report
from eval.studies.alignment import View, as_rgb, embed, find
from fer_cbam import data
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import PROTOCOLS
from fer_cbam.detect import FaceDetector, face_detector
from fer_cbam.errors import FerError, WeightsError

STUDY = "camera"
REPORT_FILE = f"{STUDY}.json"
SIZE = 96  # pixels of a pasted face's side, unless the condition says another
PHOTONS = 1000  # of a white pixel in good light: a small sensor at a short exposure
MISSED = -1  # a prediction that is no class
Spoil = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def clean(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frame as it is."""
    return frame


def motion_blur(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved along a random direction by a twelfth of the face while the shutter was open."""
    length = max(3, round(frame.shape[0] / 2 / 12)) | 1
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    centre = (length // 2, length // 2)
    turned = cv2.warpAffine(line, cv2.getRotationMatrix2D(centre, rng.uniform(0, 180), 1),
                            (length, length))  # fmt: skip
    return cv2.filter2D(frame, -1, turned / turned.sum(), borderType=cv2.BORDER_REPLICATE)


def low_light(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the light, and its photon noise: white is `PHOTONS` in good light."""
    photons = PHOTONS * frame.astype(np.float64) / 255 / 4
    return np.clip(rng.poisson(photons) * (255 / PHOTONS), 0, 255).astype(np.uint8)


def jpeg(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Written and read as JPEG of quality 30."""
    coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED))


@dataclass(frozen=True)
class Condition:
    """A way in which a camera shows faces. tilt: degrees, to either side."""

    name: str
    size: int = SIZE
    tilt: float = 0.0
    spoils: tuple[Spoil, ...] = (clean,)


CONDITIONS = (
    Condition("pasted"),
    Condition("small_48px", size=48),
    Condition("large_240px", size=240),
    Condition("tilt_15", tilt=15.0),
    Condition("motion_blur", spoils=(motion_blur,)),
    Condition("low_light", spoils=(low_light,)),
    Condition("jpeg_30", spoils=(jpeg,)),
    Condition("all_together", size=72, tilt=10.0, spoils=(motion_blur, low_light, jpeg)),
)


def shoot(
    crop: np.ndarray, condition: Condition, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The frame that a camera delivers, RGB uint8, and where the crop lies in it (see `embed`)."""
    view = View(condition.size, condition.tilt * rng.choice([-1, 1]))
    frame, truth = embed(crop, view, rng)
    for spoil in condition.spoils:
        frame = spoil(frame, rng)
    return as_rgb(frame), truth


def through_camera(
    job: Job, crops: Sequence[np.ndarray], condition: Condition, detector: FaceDetector, seed: int
) -> np.ndarray:
    """Positions of the predictions in the label names of the weights, int ``(N,)``; MISSED where
    no face was found at the crop."""
    rng = np.random.default_rng(seed)
    found, cuts = [], []
    for i, crop in enumerate(tqdm(crops, desc=condition.name, disable=None)):
        frame, truth = shoot(crop, condition, rng)
        if face := find(detector, frame, truth, condition.size):
            found.append(i)
            cuts.append(job.backend.preprocess.align(frame, face)[0])
    preds = np.full(len(crops), MISSED)
    if cuts:
        preds[found] = predict_labels(job.backend, cuts)
    return preds


def measure(dataset: Dataset, index: np.ndarray, preds: Sequence[str | None]) -> dict[str, Any]:
    """A report on predictions by name, None where a face was missed, with intervals."""
    samples = [dataset.samples[i] for i in index]
    names = dataset.label_names
    targets = np.array([names.index(sample.label) for sample in samples])
    said = np.array([names.index(p) if p in names else MISSED for p in preds])
    found = np.array([p is not None for p in preds])
    table = pd.DataFrame({
        "sample_id": [s.sample_id for s in samples],
        "subject_id": pd.Series([s.subject_id for s in samples], dtype=object),
    })  # fmt: skip

    def measured(_table: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
        counts = np.ones((len(said), 1)) if weights is None else weights
        matrix = m.confusion_matrix(targets, said, len(names), counts)
        values = [m.accuracy(matrix), m.balanced_accuracy(matrix), m.coverage(found, counts)]
        return np.concatenate([np.stack(values, axis=1), m.recall(matrix)], axis=1)

    ends = zip(measured(table, None)[0], *bootstrap(table, measured), strict=True)
    entries = [dict(zip(("value", "low", "high"), values, strict=True)) for values in ends]
    keys = ("accuracy", "balanced_accuracy", "found")
    return {
        "n": len(index),
        "interval": f"{LEVEL:g} % percentile bootstrap, {RESAMPLES} resamples, seed 0",
        "metrics": dict(zip(keys, entries, strict=False)),
        "classes": {label: {"support": int((targets == i).sum()), "recall": entries[len(keys) + i]}
                    for i, label in enumerate(names)},
    }  # fmt: skip


def run(
    job: Job, dataset: Dataset, count: int, seed: int, detector: FaceDetector
) -> dict[str, dict[str, Any]]:
    """A report for each condition, ``as_is`` first, on the same images drawn from the test side."""
    index = np.sort(np.random.default_rng(seed).permutation(job.split.test)[:count])
    crops = [dataset.samples[i].pixels for i in index]
    names = job.backend.label_names
    plain = predict_labels(job.backend, crops)
    reports = {"as_is": measure(dataset, index, [names[p] for p in plain])}
    for number, condition in enumerate(CONDITIONS):
        preds = through_camera(job, crops, condition, detector, seed + number)
        said = [None if p == MISSED else names[p] for p in preds]
        reports[condition.name] = measure(dataset, index, said)
    return reports


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.camera_frames", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="<arch.tag>, a folder, or hf-hub:id")
    add("--data", type=Path, required=True, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--protocol", default="public", choices=PROTOCOLS)
    add("--count", type=int, default=1000, help="test images, drawn at random")
    add("--seed", type=int, default=0)
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        dataset = data.load(args.data, votes=args.votes)
        pairs = jobs(args.weights, dataset, args.protocol)
        if len(pairs) != 1:
            raise WeightsError(f"{args.weights}: {len(pairs)} splits of {args.protocol}; expected "
                               "a protocol with one, public or private")  # fmt: skip
        reports = run(pairs[0], dataset, args.count, args.seed, face_detector())
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    of = {"data": dataset.name, "protocol": args.protocol,
          "weights": weights_name(pairs[0].backend), "option": "plain"}  # fmt: skip
    records = [
        record
        for name, r in reports.items()
        for record in metric_records(r["metrics"], r["classes"], condition=name, n=r["n"], **of)
    ]
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval.studies.camera_frames", arguments), records,
        weights_sha256=weights_sha256(pairs), interval=reports["as_is"]["interval"],
    )  # fmt: skip
    for name, result in reports.items():
        values = "  ".join(f"{k} {v['value']:.4f}" for k, v in result["metrics"].items())
        print(f"  {name:14} {values}")


if __name__ == "__main__":
    main()
