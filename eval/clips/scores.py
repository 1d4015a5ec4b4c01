"""How well the frames of clips are answered: accuracy, how soon a change is found, flicker,
calibration; with intervals over clips.

Frames of one clip are not independent, so whole clips are drawn again (see `eval.bootstrap`). What
is summed for a clip is summed once, and a draw weighs the sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.bootstrap import LEVEL, RESAMPLES, resample
from eval.clips.readings import Readings
from eval.metrics import ECE_BINS, confidence_bins

METRICS = ("accuracy", "balanced_accuracy", "detection_seconds", "flicker_per_minute", "ece")


@dataclass(frozen=True, eq=False)
class Answers:
    """What a method says of M frames: positions of labels, int ``(M,)``, -1 for none, and their
    probabilities ``(M,)``."""

    said: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class ClipSums:
    """Sums of each of C clips. confusion: ``(C, K, K)``, frames by true and said label. changes:
    label changes where the truth does not change, and the seconds of such frames, ``(C, 2)``. gaps,
    frames: ``(C, bins)`` and ``(C,)``, for the calibration error. found: seconds until each change
    of the truth was found, inf where it was not, ``(N,)``; change_clip: its clip's position."""

    confusion: np.ndarray
    changes: np.ndarray
    gaps: np.ndarray
    frames: np.ndarray
    found: np.ndarray
    change_clip: np.ndarray


def clip_sums(readings: Readings, answers: Answers, num_classes: int) -> ClipSums:
    """What `measure` needs of each clip. Frames without a true label (-1) count nowhere."""
    parts = readings.clips()
    confusion = np.zeros((len(parts), num_classes, num_classes))
    changes, gaps = np.zeros((len(parts), 2)), np.zeros((len(parts), ECE_BINS))
    frames = np.zeros(len(parts))
    found: list[float] = []
    change_clip: list[int] = []
    for i, part in enumerate(parts):
        target, said = readings.target[part], answers.said[part]
        seconds, confidence = readings.seconds[part], answers.confidence[part]
        true = target >= 0
        np.add.at(confusion[i], (target[true], said[true]), 1)
        right = (said == target)[true]
        np.add.at(gaps[i], confidence_bins(confidence[true]), right - confidence[true])
        frames[i] = true.sum()
        held = (target[1:] == target[:-1]) & true[1:]
        changes[i] = (held & (said[1:] != said[:-1])).sum(), np.diff(seconds)[held].sum()
        times = detection_times(seconds, target, said, readings.label_change[part])
        found += times
        change_clip += [i] * len(times)
    return ClipSums(confusion, changes, gaps, frames, np.array(found), np.array(change_clip, int))


def detection_times(
    seconds: np.ndarray, target: np.ndarray, said: np.ndarray, label_change: np.ndarray
) -> list[float]:
    """Seconds from each change of the truth to the first frame behind it that says the new label,
    before the truth changes again; inf where none does. All ``(T,)``, of one clip."""
    found = []
    for change in np.unique(label_change[~np.isnan(label_change)]):
        after = np.flatnonzero(label_change == change)
        right = after[said[after] == target[after]]
        found.append(float(seconds[right[0]] - change) if len(right) else np.inf)
    return found


def measure(sums: ClipSums, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """`METRICS` by name, ``(R,)`` each. weights: ``(C, R)``, how often each clip was drawn; ones
    by default. detection_seconds: the median over changes, inf where most are not found."""
    w = np.ones((len(sums.frames), 1)) if weights is None else weights
    matrix = np.einsum("ckl,cr->rkl", sums.confusion, w)
    hits, support = matrix.diagonal(axis1=1, axis2=2), matrix.sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = hits / support
        flicker = sums.changes[:, 0] @ w / (sums.changes[:, 1] @ w / 60)
        ece = np.abs(sums.gaps.T @ w).sum(0) / (sums.frames @ w)
        accuracy = hits.sum(1) / support.sum(1)
    return {
        "accuracy": accuracy, "balanced_accuracy": np.nanmean(recall, axis=1),
        "detection_seconds": weighted_median(sums.found, w[sums.change_clip]),
        "flicker_per_minute": flicker, "ece": ece,
    }  # fmt: skip


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The lower median of values ``(N,)`` under each column of weights ``(N, R)``; NaN of none."""
    if not len(values):
        return np.full(weights.shape[1], np.nan)
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order], axis=0)
    first = (total >= total[-1] / 2).argmax(axis=0)
    return np.where(total[-1] > 0, values[order][first], np.nan)


def intervals(
    sums: dict[str, ClipSums], reference: str, units: np.ndarray | None = None,
    n: int = RESAMPLES, seed: int = 0,
) -> dict[str, dict[str, dict[str, float]]]:  # fmt: skip
    """Method -> metric -> ``value``, ``low``, ``high`` (95 %), over the same drawn clips for all;
    ``<metric>_gain`` is over the method named as reference, pair by pair. units: for each clip what
    is drawn as a whole, int ``(C,)``, such as its person; by default each clip on its own."""
    clips = len(sums[reference].frames)
    units = np.arange(clips) if units is None else np.unique(units, return_inverse=True)[1]
    weights = resample(units, n, np.random.default_rng(seed))
    drawn = {name: measure(of, weights) for name, of in sums.items()}
    values = {name: measure(of) for name, of in sums.items()}
    tail = (100 - LEVEL) / 2
    report: dict[str, dict[str, dict[str, float]]] = {}
    for name in sums:
        entries = {metric: (values[name][metric][0], drawn[name][metric]) for metric in METRICS}
        if name != reference:
            for metric in METRICS:
                with np.errstate(invalid="ignore"):
                    gain = values[name][metric][0] - values[reference][metric][0]
                    entries[f"{metric}_gain"] = (
                        gain, drawn[name][metric] - drawn[reference][metric]
                    )  # fmt: skip
        report[name] = {}
        for metric, (value, draws) in entries.items():
            known = draws[np.isfinite(draws)]
            low, high = np.percentile(known, [tail, 100 - tail]) if len(known) else (np.nan,) * 2
            report[name][metric] = {"value": float(value), "low": float(low), "high": float(high)}
    return report
