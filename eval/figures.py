"""The figures of a report, from the table of predictions alone (Grad-CAM excepted).

Every function draws and returns a ``matplotlib.figure.Figure``; `save` writes it. No pyplot, hence
no global state. The same input gives the same PNG, byte for byte, with one version of matplotlib.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from PIL import Image

from eval.docs import titles
from eval.metrics import precision_recall_curve, reliability_bins, roc_curve
from eval.table import scored

# Paul Tol's "muted" scheme, made for colour-blind readers (https://sronpersonalpages.nl/~pault/);
# one colour and one line style for an emotion in every figure.
STYLES = {
    "anger": ("#CC6677", "-"),
    "contempt": ("#882255", "--"),
    "disgust": ("#117733", "-"),
    "fear": ("#332288", "--"),
    "happiness": ("#999933", "-"),
    "neutral": ("#777777", "-."),
    "sadness": ("#4477AA", "-."),
    "surprise": ("#44AA99", ":"),
}
TRAIN, VALIDATION = "#4477AA", "#CC6677"
RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
# Steps of 0.05, which the eye can tell apart and a PNG of 256 colours keeps.
MAP_COLOURS = colormaps["cividis"].resampled(20)
# Where a pair of eyes, a nose tip and the mouth's corners lie on the drawn face if the weights do
# not say where they lie in their crops.
SCHEMATIC = ((0.31, 0.37), (0.69, 0.37), (0.5, 0.57), (0.35, 0.76), (0.65, 0.76))


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours (a third of the size), without date or program version in it."""
    drawn = io.BytesIO()
    with rc_context(RC):
        figure.savefig(drawn, dpi=110, format="png")
    # The other methods lose colours that are rare, such as the brightest end of a map.
    image = (
        Image.open(drawn)
        .convert("RGB")
        .quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    image.save(path, format="PNG", optimize=True)


def _of(report: Mapping[str, Any]) -> str:
    """Data and protocol of a report."""
    data = titles.DATA.get(report["data"], report["data"])
    return f"{data}, {titles.PROTOCOLS.get(report['protocol'], report['protocol'])}"


def heading(report: Mapping[str, Any]) -> str:
    """Data, protocol, weights, option and n of a report, for a figure's title."""
    option = "" if report["option"] == "plain" else f", {report['option']}"
    splits = len(report["splits"])
    over = f" in {splits} splits" if splits > 1 else ""
    return f"{_of(report)}: {report['weights']}{option} (n = {report['n']:,}{over})"


def _figure(rows: int, columns: int, width: float, height: float, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title)
    return figure, figure.subplots(rows, columns, squeeze=False)


def history(runs: Mapping[str, pd.DataFrame], report: Mapping[str, Any]) -> Figure:
    """Loss and accuracy by epoch, a thin line for each split; a dot on the epoch that was kept.

    runs: split -> the columns of ``history.csv`` (epoch, train_loss, train_accuracy, val_loss,
    val_accuracy). The epoch kept is that of the lowest validation loss, the last where there is no
    validation.
    """
    runs_of = f"{len(runs)} runs" if len(runs) > 1 else "one run"
    title = f"{_of(report)}: training of {report['weights']}, {runs_of}"
    with rc_context(RC):
        figure, axes = _figure(1, 2, 9, 3.8, title)
        for ax, what in zip(axes[0], ("loss", "accuracy"), strict=True):
            for part, colour in (("train", TRAIN), ("val", VALIDATION)):
                for run in runs.values():
                    _history_line(ax, run, f"{part}_{what}", colour)
            ax.set(xlabel="epoch", ylabel=f"{what} (nats)" if what == "loss" else what)
            ax.grid(alpha=0.3)
        ax = axes[0][1]
        ax.plot([], [], color=TRAIN, label="training (augmented, with dropout)")
        if any(_given(run, "val_loss") for run in runs.values()):
            ax.plot([], [], color=VALIDATION, label="validation (held out of the training side)")
        ax.plot([], [], "o", color="black", markersize=4, label="weights kept")
        ax.legend(loc="lower right")
    return figure


def _given(run: pd.DataFrame, column: str) -> bool:
    return column in run and bool(run[column].notna().any())


def _history_line(ax: Axes, run: pd.DataFrame, column: str, colour: str) -> None:
    if not _given(run, column):
        return
    ax.plot(run["epoch"], run[column], color=colour, linewidth=0.9, alpha=0.75)
    kept = run["val_loss"].idxmin() if _given(run, "val_loss") else run.index[-1]
    ax.plot(run["epoch"][kept], run[column][kept], "o", color=colour, markersize=4)


def confusion(report: Mapping[str, Any]) -> Figure:
    """The confusion matrix in counts (summed over splits) and as shares of each true class."""
    columns = report["confusion_matrix"]["columns"]
    rows = report["confusion_matrix"]["rows"]
    counts = np.array(list(rows.values()))
    total = counts.sum(1, keepdims=True)
    shares = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    with rc_context({**RC, "axes.spines.top": True, "axes.spines.right": True}):
        figure, axes = _figure(1, 2, 11, 5, heading(report))
        for ax, values, title in (
            (axes[0][0], counts, "images"),
            (axes[0][1], shares, "share of the true class"),
        ):
            ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            ax.set_title(title)
            ax.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
            ax.set_yticks(range(len(rows)), list(rows))
            ax.set(xlabel="predicted", ylabel="true")
            for (i, j), value in np.ndenumerate(values):
                text = f"{value:.3f}" if values is shares else str(value)
                colour = "white" if shares[i, j] > 0.5 else "#999999" if value == 0 else "black"
                ax.text(j, i, "0" if value == 0 else text, ha="center", va="center", color=colour)
    return figure


def roc(table: pd.DataFrame, report: Mapping[str, Any]) -> Figure:
    """ROC curves, each emotion against the rest, whole and the corner that matters.

    The curves are of all splits together; the AUC in the legend is the report's, which is the mean
    over the splits.
    """
    with rc_context(RC):
        figure, axes = _figure(1, 2, 10, 4.6, heading(report))
        for ax in axes[0]:
            ax.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=0.8)
            ax.set(xlabel="false positive rate", ylabel="true positive rate", aspect="auto")
            ax.grid(alpha=0.3)
        _curves(axes[0], table, report, roc_curve, "auc")
        axes[0][0].set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title="whole")
        axes[0][1].set(xlim=(-0.002, 0.2), ylim=(0.6, 1.01), title="upper left corner")
        axes[0][0].legend(title=_legend_title(report, "AUC", "auc"), loc="lower right")
    return figure


def precision_recall(table: pd.DataFrame, report: Mapping[str, Any]) -> Figure:
    """Precision-recall curves, each emotion against the rest; see `roc`."""
    with rc_context(RC):
        figure, axes = _figure(1, 2, 10, 4.6, heading(report))
        for ax in axes[0]:
            ax.set(xlabel="recall", ylabel="precision")
            ax.grid(alpha=0.3)
        _curves(axes[0], table, report, precision_recall_curve, "ap")
        axes[0][0].set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), title="whole")
        axes[0][1].set(xlim=(0.6, 1.005), ylim=(0.6, 1.01), title="upper right corner")
        axes[0][0].legend(title=_legend_title(report, "AP", "ap"), loc="lower left")
    return figure


def _legend_title(report: Mapping[str, Any], title: str, metric: str) -> str:
    return f"{title}, macro {report['metrics'][f'macro_{metric}']['value']:.4f}"


def reliability(table: pd.DataFrame, report: Mapping[str, Any]) -> Figure:
    """Accuracy against confidence, in the bins of the ECE, before and after calibration.

    The area of a dot grows with the images in its bin. A dashed line stands below which the
    weights answer "uncertain".
    """
    arrays = scored(table)
    sides = (("logits alone", arrays.raw_confidence, "ece_uncalibrated"),
             ("as the weights answer", arrays.confidence, "ece"))  # fmt: skip
    with rc_context(RC):
        figure, axes = _figure(1, 2, 9, 4.4, heading(report))
        for ax, (title, values, name) in zip(axes[0], sides, strict=True):
            count, confidence, hits = reliability_bins(values, arrays.correct)
            shown = count > 0
            ax.plot([0, 1], [0, 1], color="#777777", linewidth=0.8)
            ax.plot(confidence[shown], hits[shown], color=TRAIN, linewidth=1)
            ax.scatter(confidence[shown], hits[shown], 600 * count[shown] / len(table) + 6,
                       color=TRAIN, alpha=0.7, linewidth=0)  # fmt: skip
            error = 100 * report["metrics"][name]["value"]
            ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
            ax.set_title(f"{title}: ECE {error:.1f} %")
            ax.grid(alpha=0.3)
        decisions = table.attrs["decisions"].values()
        for threshold in sorted({d.get("uncertain_below", 0.0) for d in decisions}):
            if threshold > 0:
                axes[0][1].axvline(threshold, color=VALIDATION, linestyle="--", linewidth=1)
    return figure


def _curves(
    axes: Sequence[Axes], table: pd.DataFrame, report: Mapping[str, Any], curve, metric: str
) -> None:
    arrays = scored(table)
    for i, (label, entry) in enumerate(report["classes"].items()):
        if np.isnan(entry[metric]["value"]):
            continue
        x, y = curve(arrays.probs[:, i], arrays.targets == i)
        steps = "default"
        if metric == "ap":  # recall goes across; AP takes the precision at the end of each step
            x, y, steps = y, x, "steps-pre"
        colour, style = STYLES.get(label, (f"C{i % 10}", "-"))  # a label of one's own
        for ax in axes:
            ax.plot(x, y, style, color=colour, linewidth=1.6, drawstyle=steps,
                    label=f"{label} {entry[metric]['value']:.4f}")  # fmt: skip


def mean_maps(
    maps: Mapping[str, tuple[Mapping[str, np.ndarray], int]],
    landmarks: Sequence[Sequence[float]],
    title: str,
) -> Figure:
    """What the network looks at, a row for each emotion, over a drawn face.

    No photograph of anybody is in it. maps: label -> (column title -> mean map ``(H, W)`` in
    [0, 1], number of images). landmarks: ``(5, 2)`` as fractions of the crop's side, where the
    training crops have eyes, nose tip and mouth corners; `SCHEMATIC` where that is empty.
    """
    columns = list(next(iter(maps.values()))[0])
    with rc_context(RC):
        figure, axes = _figure(len(maps), len(columns), 1.45 * len(columns) + 1.9,
                               1.32 * len(maps) + 0.8, title)  # fmt: skip
        for row, (label, (images, n)) in zip(axes, maps.items(), strict=True):
            for ax, values in zip(row, images.values(), strict=True):
                shown = ax.imshow(values, cmap=MAP_COLOURS, vmin=0, vmax=1, extent=(0, 1, 1, 0),
                                  interpolation="nearest")  # fmt: skip
                _draw_face(ax, landmarks or SCHEMATIC)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            row[0].set_ylabel(f"{label}\nn = {n}")
        for ax, column in zip(axes[0], columns, strict=True):
            ax.set_title(column)
        bar = figure.colorbar(shown, ax=axes, shrink=0.4, aspect=30)
        bar.set_label("share of the strongest place of each image")
    return figure


def _draw_face(ax: Axes, landmarks: Sequence[Sequence[float]]) -> None:
    """A face in a few white lines through five landmarks."""
    left, right, nose, mouth_left, mouth_right = np.asarray(landmarks, float)
    eyes = (left + right) / 2
    mouth = (mouth_left + mouth_right) / 2
    span = right[0] - left[0]
    line: dict[str, Any] = {"color": "white", "linewidth": 1.0, "alpha": 0.85, "zorder": 3}
    middle = eyes + 0.3 * (mouth - eyes)
    height = mouth[1] - eyes[1]
    ax.add_patch(Ellipse(tuple(middle), 2.1 * span, 2.5 * height, fill=False, **line))
    for eye in (left, right):
        ax.add_patch(Ellipse(tuple(eye), 0.42 * span, 0.18 * span, fill=False, **line))
        ax.plot(eye[0] + span * np.array([-0.24, 0, 0.24]), eye[1] - span * np.array(
            [0.2, 0.27, 0.2]), **line)  # fmt: skip
    ax.plot([eyes[0], nose[0] - 0.1 * span, nose[0], nose[0] + 0.1 * span],
            [eyes[1] + 0.2 * span, nose[1], nose[1] + 0.05 * span, nose[1]], **line)  # fmt: skip
    x = np.linspace(mouth_left[0], mouth_right[0], 20)
    bow = np.sin(np.linspace(0, np.pi, 20)) * 0.07 * span
    ax.plot(x, mouth[1] + bow, **line)
    ax.plot(x, mouth[1] - bow, **line)
    ax.set(xlim=(0, 1), ylim=(1, 0))


def gallery(
    crops: Sequence[np.ndarray], saliencies: np.ndarray, labels: Sequence[str], title: str,
    per_row: int = 6,
) -> Figure:  # fmt: skip
    """Faces with their saliency over them, a row for each emotion.

    For images that may be shown only: faces of CK+ and FER2013 must not be published.
    crops: each uint8 ``(h, w)`` or ``(h, w, 3)``. saliencies: float ``(N, H, W)`` in [0, 1].
    """
    rows = {
        name: [i for i, own in enumerate(labels) if own == name] for name in sorted(set(labels))
    }
    with rc_context(RC):
        figure, axes = _figure(len(rows), 2 * per_row, 1.3 * per_row * 2, 1.4 * len(rows) + 0.6,
                               title)  # fmt: skip
        for ax in axes.flat:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        for row, (label, index) in zip(axes, rows.items(), strict=True):
            row[0].set_ylabel(label)
            for k, i in enumerate(index[:per_row]):
                for ax in row[2 * k : 2 * k + 2]:
                    ax.imshow(crops[i], cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0))
                row[2 * k + 1].imshow(
                    saliencies[i], cmap="inferno", alpha=0.7 * saliencies[i], vmin=0, vmax=1,
                    extent=(0, 1, 1, 0),
                )  # fmt: skip
    return figure
