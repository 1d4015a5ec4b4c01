"""The methods that need no deep learning, on the same splits and with the same metrics.

    python -m eval.studies.baselines --data ckplus48.zip --protocol paper \
        --out reports/ckplus48/paper

No setting below was chosen by a result; they are the same for every data set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eval import table
from eval.records import Record, provenance, write_report
from eval.report import STUDY, report, report_records, splits_table
from fer_cbam import data
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import Split, protocol_splits
from fer_cbam.errors import DataError, FerError

if TYPE_CHECKING:
    from sklearn.svm import LinearSVC

BASELINES_FILE = "baselines.json"


@dataclass(frozen=True)
class Baseline:
    """A method: (train pixels uint8 ``(M, H, W)``, train targets ``(M,)``, test pixels, K) ->
    scores ``(N, K)``. scores: "logits" where the softmax of the scores is a probability, else
    "margins" (no log loss, Brier score or ECE then)."""

    name: str
    settings: str
    scores: str
    method: Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def majority(
    train: np.ndarray, targets: np.ndarray, test: np.ndarray, num_classes: int
) -> np.ndarray:
    """The frequency of each class in training, whatever the image."""
    frequency = np.bincount(targets, minlength=num_classes) / len(targets)
    return np.tile(np.log(frequency), (len(test), 1))


def nearest_neighbour(
    train: np.ndarray, targets: np.ndarray, test: np.ndarray, num_classes: int
) -> np.ndarray:
    """Minus the Euclidean distance (pixels in [0, 1]) to the nearest image of each class."""
    from sklearn.metrics import pairwise_distances

    distance = pairwise_distances(flat(test), flat(train))
    return -np.stack([distance[:, targets == c].min(1) for c in range(num_classes)], axis=1)


def pca_logreg(
    train: np.ndarray, targets: np.ndarray, test: np.ndarray, num_classes: int
) -> np.ndarray:
    """Multinomial logistic regression on principal components ("eigenfaces")."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    components = min(150, len(train) - 1, flat(train).shape[1])
    model = make_pipeline(
        PCA(components, svd_solver="full"), LogisticRegression(C=1.0, max_iter=5000)
    )
    return binary_to_two(model.fit(flat(train), targets).decision_function(flat(test)))


def hog_svm(
    train: np.ndarray, targets: np.ndarray, test: np.ndarray, num_classes: int
) -> np.ndarray:
    """Linear one-vs-rest SVM on histograms of oriented gradients."""
    return binary_to_two(fit_hog_svm(train, targets).decision_function(hog(test)))


def fit_hog_svm(train: np.ndarray, targets: np.ndarray) -> LinearSVC:
    """Its SVM, for several test sides: takes what `hog` gives."""
    from sklearn.svm import LinearSVC

    return LinearSVC(C=1.0, max_iter=20_000, random_state=0).fit(hog(train), targets)


def hog(pixels: np.ndarray) -> np.ndarray:
    """HOG after Dalal and Triggs, CVPR 2005, https://doi.org/10.1109/CVPR.2005.177: ``(N, F)``."""
    from skimage.feature import hog as one

    return np.stack(
        [
            one(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2),
                block_norm="L2-Hys")
            for image in pixels
        ]
    )  # fmt: skip


def flat(pixels: np.ndarray) -> np.ndarray:
    """uint8 ``(N, H, W)`` -> float64 ``(N, H * W)`` in [0, 1]."""
    return pixels.reshape(len(pixels), -1) / 255.0


def binary_to_two(decision: np.ndarray) -> np.ndarray:
    """scikit-learn gives one column for two classes: make it two."""
    return decision if decision.ndim == 2 else np.stack([-decision, decision], axis=1) / 2


BASELINES = (
    Baseline("majority", "class frequencies of the training side", "logits", majority),
    Baseline(
        "nn1_pixels",
        "Euclidean distance, pixels in [0, 1]; score of a class: minus the distance to its nearest "
        "training image",
        "margins",
        nearest_neighbour,
    ),
    Baseline(
        "pca_logreg",
        "pixels in [0, 1]; 150 principal components of the training side, not whitened; "
        "multinomial logistic regression, L2, C = 1",
        "logits",
        pca_logreg,
    ),
    Baseline(
        "hog_svm",
        "HOG with 9 orientations, 8x8 pixels a cell, 2x2 cells a block, L2-Hys; linear SVM one "
        "against the rest, squared hinge, L2, C = 1; score: the margin",
        "margins",
        hog_svm,
    ),
)


def predict(
    baseline: Baseline, dataset: Dataset, splits: Sequence[Split], protocol: str
) -> pd.DataFrame:
    """Fit on each train side, predict each test side: the table of :mod:`eval.table`.

    Raises:
        DataError: a class without a training image in some split, or colour images.
    """
    pixels, targets = dataset.pixels(), dataset.targets()
    if pixels.ndim != 3:
        raise DataError(f"{dataset.name}: images {pixels.shape[1:]}; expected grey (H, W)")
    classes = len(dataset.label_names)
    parts = []
    for split in splits:
        missing = set(range(classes)) - set(targets[split.train].tolist())
        if missing:
            names = ", ".join(dataset.label_names[i] for i in sorted(missing))
            raise DataError(f"{split.name}: no training image of {names}; expected every class")
        scores = baseline.method(
            pixels[split.train], targets[split.train], pixels[split.test], classes
        )
        parts.append(table.rows(dataset, split.test, split.name, scores, dataset.label_names))
    return table.combine(
        parts, data=dataset.name, label_names=dataset.label_names, protocol=protocol,
        weights=baseline.name, option="plain", scores=baseline.scores,
        sequence_overlap=table.overlap(dataset, splits), decisions={},
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.baselines", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="data set file or folder")
    parser.add_argument("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    parser.add_argument("--protocol", required=True, help="paper, subject10, public, private")
    parser.add_argument("--out", type=Path, required=True, help="folder for baselines.json")
    args = parser.parse_args(argv)
    try:
        dataset = data.load(args.data, votes=args.votes)
        splits = protocol_splits(dataset, args.protocol)
        records: list[Record] = []
        splits_of = {}
        for baseline in BASELINES:
            result = report(predict(baseline, dataset, splits, args.protocol))
            records += report_records(result)
            splits_of[baseline.name] = splits_table(result)
            accuracy = result["metrics"]["accuracy"]["value"]
            print(f"{baseline.name:12} accuracy {accuracy:.4f}", flush=True)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    write_report(
        args.out / BASELINES_FILE, STUDY,
        provenance("eval.studies.baselines", sys.argv[1:] if argv is None else argv), records,
        value=result["value"], interval=result["interval"],
        settings={baseline.name: baseline.settings for baseline in BASELINES}, splits=splits_of,
    )  # fmt: skip


if __name__ == "__main__":
    main()
