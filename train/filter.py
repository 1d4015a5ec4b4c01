"""Choose the numbers of the hidden-Markov filter on the clips that recurrent networks learn from.

    python -m train.filter --data fer2013.csv.zip --votes fer2013new.csv

Of a grid, those with the best mean of accuracy and balanced accuracy of frames among the ones that
find a change no later than the average does (accuracy alone is best where rare labels are never
said); then the temperature that gives what is told the smallest log loss. It changes no label. What
was chosen stands in ``fer_cbam/smoothing/named.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from eval.clips.methods import answers, smoothed
from eval.clips.readings import CACHE, Readings
from eval.clips.scores import clip_sums, measure
from fer_cbam import data
from fer_cbam.backends.open import open_backend
from fer_cbam.decide import Decision
from fer_cbam.errors import FerError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.prior import own_prior
from fer_cbam.smoothing.average import Average
from fer_cbam.smoothing.filter import Filter
from train.clips import training_clips

RATES = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
ANEW = (0.0, 0.03, 0.05, 0.1, 0.2, 0.4)
TEMPERATURES = np.linspace(0.6, 3.0, 25)


def log_loss(readings: Readings, probs: np.ndarray) -> float:
    """Mean negative log-probability (nats) of the true label of each frame that has one."""
    known = np.flatnonzero(readings.target >= 0)
    own = probs[known, readings.target[known]]
    return float(-np.log(np.maximum(own, 1e-9)).mean())


def best_temperature(readings: Readings, probs: np.ndarray) -> float:
    """By which the log-probabilities are divided for the smallest `log_loss`."""

    def loss(temperature: float) -> float:
        told = np.maximum(probs, 1e-12) ** (1 / temperature)
        return log_loss(readings, told / told.sum(1, keepdims=True))

    return float(min(TEMPERATURES, key=loss))


def choose(readings: Readings, decision: Decision, prior: np.ndarray) -> tuple[Filter, list[str]]:
    """The best filter, and a line for each that was tried."""
    probs = decision.posterior(readings.logits)
    classes = len(decision.label_names)

    def filter_of(*numbers: float) -> Filter:
        return Filter(decision.label_names, prior, *numbers)

    def measured(smoother: Average | Filter) -> tuple[float, float]:
        said = answers(decision, smoothed(readings, probs, smoother), smoother)
        values = measure(clip_sums(readings, said, classes))
        score = (values["accuracy"][0] + values["balanced_accuracy"][0]) / 2
        return float(score), float(values["detection_seconds"][0])

    _, latest = measured(Average(decision.label_names))
    tried, lines = [], []
    for rate, anew in product(RATES, ANEW):
        score, seconds = measured(filter_of(rate, anew))
        lines.append(f"rate {rate}, anew {anew}: {score:.4f}, {seconds:.3f} s")
        if seconds <= latest:
            tried.append((score, rate, anew))
    _, rate, anew = max(tried)
    softens = best_temperature(readings, smoothed(readings, probs, filter_of(rate, anew)))
    return filter_of(rate, anew, softens), lines


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.filter", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="fer2013.csv, or its zip")
    add("--votes", type=Path, required=True, help="fer2013new.csv")
    add("--weights", default=DEFAULT_WEIGHTS, help="that read the frames")
    add("--count", type=int, default=1000, help="clips")
    add("--cache", type=Path, default=CACHE, help="folder for clips that were read")
    args = parser.parse_args(argv)
    try:
        backend = open_backend(args.weights, "onnx")
        decision = Decision.of(backend.config, backend.label_names)
        faces = data.load(args.data, votes=args.votes)
        readings = training_clips(backend, faces, args.count, args.cache)
        own = own_prior(backend.config, backend.label_names)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    best, lines = choose(readings, decision, np.array(list(own.values())))
    print("\n".join(lines))
    print(f"RATE, ANEW, SOFTENS = {best.rate}, {best.anew}, {best.softens:.2f}")


if __name__ == "__main__":
    main()
