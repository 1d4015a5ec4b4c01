"""One more check: the three frames of each sequence of CK+48, of people nobody has learnt.

    python -m eval.clips.ckplus48 --weights fer_cbam_base.ferplus --data ckplus48.zip \
        --out reports/ckplus48/clips

The frames show the end of a posed expression, a thirtieth of a second apart, and hardly differ. So
this tells whether answers over time do harm there, and little more. Each crop is shown in a larger
picture, found, and aligned as the recogniser does it. Intervals are over people.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.bootstrap import LEVEL, RESAMPLES
from eval.clips.camera import FACE_SIDE
from eval.clips.methods import SINGLE, answers, smoothed
from eval.clips.readings import Readings
from eval.clips.run import sha256, smoothers
from eval.clips.scores import clip_sums, intervals
from eval.records import provenance, record, write_report
from eval.studies.alignment import View, as_rgb, embed, find
from fer_cbam import data
from fer_cbam.backends.base import Backend
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.open import open_backend
from fer_cbam.data import Dataset
from fer_cbam.data.sequences import FRAME_RATE
from fer_cbam.decide import Decision
from fer_cbam.detect import FaceDetector, face_detector
from fer_cbam.errors import DataError, FerError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.smoothing.cues import cues

STUDY = "clips"
REPORT_FILE = "clips.json"
CHOSEN = ("accuracy", "balanced_accuracy", "flicker_per_minute", "ece")


def read_frames(
    backend: Backend, detector: FaceDetector, dataset: Dataset
) -> tuple[Readings, np.ndarray]:
    """What is seen of the frames whose face is found, a clip for each sequence; and for each clip
    the number of its person, int ``(C,)``.

    dataset: CK+48, its labels in the order of the weights'.

    Raises:
        DataError: no face is found.
    """
    groups = sorted({str(s.group) for s in dataset.samples})
    people = sorted({str(s.subject_id) for s in dataset.samples})
    targets = dataset.targets()
    rows: list[tuple[int, float, int, int]] = []  # clip, seconds, label, person
    crops, seen = [], []
    shown = sorted(range(len(dataset)), key=lambda i: dataset.samples[i].sample_id)
    first: dict[str, int] = {}
    for i in shown:
        sample = dataset.samples[i]
        number = int(sample.sample_id.rpartition("_")[2])
        start = first.setdefault(str(sample.group), number)
        picture, truth = embed(sample.pixels, View(FACE_SIDE, 0.0), np.random.default_rng(i))
        face = find(detector, picture, truth, FACE_SIDE)
        if face is None:
            continue
        crops.append(backend.preprocess.align(as_rgb(picture), face)[0])
        seen.append(cues(face, crops[-1]))
        rows.append((groups.index(str(sample.group)), (number - start) / FRAME_RATE,
                     int(targets[i]), people.index(str(sample.subject_id))))  # fmt: skip
    if not crops:
        raise DataError(f"{dataset.name}: no face in any of {len(dataset)} crops; expected some")
    forward = forward_many(backend, crops)
    assert forward.embedding is not None  # the embedded weights have one
    clip, seconds, target, person = (np.array(column) for column in zip(*rows, strict=True))
    readings = Readings(
        clip, seconds, forward.embedding, forward.logits, np.stack(seen), target,
        np.eye(len(backend.label_names), dtype=np.float32)[target],
        np.full(len(rows), np.nan), len(dataset),
    )  # fmt: skip
    return readings, person[[part.start for part in readings.clips()]]


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m eval.clips.ckplus48", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", default=DEFAULT_WEIGHTS, help="that read the frames")
    add("--data", type=Path, required=True, help="CK+48")
    add("--network", help="folder of a recurrent network (default: the embedded one)")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    args = parser.parse_args(argv)
    try:
        backend = open_backend(args.weights, "onnx")
        decision = Decision.of(backend.config, backend.label_names)
        dataset = data.load(args.data)
        if dataset.name != "ckplus48":
            raise DataError(f"data {dataset.name!r}; expected CK+48")
        readings, people = read_frames(
            backend, face_detector("onnx"), dataset.with_labels(backend.label_names)
        )
        methods = smoothers(backend, decision, args.network)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    probs = decision.posterior(readings.logits)
    sums = {
        name: clip_sums(readings, answers(decision, smoothed(readings, probs, smoother), smoother),
                        len(decision.label_names))
        for name, smoother in methods.items()
    }  # fmt: skip
    result = intervals(sums, SINGLE, people)
    where = {"data": "ckplus48", "protocol": "clips_ckplus48", "weights": backend.name}
    records = [
        record(metric, entry["value"], option=method, n=len(readings), low=entry["low"],
               high=entry["high"], **where)
        for method, metrics in result.items() for metric, entry in metrics.items()
        if metric.removesuffix("_gain") in CHOSEN
    ]  # fmt: skip
    counts = {"clips": len(people), "frames_delivered": readings.delivered,
              "frames_found": len(readings), "people": len(np.unique(people))}  # fmt: skip
    records += [record(metric, value, **where) for metric, value in counts.items()]
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval.clips.ckplus48", argv), records,
        weights_sha256=sha256(backend.weights_file),
        interval=f"{LEVEL:g} % percentile bootstrap, {RESAMPLES} resamples of people, seed 0",
    )  # fmt: skip
    print(f"{backend.name}: {counts}")
    for method, metrics in result.items():
        print(f"  {method:14}" + "  ".join(f"{m} {metrics[m]['value']:.4f}" for m in CHOSEN))


if __name__ == "__main__":
    main()
