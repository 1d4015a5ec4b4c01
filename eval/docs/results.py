"""The tables of results, each made from the records of all reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd

from eval.docs import titles
from eval.docs.markdown import DASH, NOT_YET, cell, table, text
from eval.docs.records import one, select
from fer_cbam import pretrained
from fer_cbam.errors import DataError
from fer_cbam.hub.cards import HOME, parameters

#: Column -> metric, format, spread.
Columns = Mapping[str, tuple[str, str, str]]

ACCURACIES: Columns = {
    "accuracy (95 % interval)": ("accuracy", ".1p", "interval"),
    "balanced accuracy": ("balanced_accuracy", ".1p", "interval"),
}
PRIVATE: Columns = {
    **ACCURACIES,
    "macro F1": ("macro_f1", ".1p", ""),
    "accuracy without twins": ("accuracy_without_twins", ".1p", ""),
}
CONFIDENCE: Columns = {
    "ECE, logits alone": ("ece_uncalibrated", ".1p", ""),
    "ECE": ("ece", ".1p", ""),
    "Brier": ("brier", ".3f", ""),
    "answered": ("coverage", ".1p", ""),
    "right when answered": ("selective_accuracy", ".1p", ""),
}
RARE = ("contempt", "disgust", "fear")


def evaluated(records: pd.DataFrame, data: str, protocol: str) -> pd.DataFrame:
    """What was measured of a data set by a protocol, all methods."""
    return select(records, study="evaluation", data=data, protocol=protocol)


def trained_on(records: pd.DataFrame, data: str) -> pd.DataFrame:
    """Records of weights that learnt this data set, and of methods that are no weights."""
    tags = records["weights"].map(lambda name: (name or "").partition(".")[2])
    return records[tags.isin((data, ""))]


def methods(records: pd.DataFrame) -> list[tuple[str, str]]:
    """(weights, option) that have an accuracy: weights first, plain before other options."""
    found = select(records, metric="accuracy")[["weights", "option"]].itertuples(index=False)
    options, baselines = list(titles.OPTIONS), list(titles.METHODS)[::-1]
    return sorted(
        {(weights, option) for weights, option in found},
        key=lambda key: (
            key[0] in baselines and 1 + baselines.index(key[0]),
            key[0],
            options.index(key[1]),
        ),
    )


def labels_of(records: pd.DataFrame) -> list[str]:
    return sorted(set(select(records, metric="recall")["group"].dropna()))


def weights_table(records: pd.DataFrame) -> str:
    """Each embedded weight: what it is, how good at home and on faces of CK+48, and how fast."""
    header = ("weights", "MB", "tested on", "accuracy, %", "balanced", "CK+48, never seen", "ms")
    rows = []
    for name in pretrained.embedded_names():
        folder = pretrained.embedded_dir(name)
        architecture, _, tag = name.partition(".")
        data, protocol = tag, HOME[tag]
        own = select(evaluated(records, data, protocol), weights=name, option="plain", group=None)
        away = select(evaluated(records, "ckplus48", "subject10"), weights=name, group=None)
        times = select(records, study="speed", option="onnx", condition="batch 1",
                       metric="milliseconds")  # fmt: skip
        times = times[times["weights"].map(lambda w: w.partition(".")[0]) == architecture]
        rows.append([
            f"`{name}`",
            f"{(folder / pretrained.WEIGHTS_FILE).stat().st_size / 1e6:.1f}",
            f"{titles.data(data)}, {titles.protocol(protocol)}",
            cell(own, ".1p", "interval", metric="accuracy"),
            cell(own, ".1p", metric="balanced_accuracy"),
            cell(away, ".1p", metric="accuracy") if tag != "ckplus48" else "\u2013",
            cell(times, ".1f"),
        ])  # fmt: skip
    return table(header, rows)


def cards_table(records: pd.DataFrame) -> str:
    """Each embedded weight with a link to its card; paths are those of the repository."""
    header = ("weights", "parameters", "answers with", "learnt from")
    rows = []
    for name in pretrained.embedded_names():
        folder = pretrained.embedded_dir(name)
        labels = pretrained.label_names(pretrained.read_config(folder))
        link = f"[`{name}`](fer_cbam/weights/{name}/README.md)"
        rows.append([link, f"{parameters(folder) / 1e6:.2f} M", ", ".join(labels),
                     titles.data(name.partition(".")[2])])  # fmt: skip
    return table(header, rows)


def ckplus48(records: pd.DataFrame) -> str:
    """Both protocols side by side, and how much of a random split the training has seen."""
    header = ("CK+48, 7 classes, %", "random 80/20: accuracy, mean \u00b1 sd of 5 seeds",
              "macro AUC", "subjects apart: accuracy (95 % interval)", "balanced accuracy",
              "macro F1", "macro AUC")  # fmt: skip
    both = [trained_on(evaluated(records, "ckplus48", p), "ckplus48")
            for p in ("paper", "subject10")]  # fmt: skip
    rows = []
    for weights, option in methods(pd.concat(both)):
        paper, apart = (select(p, weights=weights, option=option, group=None) for p in both)
        rows.append([
            titles.method(weights) + titles.OPTIONS[option],
            cell(paper, ".1p", "sd", metric="accuracy"),
            cell(paper, ".2p", metric="macro_auc"),
            cell(apart, ".1p", "interval", metric="accuracy"),
            cell(apart, ".1p", metric="balanced_accuracy"),
            cell(apart, ".1p", metric="macro_f1"),
            cell(apart, ".2p", metric="macro_auc"),
        ])  # fmt: skip
    shares = [_overlap(p, name) for p, name in zip(both, ("random 80/20", "subjects apart"),
                                                   strict=True)]  # fmt: skip
    return (f"{table(header, rows)}\n\nTest images with another frame of the same sequence in "
            f"training: {', '.join(shares)}.")  # fmt: skip


def _overlap(records: pd.DataFrame, title: str) -> str:
    values = set(select(records, metric="sequence_overlap")["value"])
    if len(values) > 1:
        raise DataError(f"sequence_overlap, {title}: {sorted(values)}; expected one value")
    return f"{text(values.pop(), '.1p')} % ({title})" if values else f"\u2013 ({title})"


def cross_dataset(records: pd.DataFrame) -> str:
    """CK+48 by weights that never saw it: every image once, neutral counted as an error."""
    away = select(evaluated(records, "ckplus48", "subject10"), option="plain")
    away = away[~away.index.isin(trained_on(away, "ckplus48").index)]
    labels = labels_of(away)
    rows = []
    for weights, _ in methods(away):
        own = select(away, weights=weights)
        rows.append([
            titles.method(weights),
            cell(own, ".1p", "interval", metric="accuracy"),
            cell(own, ".1p", metric="balanced_accuracy"),
            *(cell(own, ".1p", metric="recall", group=label) for label in labels),
        ])  # fmt: skip
    return table(["CK+48, all images, %", "accuracy (95 % interval)", "balanced", *labels], rows)


def private(records: pd.DataFrame, data: str, columns: Columns) -> str:
    """PrivateTest: a row for each method and option that has any of the columns."""
    own = select(evaluated(records, data, "private"), group=None)
    wanted = {metric for metric, *_ in columns.values()}
    rows = []
    for weights, option in methods(own):
        of = select(own, weights=weights, option=option)
        if wanted & set(of["metric"]):
            rows.append([titles.method(weights) + titles.OPTIONS[option],
                         *(cell(of, spec, spread, metric=metric)
                           for metric, spec, spread in columns.values())])  # fmt: skip
    return table([f"{titles.data(data)} PrivateTest, %", *columns], rows)


def recalls(records: pd.DataFrame, data: str, protocol: str) -> str:
    """Recall of each class, plain, of every method that learnt this data set."""
    own = trained_on(select(evaluated(records, data, protocol), option="plain"), data)
    own = select(own, metric="recall")
    shown = [w for w in sorted(own["weights"].unique()) if w.partition(".")[2] or w == "one_rater"]
    header = [f"recall, {titles.data(data)}, {titles.protocol(protocol)}, %",
              *map(titles.method, shown)]  # fmt: skip
    rows = [[label, *(cell(own, ".1p", "interval", weights=weights, group=label)
                      for weights in shown)] for label in labels_of(own)]  # fmt: skip
    return table(header, rows)


def operating_points(records: pd.DataFrame) -> str:
    """What each way to say labels gives and costs, at home and on CK+48."""
    swept = select(records, study="operating_points")
    rows = []
    for weights in sorted(swept["weights"].unique()):
        own = select(swept, weights=weights)
        for point in dict.fromkeys(own["condition"]):
            at = select(own, condition=point)
            home = select(at, data=weights.partition(".")[2], protocol="public")
            away = select(at, data="ckplus48", group=None)
            rows.append([
                titles.method(weights), point,
                *(cell(home, ".1p", metric=metric, group=None)
                  for metric in ("accuracy", "balanced_accuracy", "macro_precision")),
                *(cell(home, ".1p", metric="precision", group=label) for label in RARE),
                *(cell(away, ".1p", metric=metric)
                  for metric in ("accuracy", "balanced_accuracy")),
            ])  # fmt: skip
    header = ("weights", "point", "PublicTest: accuracy, %", "balanced", "macro precision",
              *(f"{label} said, right" for label in RARE), "CK+48, never seen: accuracy",
              "balanced")  # fmt: skip
    return table(header, rows) if rows else NOT_YET


def calibration(records: pd.DataFrame) -> str:
    """How much confidence means on PublicTest, each face answered by values chosen without it."""
    own = select(records, study="calibration", group=None)
    sides = {"logits alone": "before", "cross-fitted": "cross-fitted"}
    columns = {"accuracy": ".1p", "surest_80": ".1p", "ece": ".1p", "perfect_ece": ".1p",
               "said_gap": ".1p", "log_loss": ".3f"}  # fmt: skip
    rows = [
        [f"{titles.method(weights)}: {text}",
         *(cell(select(own, weights=weights, condition=side), spec, metric=metric)
           for metric, spec in columns.items())]
        for weights in sorted(own["weights"].unique()) for text, side in sides.items()
        if len(select(own, weights=weights, condition="cross-fitted"))
    ]  # fmt: skip
    header = ("PublicTest, %", "accuracy", "right among the surest 80 %", "ECE",
              "ECE of a perfect network, 95 % of draws", "gap of the labels said",
              "negative log-likelihood")  # fmt: skip
    return table(header, rows) if rows else NOT_YET


def camera(records: pd.DataFrame) -> str:
    """The same images through frame, detector and alignment; what costs least comes first."""
    shot = select(records, study="camera", group=None)
    accuracies = select(shot, metric="accuracy").sort_values(
        ["weights", "value"], ascending=[True, False]
    )
    rows = []
    for row in accuracies.itertuples(index=False):
        own = select(shot, weights=row.weights, condition=row.condition)
        rows.append([
            f"{titles.method(row.weights)}: {row.condition.replace('_', ' ')}",
            text(row.n, ",.0f"),
            cell(own, ".1p", metric="found"),
            cell(own, ".1p", "interval", metric="accuracy"),
            cell(own, ".1p", metric="balanced_accuracy"),
        ])  # fmt: skip
    header = ("through a camera, %", "images", "faces found", "accuracy (95 % interval)",
              "balanced accuracy")  # fmt: skip
    return table(header, rows)


def twins(records: pd.DataFrame) -> str:
    """What stands more than once in FER2013."""
    own = select(records, study="twins")
    if not len(own):
        return NOT_YET
    names = {
        "images": "images in groups of near-identical ones",
        "groups": "such groups",
        "public_images_with_twin_in_training": "images of PublicTest with a twin in Training",
        "private_images_with_twin_in_training": "images of PrivateTest with a twin in Training",
        "training_images_with_twin_in_test": "images of Training with a twin in a test split, not "
        "trained on",
    }
    n = text(one(own, metric="images")["n"], ",.0f")
    rows = [[title, cell(own, ",.0f", metric=metric)] for metric, title in names.items()]
    agreement = cell(own, ".1p", metric="label_agreement")
    rows.append(["pairs of twins whose FER2013 labels agree", f"{agreement} %"])
    return table((f"FER2013, {n} images", ""), rows)


def cost(records: pd.DataFrame) -> str:
    """What the training of each set of weights took."""
    columns = {"images seen": ("images_seen", ",.0f"),
               "multiply-adds an image, millions": ("multiply_adds_millions", ".1f"),
               "both multiplied, \u00d7 10\u00b9\u2075": ("peta_multiply_adds", ".3f"),
               "core hours": ("core_hours", ".1f")}  # fmt: skip
    spent = select(records, study="cost")
    rows = [[titles.method(weights), *(cell(spent, spec, weights=weights, metric=metric)
                                       for metric, spec in columns.values())]
            for weights in sorted(spent["weights"].unique())]  # fmt: skip
    return table(["forward passes of training", *columns], rows)


def speed(records: pd.DataFrame) -> str:
    """Milliseconds a face, and how many times faster than torch in the same run."""
    taken = select(records, study="speed")
    rows = []
    for weights in sorted(taken["weights"].unique()):
        for batch in (1, 64):
            own = select(taken, weights=weights, condition=f"batch {batch}")
            faces = "one face" if batch == 1 else f"{batch} faces"
            for metric, maps in (("milliseconds", ""), ("explained_milliseconds", ", with maps")):
                times = select(own, metric=metric)
                if len(times):
                    rows.append([f"{titles.method(weights)}, {faces}{maps}",
                                 *(_time(times, way) for way in titles.RUNTIMES)])  # fmt: skip
    header = [f"milliseconds a face, one thread of {_processor(taken)}", *titles.RUNTIMES.values()]
    return table(header, rows)


def _time(times: pd.DataFrame, way: str) -> str:
    shown = cell(times, ".2f", option=way)
    if way == "torch" or not len(select(times, option=way)):
        return shown
    ratio = one(times, option="torch")["value"] / one(times, option=way)["value"]
    return f"{shown} ({ratio:.1f}\u00d7)"


def frame(records: pd.DataFrame) -> str:
    """What a frame of a camera with one face costs, from pixels."""
    taken = select(records, study="frame")
    names = {"label_milliseconds": "to its label", "with_explanation_milliseconds": "with maps",
             "with_explanation_drawn_milliseconds": "with maps, drawn"}  # fmt: skip
    rows = []
    for (weights, way, size), own in taken.groupby(["weights", "option", "condition"]):
        what = f"{titles.method(weights)}, {titles.RUNTIMES[way]}, {size}"
        rows.append([what, *(cell(own, ".1f", metric=metric) for metric in names)])
    return table([f"milliseconds a frame, one thread of {_processor(taken)}", *names.values()],
                 rows)  # fmt: skip


def agreement(records: pd.DataFrame) -> str:
    """How good each runtime's network is, and how like torch's."""
    taken = select(records, study="agreement")
    columns = {"MB": ("megabytes", ".2f"), "accuracy": ("accuracy", ".1p"),
               "balanced accuracy": ("balanced_accuracy", ".1p"),
               "same label as torch": ("same_label", ".2p"),
               "correlation of Grad-CAM with torch's": ("gradcam_correlation", ".4f")}  # fmt: skip
    rows = []
    for weights in sorted(taken["weights"].unique()):
        own = select(taken, weights=weights)
        for way in [way for way in titles.AGREEMENT if way in set(own["option"])]:
            values = [cell(own, spec, option=way, metric=metric)
                      for metric, spec in columns.values()]  # fmt: skip
            rows.append([f"{titles.method(weights)}, {titles.AGREEMENT[way]}", *values])
    return table(["PublicTest", *columns], rows)


def against(records: pd.DataFrame) -> str:
    """What a frame costs now, as a share of what it cost before, in one run."""
    taken = select(records, study="against")
    rows = []
    for (weights, condition), own in taken.groupby(["weights", "condition"], sort=False):
        share = one(own, metric="share")
        rows.append([
            f"{titles.method(weights)}, {_against(condition)}",
            cell(own, ".1f", metric="before_milliseconds"),
            cell(own, ".1f", metric="now_milliseconds"),
            f"{100 * share['value']:.0f} % ({100 * share['low']:.0f}\u2013"
            f"{100 * share['high']:.0f})",
        ])  # fmt: skip
    header = [f"640x480, one thread of {_processor(taken)}", "before, ms", "now, ms",
              "now of before (quartiles)"]  # fmt: skip
    return table(header, rows)


def _against(condition: str) -> str:
    if condition in titles.AGAINST:
        return titles.AGAINST[condition]
    faces, _, backend = condition.partition(", ")
    faces = faces.replace("1 face", "one face")
    if backend == "own":
        return f"{faces} to labels, the app's own choice"
    if backend == "onnx":
        return f"{faces} to labels, ONNX Runtime"
    return f"{faces} to labels, {titles.RUNTIMES[backend]} against ONNX Runtime"


def browser(records: pd.DataFrame) -> str:
    """From a canvas to the label of its face in one page, and how many times as fast the kernel is
    as each other way."""
    taken = select(records, study="browser")
    times = select(taken, metric="milliseconds")
    names = sorted(times["weights"].dropna().unique())
    rows = []
    for (option, weights), own in times.groupby(["option", "weights"], sort=False, dropna=False):
        what = titles.BROWSER[option]
        network = "" if pd.isna(weights) else f", {titles.method(weights)}"
        ratios = [cell(taken, ".1f", "interval", option=option, weights=name,
                       metric="times_as_fast")
                  if pd.isna(weights) or weights == name else DASH for name in names]  # fmt: skip
        rows.append([f"{what}{network}", cell(own, ".1f", "interval"), *ratios])
    header = [f"640x480 canvas to label, one thread of {_processor(taken)}", "milliseconds",
              *(f"kernel with {titles.method(name)}: times as fast" for name in names)]  # fmt: skip
    return table(header, rows)


def peers(records: pd.DataFrame) -> str:
    """From a frame to the label of its face in Python, and how many times as fast as fer."""
    taken = select(records, study="peers")
    times = select(taken, metric="milliseconds")
    rows = []
    for (option, weights), own in times.groupby(["option", "weights"], sort=False, dropna=False):
        ours = not pd.isna(weights)
        what = f"{titles.method(weights)}, {titles.RUNTIMES[option]}" if ours else option
        ratio = cell(taken, ".1f", "interval", metric="times_as_fast",
                     weights=weights if ours else "")  # fmt: skip
        rows.append([what, cell(own, ".1f", "interval"), ratio])
    header = [f"640x480 frame to label, one core of {_processor(taken)}", "milliseconds",
              "times as fast as fer"]  # fmt: skip
    return table(header, rows)


def _processor(taken: pd.DataFrame) -> str:
    names = sorted(set(taken["processor"].dropna()))
    if len(names) > 1:
        raise DataError(f"times of {names} in one table; expected one processor")
    return names[0] if names else "no processor"


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "weights": weights_table,
    "cards": cards_table,
    "ckplus48": ckplus48,
    "ckplus48-paper-classes": partial(recalls, data="ckplus48", protocol="paper"),
    "ckplus48-classes": partial(recalls, data="ckplus48", protocol="subject10"),
    "cross-dataset": cross_dataset,
    "ferplus": partial(private, data="ferplus", columns=PRIVATE),
    "ferplus-confidence": partial(private, data="ferplus", columns=CONFIDENCE),
    "ferplus-classes": partial(recalls, data="ferplus", protocol="private"),
    "fer2013": partial(private, data="fer2013", columns=PRIVATE),
    "fer2013-confidence": partial(private, data="fer2013", columns=CONFIDENCE),
    "fer2013-classes": partial(recalls, data="fer2013", protocol="private"),
    "operating-points": operating_points,
    "calibration": calibration,
    "camera": camera,
    "twins": twins,
    "cost": cost,
    "speed": speed,
    "frame": frame,
    "agreement": agreement,
    "against": against,
    "browser": browser,
    "peers": peers,
}
