"""Do maps show what the answer rests on? Deletion and insertion, with fills that no map was made
with, against maps that know nothing of the network.

Faces are those of `Subject.some`; what is explained is the answer. ``condition`` is the method,
``option`` how pixels go and what takes their place. ``abpc_gain`` and ``deletion_gain`` are how far
a method is above a baseline (``group``), paired by face, with a bootstrap over persons or images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from eval.bootstrap import bootstrap
from eval.records import Record
from eval.trust.curves import RANKS, Judge
from eval.trust.fills import FILLS, standard_noise
from eval.trust.methods import (
    MEAN,
    all_maps,
    backend_for,
    baselines_of,
    defaults,
    explainers,
    milliseconds,
    own_fill,
)  # fmt: skip
from eval.trust.page import figure, find, number, paragraph, table
from eval.trust.section import Subject
from fer_cbam.explain.hide import logits_of
from fer_cbam.explain.named import LIVE, NEED_TORCH

name = "faithfulness"
title = "Explanations: do they show what the answer rests on?"

FACES, QUICK_FACES = 100, 50
STEPS = {"pixel": 6, "block": 4}
QUICK_STEPS = {"pixel": 4}
UNUSED = ("noise", "road")  # by no explainer of ours: methods are ranked by these
MOST_MILLISECONDS = 50  # of a map for a photo
AT_ONCE = 10  # faces
GAUSSIAN = "over Gaussian"
METRICS = ("abpc", "aopc", "deletion_auc", "insertion_auc")


def measure(subject: Subject) -> list[Record]:
    faces = subject.some(QUICK_FACES if subject.quick else FACES)
    x = subject.backend.preprocess([subject.crops[i] for i in faces])
    labels = said(subject, logits_of(subject.fast, x))
    maps = all_maps(subject, x, labels, subject.rng(f"{name} maps"))
    rows = subject.table.iloc[faces]
    scores = judged(subject, x, labels, maps, subject.rng(name))
    records = [
        subject.record("milliseconds", milliseconds(method, subject), condition=method,
                       option="torch" if backend_for(method, subject) is subject.backend
                       and method in NEED_TORCH else "runtime", n=1)
        for method in explainers(subject)
    ]  # fmt: skip
    records += [subject.record("default", 1, condition=method, option=use)
                for use, method in defaults(subject).items()]  # fmt: skip
    return records + list(summary(subject, rows, scores))


def said(subject: Subject, logits: np.ndarray) -> np.ndarray:
    """Places of the labels that are said, int ``(N,)``."""
    return subject.decision.said(subject.decision.posterior(logits))


#: (method, kind of steps, fill) -> score -> ``(B,)``.
Scores = dict[tuple[str, str, str], dict[str, np.ndarray]]


def judged(
    subject: Subject, x: np.ndarray, labels: np.ndarray, maps: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> Scores:  # fmt: skip
    """Scores of every method by every fill that it does not use."""
    noise = standard_noise(x, rng)
    parts: dict[tuple[str, str, str], list[dict[str, np.ndarray]]] = {}
    ranks = {(method, kind): RANKS[kind](m, rng) for method, m in maps.items()
             for kind in (QUICK_STEPS if subject.quick else STEPS)}  # fmt: skip
    fills = UNUSED if subject.quick else tuple(FILLS)
    starts = range(0, len(x), AT_ONCE)
    for start, fill in subject.progress([(s, f) for s in starts for f in fills], "perturbed"):
        some = slice(start, start + AT_ONCE)
        judge = Judge(lambda faces: logits_of(subject.fast, faces), x[some], labels[some],
                      FILLS[fill], noise[some], subject.decision)  # fmt: skip
        own = {key: order[some] for key, order in ranks.items() if fill != own_fill(key[0])}
        steps = QUICK_STEPS if subject.quick else STEPS
        found = subject.done(f"{fill} {start}", partial(_scores, judge, own, steps))
        for method, kind in own:
            scores = {m: found[f"{method} {kind} {m}"] for m in (*METRICS, "abpc_log_odds")}
            parts.setdefault((method, kind, fill), []).append(scores)
    return {key: {m: np.concatenate([p[m] for p in several]) for m in several[0]}
            for key, several in parts.items()}  # fmt: skip


def _scores(
    judge: Judge, ranks: Mapping[tuple[str, str], np.ndarray], steps: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """``<method> <kind> <score>`` -> ``(B,)``."""
    found = {}
    for (method, kind), order in ranks.items():
        probs, odds = judge.curves(order, steps[kind])
        for metric, values in (probs.scores | {"abpc_log_odds": odds.scores["abpc"]}).items():
            found[f"{method} {kind} {metric}"] = values
    return found


def summary(subject: Subject, rows: pd.DataFrame, scores: Scores) -> Iterator[Record]:
    """Means and gains with their intervals."""
    columns: list[tuple[dict, np.ndarray]] = []
    methods = list(dict.fromkeys(method for method, _, _ in scores))
    own = [method for method in explainers(subject) if method in methods]
    for (method, kind, fill), found in scores.items():
        where = {"condition": method, "option": f"{kind}, {fill}"}
        columns += [({**where, "metric": metric}, v) for metric, v in found.items()]
        if method in own:
            for base in baselines_of(method, dict.fromkeys(methods)):
                if (base, kind, fill) in scores:
                    columns += _gains(where, base, found, scores[base, kind, fill])
    for method in methods:
        unused = [v["abpc"] for (m, _, fill), v in scores.items() if m == method and fill in UNUSED]
        where = {"condition": method, "option": "unused fills"}
        columns.append(({**where, "metric": "abpc"}, np.mean(unused, 0)))
    for method in own:
        of = {c["condition"]: v for c, v in columns if c["option"] == "unused fills"
              and c["metric"] == "abpc"}  # fmt: skip
        for base in baselines_of(method, dict.fromkeys(methods)):
            columns.append(({"condition": method, "option": "unused fills", "metric": "abpc_gain",
                             "group": f"over {base}"}, of[method] - of[base]))  # fmt: skip
    values = np.stack([v for _, v in columns], 1)
    low, high = bootstrap(rows, lambda _, w: means(values, w))
    for (where, v), lower, upper in zip(columns, low, high, strict=True):
        fields = {k: f for k, f in where.items() if k != "metric"}
        if fields["option"] == "unused fills":
            subject.keep(rows, where["metric"], v, **fields)
        yield subject.record(where["metric"], v.mean(), low=lower, high=upper, n=len(v), **fields)


def _gains(
    where: dict, base: str, found: dict[str, np.ndarray], baseline: dict[str, np.ndarray]
) -> list[tuple[dict, np.ndarray]]:
    group = {**where, "group": f"over {base}"}
    return [
        ({**group, "metric": "abpc_gain"}, found["abpc"] - baseline["abpc"]),
        # Deletion is the better the less is left.
        ({**group, "metric": "deletion_gain"}, baseline["deletion_auc"] - found["deletion_auc"]),
    ]


def means(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Weighted means of columns: values ``(N, M)``, weights ``(N, R)`` -> ``(R, M)``."""
    if weights is None:
        return values.mean(0)
    mean: np.ndarray = weights.T @ values / weights.sum(0)[:, None]
    return mean


def compared(record: Record) -> bool:
    """Whether a comparison of two weights shows this record."""
    return record["metric"] == "milliseconds" or (
        record["metric"] in ("abpc", "abpc_gain") and record.get("option") == "unused fills"
        and record.get("group", GAUSSIAN) == GAUSSIAN
    )  # fmt: skip


def html(records: Sequence[Record]) -> str:
    overall = [r for r in records if r["metric"] == "abpc" and r["option"] == "unused fills"]
    overall.sort(key=lambda r: -r["value"])
    costs = {r["condition"]: r for r in records if r["metric"] == "milliseconds"}
    rows = [[r["condition"], number(r), number(_gain(records, r, GAUSSIAN), "+.3f"),
             number(_gain(records, r, None), "+.3f"), number(costs.get(r["condition"]), ".1f")]
            for r in overall]  # fmt: skip
    text = paragraph(
        f"Area between the insertion and the deletion curve (ABPC) of {overall[0]['n']} answers, "
        f"mean over the fills that no map is made with ({' and '.join(UNUSED)}), with 95 % "
        "intervals. Cost: processor time of one face on one thread, the forward pass included."
    )
    text += verdict(records, overall, costs)
    text += table(["method", "ABPC", "over Gaussian", "over its class mean", "ms"], rows)
    text += figure(bars(overall), "ABPC of each method with its interval")
    for option in dict.fromkeys(r["option"] for r in records if r["metric"] == "aopc"):
        text += f"<h3>{option}</h3>" + table(["method", *METRICS, "ABPC of log-odds"], [
            [r["condition"], *(number(find(records, metric=m, condition=r["condition"],
                                           option=option))
                               for m in (*METRICS, "abpc_log_odds"))]
            for r in overall
            if find(records, metric="abpc", condition=r["condition"], option=option)
        ])  # fmt: skip
    return text


def verdict(
    records: Sequence[Record], overall: Sequence[Record], costs: dict[str, Record]
) -> str:  # fmt: skip
    """What is best for each use, what is shown, and whether that beats all baselines."""
    said = ""
    for use, possible in candidates(overall, costs).items():
        best = possible[0]["condition"]
        shown = find(records, metric="default", option=use)
        default = "none" if shown is None else shown["condition"]
        gains = [r for r in records if r["metric"] in ("abpc_gain", "deletion_gain")
                 and r["condition"] == default and r["option"] != "unused fills"]  # fmt: skip
        clear = sum(r["low"] > 0 for r in gains)
        said += paragraph(
            f"{use}: shown first is {default}; best of those that are cheap enough: {best}. "
            f"Above a baseline, clear of zero, in {clear} of {len(gains)} comparisons."
        )
    return said


def candidates(
    overall: Sequence[Record], costs: dict[str, Record]
) -> dict[str, list[Record]]:  # fmt: skip
    """Use -> explainers that are cheap enough for it, from the best down."""
    own = [r for r in overall if r["condition"] in costs]
    cheap = [r for r in own if r["condition"] not in NEED_TORCH
             and costs[r["condition"]]["value"] <= MOST_MILLISECONDS]  # fmt: skip
    return {"live": [r for r in own if r["condition"] in LIVE], "still": cheap}


def _gain(records: Sequence[Record], of: Record, group: str | None) -> Record | None:
    groups = {group} if group else {f"over {MEAN}{m}" for m in (of["condition"], "gradcam")}
    gains = [r for r in records if r["metric"] == "abpc_gain" and r["option"] == "unused fills"
             and r["condition"] == of["condition"] and r["group"] in groups]  # fmt: skip
    return gains[0] if gains else None


def bars(overall: Sequence[Record]) -> Figure:
    drawn = Figure(figsize=(7, 0.3 * len(overall) + 1), layout="constrained")
    axes = drawn.subplots()
    values = np.array([[r["value"], r["low"], r["high"]] for r in overall[::-1]], float).T
    axes.barh([r["condition"] for r in overall[::-1]], values[0], color="#4477AA",
              xerr=np.abs(values[1:] - values[0]), ecolor="#222222")  # fmt: skip
    axes.set_xlabel("ABPC")
    return drawn
