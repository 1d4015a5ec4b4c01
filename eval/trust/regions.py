"""Which region of the face does an answer rest on, and does the sentence about it hold?

Regions are those of detected landmarks (:mod:`fer_cbam.words.regions`). The sentence is made from
two fills (:mod:`fer_cbam.explain.parts`); what it says is held against two others, noise and
ROAD's imputation, and against naming the commonest region of the emotion every time. The reference
is the exact Shapley value of each region (Shapley 1953; Lundberg and Lee, NeurIPS 2017,
https://arxiv.org/abs/1705.07874), over all 256 ways to hide some of them by their mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from eval.bootstrap import bootstrap
from eval.records import Record
from eval.studies.alignment import View, embed, find
from eval.trust.faithfulness import UNUSED, means, said
from eval.trust.fills import FILLS, standard_noise
from eval.trust.page import figure, number, paragraph, table
from eval.trust.page import find as find_record
from eval.trust.section import Subject
from fer_cbam.detect import face_detector
from fer_cbam.errors import DataError, ImageError
from fer_cbam.explain.hide import hidden, logits_of, mean_grey
from fer_cbam.explain.parts import part_losses, softened
from fer_cbam.words.facs import FACS
from fer_cbam.words.regions import REGIONS, region_masks

name = "regions"
title = "Regions of the face: what an answer rests on, and whether the sentence holds"

FACES, QUICK_FACES = 300, 60
SHAPLEY_FACES, QUICK_SHAPLEY_FACES = 40, 6
HOLDS = 0.02  # of probability that hiding a named region takes, with fills that did not choose it
VIEW = View(96, 0)


def measure(subject: Subject) -> list[Record]:
    faces = subject.some(QUICK_FACES if subject.quick else FACES)
    found = located(subject, faces)
    if not found:
        raise DataError("regions: no face was found in any crop; expected some")
    kept = np.array(list(found))
    x = subject.backend.preprocess([subject.crops[i] for i in kept])
    answers = said(subject, logits_of(subject.fast, x))
    named, unused = [], []
    rng = subject.rng(name)
    for k in subject.progress(range(len(x)), "regions"):
        masks, face = found[int(kept[k])], x[k : k + 1]
        label = subject.backend.label_names[answers[k]]
        losses = part_losses(subject.fast, face, masks, subject.decision)[label]
        named.append(losses.decisive)
        unused.append(unused_losses(subject, face, masks, int(answers[k]), rng))
    labels = [subject.backend.label_names[a] for a in answers]
    records = [subject.record("faces_found", len(kept) / len(faces), n=len(faces))]
    records += sentence_records(subject, subject.table.iloc[kept], labels, named, np.stack(unused))
    records += facs_records(subject, labels, np.stack(unused), [found[int(i)] for i in kept])
    count = QUICK_SHAPLEY_FACES if subject.quick else SHAPLEY_FACES
    chosen = rng.permutation(len(kept))[:count]
    return records + shapley_records(subject, x[chosen], answers[chosen],
                                     [found[int(kept[i])] for i in chosen])  # fmt: skip


def located(subject: Subject, faces: np.ndarray) -> dict[int, dict[str, np.ndarray]]:
    """Position of a face -> its regions, for those whose landmarks are found and span a face."""
    detector, rng = face_detector(), subject.rng(f"{name} found")
    side = subject.backend.preprocess.input_size[1]
    found = {}
    for i in faces:
        picture, truth = embed(subject.crops[i], VIEW, rng)
        face = find(detector, picture, truth, VIEW.size)
        if face is None:
            continue
        shares = (face.landmarks - truth[:, 2]) / VIEW.size
        try:
            found[int(i)] = region_masks(shares * side - 0.5, side)
        except ImageError:  # landmarks on a line
            continue
    return found


def unused_losses(
    subject: Subject, face: np.ndarray, masks: Mapping[str, np.ndarray], answer: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Loss of the answer's probability with each region hidden by each unused fill: ``(F, R)``."""
    stacked = np.stack(list(masks.values()))
    repeated = np.repeat(face, len(stacked), 0)
    noise = np.repeat(standard_noise(face, rng), len(stacked), 0)
    asked = np.concatenate([face, *(FILLS[f](repeated, stacked, noise) for f in UNUSED)])
    logits = logits_of(subject.fast, asked.astype(np.float32))
    probs = subject.decision.posterior(logits)[:, answer]
    return (probs[0] - probs[1:]).reshape(len(UNUSED), -1)


def sentence_records(
    subject: Subject, rows: pd.DataFrame, labels: Sequence[str], named: Sequence[str | None],
    unused: np.ndarray,
) -> list[Record]:  # fmt: skip
    """How often a region is named, and how often that holds. unused: ``(N, F, R)``."""
    speaks = np.array([region is not None for region in named])
    place = np.array([REGIONS.index(region) if region else 0 for region in named])
    every = np.arange(len(named))
    mean = unused.mean(1)
    lost = unused[every, :, place]
    ranks = (-mean).argsort(1).argsort(1)[every, place]
    usual = commonest(labels, mean.argmax(1))
    columns = {
        "named": np.ones(len(named)) * speaks,
        "holds": (lost >= HOLDS).all(1).astype(float),
        "strongest": (ranks == 0).astype(float),
        "among_two_strongest": (ranks < 2).astype(float),
        "commonest_strongest": (mean.argmax(1) == usual).astype(float),
        "loss_over_commonest": mean[every, place] - mean[every, usual],
    }
    records = []
    for metric, values in columns.items():
        among = np.ones(len(named), bool) if metric == "named" else speaks
        if among.any():
            column = values[among][:, None]
            low, high = bootstrap(rows[among], partial(_mean_of, column))
            subject.keep(rows[among], metric, values[among])
            records.append(subject.record(metric, column.mean(), low=low[0], high=high[0],
                                          n=int(among.sum())))  # fmt: skip
    return records


def _mean_of(column: np.ndarray, _: pd.DataFrame, weights: np.ndarray | None) -> np.ndarray:
    return means(column, weights)


def commonest(labels: Sequence[str], strongest: np.ndarray) -> np.ndarray:
    """For each face the region that is strongest most often in the other faces of its label."""
    out = np.empty(len(labels), int)
    for i, label in enumerate(labels):
        others = [s for k, s in enumerate(strongest) if labels[k] == label and k != i]
        counts = np.bincount(others or strongest, minlength=len(REGIONS))
        out[i] = counts.argmax()
    return out


def facs_records(
    subject: Subject, labels: Sequence[str], unused: np.ndarray,
    masks: Sequence[Mapping[str, np.ndarray]],
) -> Iterator[Record]:  # fmt: skip
    """For each emotion the share of what hiding takes that lies in the regions which FACS ties to
    it, and beside it the share of the face (all but its surroundings) that those regions fill."""
    lost = np.maximum(unused.mean(1), 0)
    for label, actions in FACS.items():
        own = [i for i, said in enumerate(labels) if said == label]
        tied = [REGIONS.index(region) for region in actions.regions]
        total = lost[own][:, : REGIONS.index("surroundings")].sum()
        if total > 0:
            inside = np.mean([
                sum(masks[i][r].sum() for r in actions.regions)
                / sum(masks[i][r].sum() for r in REGIONS if r != "surroundings")
                for i in own
            ])  # fmt: skip
            yield subject.record("facs_share", lost[own][:, tied].sum() / total, group=label,
                                 n=len(own))  # fmt: skip
            yield subject.record("facs_area", inside, group=label, n=len(own))


def shapley_records(
    subject: Subject, x: np.ndarray, answers: np.ndarray,
    masks: Sequence[Mapping[str, np.ndarray]],
) -> list[Record]:  # fmt: skip
    """How well hiding one region at a time agrees with Shapley values, by the same fill."""
    rhos, same = [], []
    for face, answer, own in zip(x, answers, masks, strict=True):
        values = region_worths(subject, face[None], own, int(answer))
        exact = shapley(values)
        full = len(values) - 1
        alone = np.array([values[full] - values[full ^ (1 << r)] for r in range(len(REGIONS))])
        rhos.append(spearmanr(exact, alone).statistic)
        same.append(exact.argmax() == alone.argmax())
    return [
        subject.record("shapley_correlation", np.nanmean(rhos), n=len(rhos)),
        subject.record("shapley_same_strongest", np.mean(same), n=len(same)),
    ]


def region_worths(
    subject: Subject, face: np.ndarray, masks: Mapping[str, np.ndarray], answer: int
) -> np.ndarray:
    """Probability of the answer with each set of regions shown, the others at the mean grey:
    ``(2 ** R,)``, region r being bit r of the place."""
    stacked = np.stack(list(masks.values()))
    shown = (np.arange(2 ** len(stacked))[:, None] >> np.arange(len(stacked))) & 1
    hide = ((1 - shown) @ stacked.reshape(len(stacked), -1)).reshape(-1, *stacked.shape[1:])
    faces = hidden(face, softened(hide > 0), mean_grey(face))
    return subject.decision.posterior(logits_of(subject.fast, faces))[:, answer]


def shapley(worths: np.ndarray) -> np.ndarray:
    """Exact Shapley values ``(R,)`` of a game ``(2 ** R,)``; player r is bit r of the place."""
    count = len(worths).bit_length() - 1
    sets = np.arange(len(worths))
    sizes = np.array([int(s).bit_count() for s in sets])
    weights = np.array([math.factorial(k) * math.factorial(count - k - 1) / math.factorial(count)
                        for k in range(count)])  # fmt: skip
    values = np.empty(count)
    for r in range(count):
        without = sets[(sets >> r) & 1 == 0]
        gain = worths[without | (1 << r)] - worths[without]
        values[r] = weights[sizes[without]] @ gain
    return values


def compared(record: Record) -> bool:
    """Whether a comparison of two weights shows this record."""
    return record["metric"] in (
        "named", "holds", "strongest", "among_two_strongest", "commonest_strongest",
        "loss_over_commonest", "facs_share", "shapley_correlation", "shapley_same_strongest",
    )  # fmt: skip


def html(records: Sequence[Record]) -> str:
    def shown(metric: str, spec: str = ".1%") -> str:
        return number(find_record(records, metric=metric), spec)

    text = paragraph(
        f"Landmarks are found in {shown('faces_found')} of the crops. The sentence names a region "
        f"for {shown('named')} of those faces; else it says that no single region decides."
    )
    text += table(["of the regions that are named", ""], [
        [f"hiding it takes at least {HOLDS} with both unused fills", shown("holds")],
        ["it is the strongest with the unused fills", shown("strongest")],
        ["it is among the two strongest", shown("among_two_strongest")],
        ["always the commonest region of the emotion: the strongest",
         shown("commonest_strongest")],
        ["loss of probability beyond that of the commonest region",
         shown("loss_over_commonest", "+.3f")],
    ])  # fmt: skip
    text += paragraph(
        "Shapley values over all sets of regions: rank correlation with hiding one at a time "
        f"{shown('shapley_correlation', '.2f')}, the same region strongest in "
        f"{shown('shapley_same_strongest')} of faces."
    )
    text += paragraph(
        "Share of what hiding takes that lies in the regions which FACS (Ekman and Friesen) ties "
        "to the emotion, and the share of the face that they fill."
    )
    groups = [r["group"] for r in records if r["metric"] == "facs_share"]
    text += table(["emotion", "FACS", "regions", "share", "area", "faces"], [
        [label, FACS[label].words, ", ".join(FACS[label].regions),
         *(number(find_record(records, metric=m, group=label), ".0%")
           for m in ("facs_share", "facs_area")),
         str((find_record(records, metric="facs_share", group=label) or {})["n"])]
        for label in groups
    ])  # fmt: skip
    if groups:
        alt = "Share of what hiding takes inside the regions of FACS, beside the area they fill"
        text += figure(facs_bars(records), alt)
    return text + paragraph(
        "Action units are open: no labels of them were learnt. The losses by region are what can "
        "be had without; they do not say which muscle moved."
    )


def facs_bars(records: Sequence[Record]) -> Figure:
    """Share of the effect and share of the area, of each emotion."""
    metrics = {"facs_share": "of what hiding takes", "facs_area": "of the face's area"}
    labels = [r["group"] for r in records if r["metric"] == "facs_share"]
    drawn = Figure(figsize=(7, 3), layout="constrained")
    axes = drawn.subplots()
    for i, (metric, text) in enumerate(metrics.items()):
        own = [r["value"] for r in records if r["metric"] == metric]
        axes.bar(np.arange(len(labels)) + 0.4 * i, own, width=0.4, label=text,
                 color=("#4477AA", "#BBBBBB")[i])  # fmt: skip
    axes.set_xticks(np.arange(len(labels)) + 0.2, labels)
    axes.set(ylabel="share in the regions of FACS", ylim=(0, 1))
    axes.legend()
    return drawn
