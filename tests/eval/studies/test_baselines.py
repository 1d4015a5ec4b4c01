from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from eval.docs.records import load, one
from eval.studies import baselines as b
from eval.table import scored
from fer_cbam import data
from fer_cbam.data.protocols import Split, protocol_splits
from fer_cbam.errors import DataError

REPORTS = Path(__file__).parents[3] / "reports" / "ckplus48"
BY_NAME = {baseline.name: baseline for baseline in b.BASELINES}


def predicted(name, dataset, splits):
    s = scored(b.predict(BY_NAME[name], dataset, splits, "paper"))
    return s.preds, s


def test_majority_says_the_most_frequent_class_with_its_frequency(tiny):
    train = np.r_[0:30, 30:90:3]  # 10 of each class, then 20 more of anger
    split = Split(train, np.setdiff1d(np.arange(90), train), "x")
    preds, s = predicted("majority", tiny, [split])
    assert set(preds) == {0}
    np.testing.assert_allclose(s.probs, np.tile([0.6, 0.2, 0.2], (len(preds), 1)), atol=1e-12)


def test_nearest_neighbour_is_that_of_scikit_learn(tiny):
    split = protocol_splits(tiny, "paper")[0]
    preds, _ = predicted("nn1_pixels", tiny, [split])
    x, y = tiny.pixels().reshape(90, -1).astype(int), tiny.targets()
    neighbour = KNeighborsClassifier(1).fit(x[split.train], y[split.train])
    np.testing.assert_array_equal(preds, neighbour.predict(x[split.test]))


@pytest.mark.parametrize("name", ["nn1_pixels", "pca_logreg", "hog_svm"])
def test_methods_recognise_what_is_easy_and_never_see_test_labels(name):
    # Class k is a bright bar at its own place; noise elsewhere.
    rng = np.random.default_rng(0)
    targets = np.arange(60) % 3
    pixels = rng.integers(0, 60, (60, 48, 48)).astype(np.uint8)
    for image, k in zip(pixels, targets, strict=True):
        image[8 + 12 * k : 16 + 12 * k, 4:44] = 250
    scores = BY_NAME[name].method(pixels[:45], targets[:45], pixels[45:], 3)
    np.testing.assert_array_equal(scores.argmax(1), targets[45:])
    two = targets < 2
    scores = BY_NAME[name].method(pixels[:45][two[:45]], targets[:45][two[:45]], pixels[45:], 2)
    assert scores.shape == (15, 2)
    np.testing.assert_array_equal(scores.argmax(1)[two[45:]], targets[45:][two[45:]])


def test_a_class_without_training_images_is_an_error(tiny):
    only_two = np.flatnonzero(tiny.targets() != 2)
    split = Split(only_two, np.flatnonzero(tiny.targets() == 2), "x")
    with pytest.raises(DataError, match="no training image of surprise"):
        b.predict(BY_NAME["majority"], tiny, [split], "paper")


@pytest.mark.data
@pytest.mark.parametrize("protocol", ["paper", "subject10"])
def test_the_committed_reports_are_what_the_data_give(data_dir, protocol):
    dataset = data.load(data_dir / "ckplus48.zip")
    split = protocol_splits(dataset, protocol)[1]
    content = json.loads((REPORTS / protocol / b.BASELINES_FILE).read_text())
    for name in ("majority", "nn1_pixels"):
        preds, s = predicted(name, dataset, [split])
        (row,) = (r for r in content["splits"][name] if r["split"] == split.name)
        assert row["n"] == len(preds)
        assert row["accuracy"] == pytest.approx(s.correct.mean(), abs=1e-6)
    overlap = one(load(REPORTS / protocol), weights="hog_svm", metric="sequence_overlap")
    assert overlap["value"] == pytest.approx({"paper": 0.96, "subject10": 0}[protocol], abs=0.02)
