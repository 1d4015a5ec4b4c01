"""For how many frames the network that reads faces may be skipped, and what that costs.

    python -m eval.clips.skips --weights fer_cbam_base.ferplus --data fer2013.csv.zip \
        --votes fer2013new.csv --out reports/ferplus/clips/skips

Made clips of PublicTest with 23 to 32 frames a second, of which every n-th is read; what was said
then holds for those between. Scores are of all frames. A choice may be made of them, so PrivateTest
is not asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.bootstrap import LEVEL, RESAMPLES
from eval.clips.methods import answers, smoothed
from eval.clips.readings import CACHE, Readings, kept_clips
from eval.clips.run import sha256, smoothers
from eval.clips.scores import METRICS, clip_sums, intervals
from eval.clips.sets import test_clips
from eval.records import Record, provenance, record, write_report
from fer_cbam import data
from fer_cbam.backends.open import open_backend
from fer_cbam.decide import Decision
from fer_cbam.errors import FerError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.smoothing.base import Smoother

STUDY = "clip_skips"
REPORT_FILE = "skips.json"
EVERY = (1, 2, 3, 4, 6, 9, 15)
RATES = (23.0, 32.0)  # frames a second of the clips that are asked


def of_rate(readings: Readings, rates: tuple[float, float] = RATES) -> Readings:
    """The clips whose frames come at such a rate, by the median time between two."""
    kept = []
    for part in readings.clips():
        between = np.diff(readings.seconds[part])
        if len(between) and rates[0] <= 1 / max(float(np.median(between)), 1e-9) <= rates[1]:
            kept.append(readings.clip[part.start])
    return kept_clips(readings, np.array(kept))


def every_nth(readings: Readings, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are read, bool ``(M,)``, and for each row the one whose answer holds, int
    ``(M,)``: in every clip the first and each n-th after it."""
    read = np.zeros(len(readings), bool)
    for part in readings.clips():
        read[part.start : part.stop : n] = True
    rows = np.flatnonzero(read)
    return read, rows[np.cumsum(read) - 1]


def held(readings: Readings, probs: np.ndarray, smoother: Smoother, n: int) -> np.ndarray:
    """Probabilities ``(M, K)`` that stand at each frame where every n-th is read."""
    read, source = every_nth(readings, n)
    fewer = readings.rows(read)
    found = np.empty_like(probs)
    found[read] = smoothed(fewer, probs[read], smoother)
    return found[source]


def compare(readings: Readings, decision: Decision, methods: dict[str, Smoother]) -> list[Record]:
    """A record for each method, n and metric; gains are over the same method with every frame."""
    probs = decision.posterior(readings.logits)
    records = []
    for name, smoother in methods.items():
        sums = {}
        for n in EVERY:
            said = answers(decision, held(readings, probs, smoother, n), smoother)
            sums[str(n)] = clip_sums(readings, said, len(decision.label_names))
        for every, metrics in intervals(sums, str(EVERY[0])).items():
            chosen = (m for m in metrics if m in (*METRICS, "accuracy_gain"))
            records += [
                record(m, metrics[m]["value"], option=name, condition=f"every {every}",
                       n=len(readings), low=metrics[m]["low"], high=metrics[m]["high"])
                for m in chosen
            ]  # fmt: skip
    return records


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m eval.clips.skips", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", default=DEFAULT_WEIGHTS, help="that read the frames")
    add("--data", type=Path, required=True, help="fer2013.csv, or its zip")
    add("--votes", type=Path, required=True, help="fer2013new.csv")
    add("--network", help="folder of a recurrent network (default: the embedded one)")
    add("--count", type=int, help="clips, fewer than there are")
    add("--cache", type=Path, default=CACHE, help="folder for clips that were read")
    add("--out", type=Path, required=True, help=f"folder for {REPORT_FILE}")
    args = parser.parse_args(argv)
    try:
        backend = open_backend(args.weights, "onnx")
        decision = Decision.of(backend.config, backend.label_names)
        faces = data.load(args.data, votes=args.votes)
        readings = of_rate(test_clips(backend, faces, "public", args.cache, args.count))
        methods = smoothers(backend, decision, args.network)
        found = compare(readings, decision, methods)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    where = {"data": "ferplus", "protocol": "clips_public", "weights": backend.name}
    clips = record("clips", len(readings.clips()), **where)
    write_report(
        args.out / REPORT_FILE, STUDY, provenance("eval.clips.skips", argv),
        [*({**where, **one} for one in found), clips],
        weights_sha256=sha256(backend.weights_file),
        interval=f"{LEVEL:g} % percentile bootstrap, {RESAMPLES} resamples of clips, seed 0",
    )  # fmt: skip
    for one in found:
        if one["metric"] == "accuracy":
            print(f"{one['option']:14} {one['condition']:9} {one['value']:.4f}")


if __name__ == "__main__":
    main()
