"""Confidence: does it mean what it says, for answers, for votes, and for what is no face?

Conditions of the records: ``as it answers``; ``cross-fitted``, where these faces chose the
calibration: each answered by values that were chosen without it (:mod:`eval.calibrate`). Beside the
ECE stands what a perfectly calibrated network with the same confidences would show
(``perfect_ece``: mean, and the value that 95 % of draws stay below as ``high``), and beside the
network's distance from ten votes that of one of the voters (:func:`eval.votes.one_voter`).

Pictures that are no faces are made anew (:mod:`eval.nonfaces`): ``answered`` is their share that is
taken for faces, by kind; ``unseen kinds`` were never fitted. ``answered_by_energy`` is the same for
the energy of the logits at a threshold that loses as many of these faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from eval import metrics as m
from eval import table
from eval.calibrate import PROTOCOL, cross_fitted, faces_of
from eval.figures import RC
from eval.nonfaces import FITTED, KINDS, LOST, made
from eval.predict import read, training_record
from eval.records import Record
from eval.table import Scored, scored
from eval.trust import page
from eval.trust.section import Subject
from eval.votes import cross_entropy, jensen_shannon, one_voter, vote_shares
from fer_cbam.decide import softmax
from fer_cbam.labels import FERPLUS_COLUMNS
from fer_cbam.prior import logit_offset

name = "confidence"
title = "Confidence: is it right as often as it says?"

ANSWERS, CROSS_FITTED = "as it answers", "cross-fitted"
VOTER = "one voter"
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the answers, the surest first
FITTED_KINDS, UNSEEN_KINDS = "fitted kinds", "unseen kinds"
_OF_NO_FACE = ("faces_lost", "answered")
EACH, QUICK_EACH = 200, 20  # pictures of a kind


def measure(subject: Subject) -> list[Record]:
    """Records of answers, of votes where there are any, and of what is no face."""
    records: list[Record] = []
    for condition, side in sides(subject).items():
        records += _records(subject, side, condition)
    if subject.votes is not None and set(subject.backend.label_names) <= set(FERPLUS_COLUMNS):
        records += _votes(subject, subject.votes)
    return records + list(_faces(subject))


def sides(subject: Subject) -> dict[str, Scored]:
    """Condition -> answers of these faces."""
    own = scored(subject.table)
    found = {ANSWERS: own}
    config = subject.backend.config
    chose = training_record(subject.backend)["data"] == subject.data
    if chose and subject.protocol == PROTOCOL and "decision" in config and not subject.quick:
        faces = faces_of(subject.table, config)
        probs, said = cross_fitted(faces)
        places = np.array([own.label_names.index(label) for label in faces.labels])
        held = np.zeros_like(own.probs)
        held[:, places] = probs
        found[CROSS_FITTED] = replace(own, probs=held, preds=places[said])
    return found


def numbers(side: Scored) -> dict[str, float]:
    """What is said of one side's confidence, by name."""
    confidence, correct = side.confidence, side.correct
    return {
        "accuracy": float(correct.mean()),
        "ece": float(m.ece(confidence, correct)),
        "adaptive_ece": m.adaptive_ece(confidence, correct),
        "said_gap": m.said_gap(side.preds, confidence, correct, len(side.label_names)),
        "brier": float(m.brier(side.targets, side.probs)),
        "log_loss": float(m.log_loss(side.targets, side.probs)),
        "aurc": m.area_under_risk_coverage(confidence, correct),
        **{f"surest_{100 * s:.0f}": m.surest(confidence, correct, s) for s in SHARES},
    }


def of_each_face(side: Scored) -> dict[str, np.ndarray]:
    """Those of `numbers` that are means over faces: ``(N,)`` each."""
    own = side.probs[np.arange(len(side.targets)), side.targets]
    onehot = np.arange(side.probs.shape[1]) == side.targets[:, None]
    eps = np.finfo(np.float64).eps
    return {
        "accuracy": side.correct.astype(float),
        "brier": ((side.probs - onehot) ** 2).sum(1),
        "log_loss": -np.log(np.clip(own, eps, 1 - eps)),
    }


def _records(subject: Subject, side: Scored, condition: str) -> Iterator[Record]:
    n = len(side.preds)
    for metric, value in numbers(side).items():
        yield subject.record(metric, value, condition=condition, n=n)
    for metric, values in of_each_face(side).items():
        subject.keep(subject.table, metric, values, condition=condition)
    mean, high = m.perfect_ece(side.confidence, seed=subject.seed)
    yield subject.record("perfect_ece", mean, high=high, condition=condition, n=n)
    gaps, said = m.said_gaps(side.preds, side.confidence, side.correct, len(side.label_names))
    for label, gap, times in zip(side.label_names, gaps, said, strict=True):
        if times:
            yield subject.record("said_gap", gap, condition=condition, group=label, n=int(times))
    count, sure, hits = m.reliability_bins(side.confidence, side.correct)
    for i in np.flatnonzero(count):
        yield subject.record("bin_accuracy", hits[i], mean=sure[i], condition=condition,
                             group=f"bin {i}", n=int(count[i]))  # fmt: skip


def _votes(subject: Subject, counts: np.ndarray) -> Iterator[Record]:
    labels, config = subject.backend.label_names, subject.backend.config
    kept = vote_total(counts, labels) > 0
    shares = vote_shares(counts[kept], labels)
    logits = subject.table[[table.LOGIT + label for label in labels]].to_numpy(np.float64)[kept]
    offset = logit_offset(config, labels)
    plain = logits - [offset[label] for label in labels]
    probs = softmax(plain / config.get("vote_temperature", 1.0))
    n = int(kept.sum())
    values = (cross_entropy(shares, probs).mean(), jensen_shannon(shares, probs).mean())
    voter = one_voter(counts[kept], labels)
    for metric, own, one in zip(("vote_cross_entropy", "vote_jensen_shannon"), values, voter,
                                strict=True):  # fmt: skip
        yield subject.record(metric, own, n=n)
        yield subject.record(metric, one, condition=VOTER, n=n)


def vote_total(counts: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Votes for these labels, int ``(N,)``."""
    total: np.ndarray = counts[:, [FERPLUS_COLUMNS.index(label) for label in labels]].sum(1)
    return total


def energy(logits: np.ndarray) -> np.ndarray:
    """``logsumexp`` of logits ``(N, L)``: larger where the network has seen such pictures."""
    top = logits.max(1)
    found: np.ndarray = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return found


def _faces(subject: Subject) -> Iterator[Record]:
    logits, embedding = read(subject.fast, subject.crops)
    decision = subject.decision
    taken = decision.is_face(embedding, len(logits))
    least = np.quantile(energy(logits), max(LOST, float((~taken).mean())))
    yield subject.record("faces_lost", float((~taken).mean()), n=len(taken))
    each = QUICK_EACH if subject.quick else EACH
    answered: dict[str, list[np.ndarray]] = {}
    for kind in subject.progress(list(KINDS), "no faces"):
        # Another seed than the fit's, and faces that it has not seen.
        pictures = made(str(kind), each, subject.crops, subject.seed + 1)
        logits, embedding = read(subject.fast, pictures)
        passed = np.stack([decision.is_face(embedding, each), energy(logits) >= least])
        group = FITTED_KINDS if kind in FITTED else UNSEEN_KINDS
        for condition in (str(kind), group):
            answered.setdefault(condition, []).append(passed)
    for condition, parts in answered.items():
        shares = np.concatenate(parts, axis=1).mean(1)
        n = each * len(parts)
        yield subject.record("answered", shares[0], condition=condition, n=n)
        yield subject.record("answered_by_energy", shares[1], condition=condition, n=n)


def compared(record: Record) -> bool:
    """Whether a comparison of two weights shows this record."""
    shown = record["metric"] not in ("bin_accuracy", "perfect_ece")
    own = record.get("condition") in (ANSWERS, CROSS_FITTED) and record.get("group") is None
    return shown and (own or record["metric"] in _OF_NO_FACE or "vote" in record["metric"])


def html(records: Sequence[Record]) -> str:
    """Tables of answers, labels, votes and no faces, and a figure."""
    conditions = [c for c in (ANSWERS, CROSS_FITTED) if page.find(records, condition=c)]
    parts = [_answers(records, conditions), _labels(records, conditions)]
    if page.find(records, metric="vote_cross_entropy"):
        parts.append(_ten_votes(records))
    parts += [_no_faces(records), page.figure(
        _drawn(records, conditions), "Accuracy against confidence, and accuracy of the surest"
    )]  # fmt: skip
    return "".join(parts)


def _answers(records: Sequence[Record], conditions: Sequence[str]) -> str:
    titles = {
        "accuracy": "accuracy", "surest_80": "right among the surest 80 %",
        "ece": "ECE", "perfect_ece": "ECE of a perfect network of that size, and its 95 %",
        "adaptive_ece": "ECE in bins of equal size", "said_gap": "gap of the labels said, weighted",
        "brier": "Brier score", "log_loss": "negative log-likelihood",
        "aurc": "mean error over all coverages",
    }  # fmt: skip
    rows = [[text, *(_number(page.find(records, metric=metric, condition=c, group=None))
                     for c in conditions)] for metric, text in titles.items()]  # fmt: skip
    return page.table(["", *conditions], rows)


def _number(record: Record | None) -> str:
    shown = page.number(None if record is None else {**record, "low": None}, ".4f")
    high = None if record is None else record.get("high")
    return shown if high is None else f"{shown}, {high:.4f}"


def _labels(records: Sequence[Record], conditions: Sequence[str]) -> str:
    labels = dict.fromkeys(r["group"] for r in records
                           if r["metric"] == "said_gap" and "group" in r)  # fmt: skip
    rows = []
    for label in labels:
        row = [str(label)]
        for condition in conditions:
            found = page.find(records, metric="said_gap", group=label, condition=condition)
            row += [page.number(found, "+.3f"), str(found["n"]) if found else "0"]
        rows.append(row)
    header = ["label said: confidence less share right"]
    for condition in conditions:
        header += [condition, "times"]
    return page.table(header, rows)


def _ten_votes(records: Sequence[Record]) -> str:
    titles = {"vote_cross_entropy": "cross-entropy to the votes, nats",
              "vote_jensen_shannon": "Jensen-Shannon divergence, nats"}  # fmt: skip
    rows = [[text, *(page.number(page.find(records, metric=metric, condition=who))
                     for who in (None, VOTER))] for metric, text in titles.items()]  # fmt: skip
    return page.table(["ten votes of FER+", "network", "one voter, by the other votes"], rows)


def _no_faces(records: Sequence[Record]) -> str:
    shown = [r["condition"] for r in records if r["metric"] == "answered"]
    rows = [[c, *(page.number(page.find(records, metric=metric, condition=c))
                  for metric in ("answered", "answered_by_energy"))] for c in shown]  # fmt: skip
    lost = page.find(records, metric="faces_lost")
    return page.paragraph(
        f"Share of pictures that are no faces and get an answer; {page.number(lost)} of the faces "
        "get none."
    ) + page.table(["no face", "answered", "by the energy of the logits"], rows)


def _drawn(records: Sequence[Record], conditions: Sequence[str]) -> Figure:
    with rc_context(RC):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="#777777", linewidth=0.8)
        for condition in conditions:
            of = [r for r in records if r.get("condition") == condition]
            bins = [(r["mean"], r["value"]) for r in of if r["metric"] == "bin_accuracy"]
            left.plot(*zip(*bins, strict=True), marker="o", label=condition)
            surest = [page.find(of, metric=f"surest_{100 * s:.0f}") for s in SHARES]
            right.plot(SHARES, [r["value"] for r in surest if r], marker="o", label=condition)
        left.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
        right.set(xlabel="share answered, the surest first", ylabel="accuracy")
        left.legend()
    return figure
