"""Classification metrics as pure functions of arrays.

K classes, numbered 0..K-1, are those of the data set. Columns of ``probs`` beyond K are emotions
that the model knows and the data set does not: they compete for the prediction, and a prediction
among them is an error.

Most functions take ``weights``, float ``(N, R)``: how often each of N samples counts in each of R
resamples (see :mod:`eval.bootstrap`). They then give R values in one pass; without weights every
sample counts once and the result has no R axis.

What has no definition is NaN: the recall, precision, F1, AUC and AP of a class that no sample
belongs to (and the AUC of one to which all do). Means over classes go over those that are defined,
so a class that is absent from the targets does not enter them. A class that is present and never
predicted has precision 0, as in scikit-learn.
"""

from __future__ import annotations

import numpy as np

from fer_cbam.errors import DataError

ECE_BINS = 15


def confusion_matrix(
    targets: np.ndarray, preds: np.ndarray, num_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Counts ``(K, K + 1)``, or ``(R, K, K + 1)`` with weights: rows targets, columns predictions.

    targets: int ``(N,)`` in 0..K-1. preds: int ``(N,)``; whatever is not in 0..K-1 falls into the
    last column.

    Raises:
        DataError: a target outside 0..K-1, or no samples.
    """
    targets, preds = np.asarray(targets), np.asarray(preds)
    if not len(targets) or targets.min() < 0 or targets.max() >= num_classes:
        raise DataError(
            f"targets: {len(targets)} values; expected at least one, all in 0..{num_classes - 1}"
        )
    columns = np.where((preds >= 0) & (preds < num_classes), preds, num_classes)
    cells = targets * (num_classes + 1) + columns
    size = num_classes * (num_classes + 1)
    if weights is None:
        return np.bincount(cells, minlength=size).reshape(num_classes, num_classes + 1)
    counts = (np.arange(size)[:, None] == cells).astype(weights.dtype) @ weights
    return counts.T.reshape(-1, num_classes, num_classes + 1)


# From a confusion matrix (..., K, K + 1): all of these keep the leading axes.


def support(matrix: np.ndarray) -> np.ndarray:
    """Samples of each class, ``(..., K)``."""
    return matrix.sum(axis=-1)


def _correct(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _predicted(matrix: np.ndarray) -> np.ndarray:
    return matrix[..., :-1].sum(axis=-2)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    whole = np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole != 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is no NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Share of each class that is recognised, ``(..., K)``."""
    return _ratio(_correct(matrix), support(matrix))


def precision(matrix: np.ndarray) -> np.ndarray:
    """Share of each class's predictions that are right, ``(..., K)``; 0 if never predicted."""
    value = np.nan_to_num(_ratio(_correct(matrix), _predicted(matrix)))
    return np.where(support(matrix) > 0, value, np.nan)


def f1(matrix: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall, ``(..., K)``."""
    value = _ratio(2 * _correct(matrix), support(matrix) + _predicted(matrix))
    return np.where(support(matrix) > 0, value, np.nan)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of all samples that are recognised, ``(...,)``."""
    return _ratio(_correct(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that occur, ``(...,)``."""
    return _mean(recall(matrix))


def macro(per_class: np.ndarray) -> np.ndarray:
    """Plain mean of a per-class metric ``(..., K)`` over the classes that occur."""
    return _mean(per_class)


def weighted(per_class: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Mean of a per-class metric ``(..., K)``, each class weighted by its support."""
    return _ratio((np.nan_to_num(per_class) * support(matrix)).sum(-1), support(matrix).sum(-1))


# From scores: how well one class is ranked above the rest.


def _ranked(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives ``(T, R)`` at each of T different scores, from the highest down.

    Samples with equal scores fall together: there is no threshold between them.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    w = np.ones((len(scores), 1)) if weights is None else weights[order]
    is_positive = positive[order]
    true = np.cumsum(w * is_positive[:, None], axis=0)[ends]
    false = np.cumsum(w * ~is_positive[:, None], axis=0)[ends]
    return true, false


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate at each threshold, from (0, 0) to (1, 1).

    scores: float ``(N,)``, higher for the class. positive: bool ``(N,)``.
    """
    true, false = (np.append(0.0, counts[:, 0]) for counts in _ranked(scores, positive, None))
    return _ratio(false, np.full_like(false, false[-1])), _ratio(true, np.full_like(true, true[-1]))


def precision_recall_curve(
    scores: np.ndarray, positive: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at each threshold, from the highest score down; see `roc_curve`."""
    true, false = (counts[:, 0] for counts in _ranked(scores, positive, None))
    return true / (true + false), _ratio(true, np.full_like(true, true[-1]))


def auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve, ``(R,)`` or a scalar; equal scores count one half."""
    true, false = _ranked(scores, positive, weights)
    steps = np.diff(false, axis=0, prepend=0)
    before = true - np.diff(true, axis=0, prepend=0)
    area = np.einsum("tr,tr->r", steps, (true + before) / 2)
    value = _ratio(area, true[-1] * false[-1])
    return value[0] if weights is None else value


def average_precision(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Sum of precision times gain in recall over the thresholds, ``(R,)`` or a scalar.

    No interpolation, as scikit-learn's ``average_precision_score``.
    """
    true, false = _ranked(scores, positive, weights)
    steps = np.diff(true, axis=0, prepend=0)
    found = true + false
    area = np.einsum("tr,tr->r", steps, np.divide(true, found, out=found, where=found != 0))
    value = _ratio(area, true[-1])
    return value[0] if weights is None else value


def one_vs_rest(
    metric, targets: np.ndarray, probs: np.ndarray, num_classes: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """`auc` or `average_precision` of each class against all others, ``(..., K)``."""
    values = [metric(probs[:, c], targets == c, weights) for c in range(num_classes)]
    return np.stack(values, axis=-1)


# From probabilities: float (N, L), L >= K, rows summing to 1.


def _sample_mean(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return values.mean() if weights is None else _ratio(values @ weights, weights.sum(axis=0))


def log_loss(
    targets: np.ndarray, probs: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Mean negative log-probability (nats) of the target.

    As in scikit-learn, probabilities are kept at least one float64 epsilon (2.2e-16) away from 0
    and 1: a target that the model does not know costs 36 nats.
    """
    eps = np.finfo(np.float64).eps
    own = probs[np.arange(len(targets)), targets]
    return _sample_mean(-np.log(np.clip(own, eps, 1 - eps)), weights)


def brier(targets: np.ndarray, probs: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean squared distance between probabilities and target, summed over classes: in [0, 2].

    Brier 1950, https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    """
    onehot = np.arange(probs.shape[1]) == np.asarray(targets)[:, None]
    return _sample_mean(((probs - onehot) ** 2).sum(axis=1), weights)


def reliability_bins(
    confidence: np.ndarray, correct: np.ndarray, bins: int = ECE_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, mean confidence and accuracy in each bin of `ece`, ``(bins,)``; NaN if empty."""
    index = confidence_bins(confidence, bins)
    count = np.bincount(index, minlength=bins)
    mean, hits = (
        _ratio(np.bincount(index, values, minlength=bins), count)
        for values in (confidence, correct.astype(np.float64))
    )
    return count, mean, hits


def confidence_bins(confidence: np.ndarray, bins: int = ECE_BINS) -> np.ndarray:
    """The bin ``((b - 1) / bins, b / bins]`` of each confidence, int ``(N,)`` in 0..bins-1."""
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def adaptive_ece(confidence: np.ndarray, correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """`ece` in bins of equally many samples (Nixon et al. 2019, https://arxiv.org/abs/1904.01685)."""
    order = np.argsort(confidence, kind="stable")
    gaps = (correct.astype(np.float64) - confidence)[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gaps, bins)) / len(gaps))


def perfect_ece(
    confidence: np.ndarray, draws: int = 1000, seed: int = 0, bins: int = ECE_BINS
) -> tuple[float, float]:
    """What `ece` shows of a perfectly calibrated network with these confidences: mean, and the
    value that 95 % of draws stay below.

    Chance alone makes a gap in every bin, so an ECE means nothing without it (Kumar et al. 2019,
    https://arxiv.org/abs/1909.10155; Roelofs et al. 2022, https://arxiv.org/abs/2012.08668).
    """
    rng = np.random.default_rng(seed)
    shown = [float(ece(confidence, rng.random(len(confidence)) < confidence, bins=bins))
             for _ in range(draws)]  # fmt: skip
    return float(np.mean(shown)), float(np.quantile(shown, 0.95))


def said_gaps(
    preds: np.ndarray, confidence: np.ndarray, correct: np.ndarray, num_labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each label that is said: mean confidence less the share that is right, NaN where it is
    never said; and how often it is said. Both ``(num_labels,)``."""
    n = np.bincount(preds, minlength=num_labels)
    gap = np.bincount(preds, confidence - correct, minlength=num_labels)
    return _ratio(gap, n), n


def said_gap(
    preds: np.ndarray, confidence: np.ndarray, correct: np.ndarray, num_labels: int
) -> float:
    """Mean size of `said_gaps`, each label weighted by how often it is said: the calibration error
    of a network whose bins are the labels that it says."""
    gaps, n = said_gaps(preds, confidence, correct, num_labels)
    return float(np.abs(np.nan_to_num(gaps)) @ n / n.sum())


def surest(confidence: np.ndarray, correct: np.ndarray, share: float) -> float:
    """Accuracy among that share of the samples of which the network is surest: a point of the
    risk-coverage curve (El-Yaniv and Wiener 2010)."""
    order = np.argsort(-confidence, kind="stable")[: max(1, int(share * len(confidence)))]
    return float(correct[order].mean())


def area_under_risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Mean share of errors over all coverages, the surest first; 0 where all is right.

    AURC, Geifman et al. 2019, https://arxiv.org/abs/1805.08206
    """
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    return float(errors.mean())


def coverage(answered: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Share of samples that are answered, ``()`` or ``(R,)``; answered: bool ``(N,)``."""
    return _sample_mean(answered.astype(np.float64), weights)


def selective_accuracy(
    correct: np.ndarray, answered: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Accuracy among the samples that are answered; NaN where none is.

    El-Yaniv and Wiener, JMLR 11, 2010: with `coverage` the two axes of a risk-coverage curve.
    """
    hits = _sample_mean((correct & answered).astype(np.float64), weights)
    return _ratio(hits, coverage(answered, weights))


def ece(
    confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray | None = None,
    bins: int = ECE_BINS,
) -> np.ndarray:  # fmt: skip
    """Expected calibration error in [0, 1]: mean gap between confidence and accuracy.

    Guo et al., ICML 2017, https://arxiv.org/abs/1706.04599: equal-width bins of the confidence,
    ``((b - 1) / bins, b / bins]``, each weighted by its samples.

    confidence: probability of the prediction, ``(N,)`` in [0, 1]. correct: bool ``(N,)``.
    """
    members = (np.arange(bins)[:, None] == confidence_bins(confidence, bins)).astype(np.float64)
    gap = correct.astype(np.float64) - confidence
    w = np.ones((len(gap), 1)) if weights is None else weights
    value = _ratio(np.abs((members * gap) @ w).sum(axis=0), w.sum(axis=0))
    return value[0] if weights is None else value
