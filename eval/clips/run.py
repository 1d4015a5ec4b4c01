"""Answers over time: frame accuracy, time to find a change, flicker and calibration on clips.

    python -m eval --protocol clips --weights fer_cbam_base.ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --side private --out reports/ferplus/clips

Clips are made from the stills of PublicTest (``--side public``, to choose on) or PrivateTest, see
`eval.clips.scene`. With ``--data`` a folder of the full CK+, of clips by class, or a CSV of
segments (`fer_cbam.data.sequences`), recorded sequences are read instead. Compared are single
frames, the exponential average, the hidden-Markov filter and the recurrent network, which all see
the same frames and say a label by the same rule. Made clips take minutes to read, and are kept in
``runs/cache``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.bootstrap import LEVEL, RESAMPLES
from eval.clips.methods import SINGLE, answers, single, smoothed
from eval.clips.readings import CACHE, Readings
from eval.clips.recorded import read_recorded
from eval.clips.scores import METRICS, clip_sums, intervals
from eval.clips.sets import TEST_CLIPS, test_clips
from eval.records import provenance, record, write_report
from fer_cbam import data
from fer_cbam.backends.base import BACKENDS, Backend
from fer_cbam.backends.open import open_backend
from fer_cbam.data import sequences
from fer_cbam.decide import Decision
from fer_cbam.detect import face_detector
from fer_cbam.errors import FerError, WeightsError
from fer_cbam.hub import DEFAULT_WEIGHTS, resolve
from fer_cbam.smoothing import SMOOTHERS
from fer_cbam.smoothing.base import Smoother
from fer_cbam.smoothing.named import open_smoother
from fer_cbam.smoothing.recurrent import Recurrent

STUDY = "clips"
PROTOCOL = "clips"
REPORT_FILE = "clips.json"


def smoothers(backend: Backend, decision: Decision, network: str | None) -> dict[str, Smoother]:
    """All that there are for these weights, by name. network: a folder in place of the embedded
    recurrent network."""
    found: dict[str, Smoother] = {SINGLE: single(decision)}
    for name in reversed(SMOOTHERS[:-1]):
        if name == "network" and network is not None:
            found[name] = Recurrent.load(resolve(network))
            continue
        try:
            found[name] = open_smoother(backend.config, backend.weights_file, decision, name=name)
        except WeightsError:
            continue  # this one is not for these weights
    return found


def compare(
    readings: Readings, decision: Decision, methods: dict[str, Smoother]
) -> dict[str, dict[str, dict[str, float]]]:
    """Method -> metric -> value with its interval; gains are over the filter, or over single
    frames where there is none. Of the network ``accuracy_gain_over_best`` too, over the method that
    is right most often without one."""
    probs = decision.posterior(readings.logits)
    classes = len(decision.label_names)
    sums = {}
    for name, smoother in methods.items():
        said = answers(decision, smoothed(readings, probs, smoother), smoother)
        sums[name] = clip_sums(readings, said, classes)
    found = intervals(sums, "filter" if "filter" in sums else SINGLE)
    if "network" in sums:
        best = max((name for name in sums if name != "network"),
                   key=lambda name: found[name]["accuracy"]["value"])  # fmt: skip
        over_best = intervals({name: sums[name] for name in (best, "network")}, best)["network"]
        found["network"]["accuracy_gain_over_best"] = over_best["accuracy_gain"]
    return found


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    args = parse_arguments(argv)
    try:
        backend = open_backend(args.weights, args.backend)
        decision = Decision.of(backend.config, backend.label_names)
        if sequences.recognises(args.data):
            recorded = sequences.read_sequences(args.data)
            readings = read_recorded(backend, face_detector(args.backend), recorded)
            name = args.data_name or "sequences"
        else:
            faces = data.load(args.data, votes=args.votes)
            readings = test_clips(backend, faces, args.side, args.cache, args.count)
            name = faces.name
        methods = smoothers(backend, decision, args.network)
        result = compare(readings, decision, methods)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    side = name if name != "ferplus" else args.side
    where: dict[str, Any] = {"data": name, "protocol": f"{PROTOCOL}_{side}",
                             "weights": backend.name}  # fmt: skip
    records = [
        record(metric, entry.pop("value"), option=method, n=len(readings), **where, **entry)
        for method, metrics in result.items()
        for metric, entry in ((m, dict(e)) for m, e in metrics.items())
    ]
    of_clips = {"clips": len(readings.clips()), "frames_delivered": readings.delivered,
                "frames_found": len(readings), "changes": count_changes(readings)}  # fmt: skip
    records += [record(metric, value, **where) for metric, value in of_clips.items()]
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval", argv), records,
        backend=args.backend, weights_sha256=sha256(backend.weights_file),
        interval=f"{LEVEL:g} % percentile bootstrap, {RESAMPLES} resamples of clips, seed 0",
    )  # fmt: skip
    print(f"{backend.name}, {where['protocol']}: {of_clips}")
    for method, metrics in result.items():
        print(f"  {method:14}" + "  ".join(
            f"{m} {metrics[m]['value']:.4f} ({metrics[m]['low']:.4f} to {metrics[m]['high']:.4f})"
            for m in METRICS
        ))  # fmt: skip


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def count_changes(readings: Readings) -> int:
    """Changes of the true label in all clips."""
    pairs = np.stack([readings.clip, readings.label_change], 1)
    return len(np.unique(pairs[~np.isnan(readings.label_change)], axis=0))


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval --protocol clips", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--protocol", required=True, choices=[PROTOCOL])
    add("--weights", default=DEFAULT_WEIGHTS, help="that read the frames")
    add("--data", type=Path, required=True, help="FER2013, or recorded sequences")
    add("--votes", type=Path, help="fer2013new.csv, for FER2013")
    add("--data-name", help="of recorded sequences, in the report")
    add("--side", default="public", choices=TEST_CLIPS, help="faces that clips are made of")
    add("--count", type=int, help="clips, fewer than there are")
    add("--network", help="folder of a recurrent network (default: the embedded one)")
    add("--backend", default="onnx", choices=BACKENDS)
    add("--cache", type=Path, default=CACHE, help="folder for clips that were read")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    return parser.parse_args(argv)
