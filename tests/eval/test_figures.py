from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from eval import attention, figures, predict
from eval.report import report
from fer_cbam.explain import gradcam
from fer_cbam.preprocess import Preprocess
from tests.eval.conftest import LABELS, make_table


@pytest.fixture(scope="module")
def predictions():
    rng = np.random.default_rng(0)
    targets = list(rng.choice(LABELS, 120))
    logits = rng.normal(0, 1, (120, 3))
    logits += 2 * np.array([[t == label for label in LABELS] for t in targets])
    table = make_table(targets, logits)
    return table, report(table, n_resamples=10)


def texts(ax):
    return [t.get_text() for t in ax.texts]


def test_heading(predictions):
    assert figures.heading(predictions[1]) == "tiny, random 80/20: w (n = 120)"


def test_confusion_shows_counts_and_shares(predictions):
    _, result = predictions
    counts, shares = figures.confusion(result).axes
    rows = np.array(list(result["confusion_matrix"]["rows"].values()))
    assert texts(counts) == [str(v) for v in rows.ravel()]
    expected = rows / rows.sum(1, keepdims=True)
    assert texts(shares) == ["0" if v == 0 else f"{v:.3f}" for v in expected.ravel()]


def test_the_area_under_the_drawn_roc_curve_is_the_auc(predictions):
    table, result = predictions
    whole = figures.roc(table, result).axes[0]
    for line in whole.lines[1:]:
        label, value = line.get_label().split()
        area = np.trapezoid(line.get_ydata(), line.get_xdata())
        assert value == f"{area:.4f}"
        assert area == pytest.approx(result["classes"][label]["auc"]["value"], abs=1e-12)
        assert line.get_color() == figures.STYLES[label][0]


def test_the_area_under_the_drawn_precision_recall_steps_is_the_ap(predictions):
    table, result = predictions
    whole = figures.precision_recall(table, result).axes[0]
    assert len(whole.lines) == 3
    for line in whole.lines:
        value = line.get_label().split()[1]
        assert line.get_drawstyle() == "steps-pre"
        area = (np.diff(line.get_xdata(), prepend=0) * line.get_ydata()).sum()
        assert value == f"{area:.4f}"


def test_history_marks_the_epoch_of_the_lowest_validation_loss(predictions):
    run = pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "train_accuracy": [0.1, 0.2, 0.3],
         "val_loss": [2.5, 1.5, 1.9], "val_accuracy": [0.2, 0.4, 0.5]}
    )  # fmt: skip
    loss, accuracy = figures.history({"seed0": run}, predictions[1]).axes
    dots = [line.get_xydata()[0].tolist() for line in loss.lines if len(line.get_xdata()) == 1]
    assert dots == [[2, 2.0], [2, 1.5]]
    run[["val_loss", "val_accuracy"]] = np.nan
    loss, accuracy = figures.history({"seed0": run}, predictions[1]).axes
    dots = [line.get_xydata()[0].tolist() for line in accuracy.lines if len(line.get_xdata()) == 1]
    assert dots == [[3, 0.3]]


def test_the_same_figure_is_the_same_file(predictions, tmp_path):
    table, result = predictions
    for name in ("a.png", "b.png"):
        figures.save(figures.roc(table, result), tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert not Image.open(tmp_path / "a.png").info.keys() & {"Software", "Creation Time", "date"}
    assert len(content) < 150_000


def test_mean_maps_are_means_over_what_was_recognised(tiny, save_weights):
    folder = save_weights("w", {"data": "other"})
    pairs = predict.jobs(str(folder), tiny, "paper")[:2]
    table = predict.predict(pairs, tiny, "paper")
    # Random weights say nearly one thing; let every image that is no anger be recognised.
    logits = [f"logit_{name}" for name in LABELS]
    for i, target in enumerate(table["target"]):
        table.loc[i, logits] = [float(name == target and name != "anger") for name in LABELS]
    table.loc[table["target"] == "anger", logits] = [0.0, 1.0, 0.0]
    got = attention.mean_maps(pairs, tiny, table)
    assert list(got) == ["happiness", "surprise"]
    import torch

    expected = []
    for job in pairs:
        index = [i for i in job.split.test if tiny.samples[i].label == "surprise"]
        x = torch.from_numpy(Preprocess()([tiny.samples[i].pixels for i in index]))
        expected.extend(gradcam(job.backend.model, x, torch.full((len(index),), 2)).numpy())
    columns, n = got["surprise"]
    assert n == len(expected)
    np.testing.assert_allclose(columns[attention.GRADCAM], np.mean(expected, 0), atol=1e-6)
    np.testing.assert_allclose(columns[attention.GRADCAM_SD], np.std(expected, 0), atol=1e-6)
    figure = figures.mean_maps(got, (), "title")
    shown = figure.axes[3].images[0].get_array()
    np.testing.assert_array_equal(shown, columns[attention.GRADCAM])
