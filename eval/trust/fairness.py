"""Fairness: are some faces served worse than others, by what is known of them here?

Known are the person (where the data set says so) and what can be measured: brightness, contrast and
sharpness of the crop, size of the face in it and turn of the head by the detector's landmarks, and
whether the detector finds the face at all. Nobody's age, sex or skin is known, and nothing here
predicts them: ``python -m eval audit`` asks the same of a table that has them. See
:mod:`eval.audit` for how groups are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from eval import audit
from eval.cross import bordered
from eval.records import Record
from eval.studies.alignment import as_rgb
from eval.table import scored
from eval.trust import page
from eval.trust.section import Subject
from fer_cbam.detect import FaceDetector, face_detector
from fer_cbam.labels import FERPLUS_COLUMNS
from fer_cbam.types import Face

name = "fairness"
title = "Fairness: who is served worse, by what is known here"

QUICK_SHUFFLES = 500
PERSON = "person"


def measure(subject: Subject) -> list[Record]:
    """Records of each column, see :func:`eval.audit.audit_records`."""
    records: list[Record] = []
    for column, values in columns_of(subject, face_detector()).items():
        shuffles = QUICK_SHUFFLES if subject.quick else audit.SHUFFLES
        if len({v for v in values if v is not None}) > 1:
            answers = answers_of(subject, units_of(subject, column))
            found = audit.audit(answers, values, subject.rng(column), shuffles)
            records += audit.audit_records(
                found, column, data=subject.data, protocol=subject.protocol, weights=subject.weights
            )
    return records


def units_of(subject: Subject, column: str = "") -> np.ndarray:
    """What is not independent, int ``(N,)``: a person, or where persons are unknown or compared a
    sequence or group of near-identical images."""
    names = [(None if column == PERSON else s.subject_id) or s.group or s.sample_id
             for s in subject.samples]  # fmt: skip
    codes: np.ndarray = np.unique(names, return_inverse=True)[1]
    return codes


def answers_of(subject: Subject, units: np.ndarray) -> audit.Answers:
    """What the weights said."""
    s = scored(subject.table)
    names = np.array(s.label_names)
    targets = names[s.targets]
    agreement = None
    if subject.votes is not None:
        place = np.array([FERPLUS_COLUMNS.index(label) for label in targets])
        votes = subject.votes
        agreement = votes[np.arange(len(votes)), place] / votes.sum(axis=1)
    return audit.Answers(targets, names[s.preds], units, s.confidence, agreement)


def columns_of(subject: Subject, detector: FaceDetector) -> dict[str, Sequence[Any]]:
    """Column -> a value for each face, None where it is not known. What is measured is cut into
    thirds by its mean over a person: each has a camera and a light of their own."""
    crops = [as_rgb(crop) for crop in subject.crops]
    faces = [_face(crop, detector) for crop in subject.progress(crops, name)]
    persons: list[Any] = [sample.subject_id for sample in subject.samples]
    grey = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
    measured = {
        "brightness": [g.mean() for g in grey],
        "contrast": [g.std() for g in grey],
        "sharpness": [cv2.Laplacian(g, cv2.CV_64F).var() for g in grey],
        "size": [np.nan if f is None else f.size for f in faces],
        "head turn": [np.nan if f is None else abs(turn(f.landmarks)) for f in faces],
    }
    units = units_of(subject)
    columns: dict[str, Sequence[Any]] = {PERSON: persons}
    for column, values in measured.items():
        if np.isfinite(values).any():
            columns[column] = audit.bands(audit.unit_means(np.array(values), units))
    return {**columns, "detector": ["missed" if f is None else "found" for f in faces]}


def turn(landmarks: np.ndarray) -> float:
    """How far the nose tip lies to the right of the eyes' middle, along the line through the eyes,
    in distances of the eyes: 0 frontal. landmarks: as in :class:`~fer_cbam.types.Face`."""
    left, right, nose = np.asarray(landmarks[:3], np.float64)
    line = right - left
    return float((nose - (left + right) / 2) @ line / (line @ line))


def _face(crop: np.ndarray, detector: FaceDetector) -> Face | None:
    return max(detector.detect(bordered(crop)), key=lambda face: face.size, default=None)


def compared(record: Record) -> bool:
    """Whether a comparison of two weights shows this record."""
    return record["metric"].startswith("gap_")


def html(records: Sequence[Record]) -> str:
    """A table for each column, and what holds of it."""
    if not records:
        return page.paragraph("Nothing is known that groups could be made of.")
    parts = [page.paragraph(
        "A gap counts where shuffled groups hardly ever show one as large. Standardised rates are "
        "weighed by the emotions of all faces. Nobody's age, sex or skin is known here."
    )]  # fmt: skip
    for column in dict.fromkeys(r["condition"] for r in records):
        own = [r for r in records if r["condition"] == column]
        parts += [f"<h3>{column}</h3>\n", _groups(own), page.paragraph(_said(own))]
    return "".join(parts)


SHOWN = ("accuracy", "standardised_accuracy", "confidence", "calibration", "agreement")


def _groups(records: Sequence[Record]) -> str:
    groups = list(dict.fromkeys(r["group"] for r in records if r.get("group") is not None))
    if len(groups) > audit.MANY:
        return page.paragraph(f"{len(groups)} groups.")
    header = ["group", "faces", *(shown.replace("_", " ") for shown in SHOWN)]
    rows = [
        [group, page.number(page.find(records, group=group, metric="faces"), ".0f"),
         *(page.number(page.find(records, group=group, metric=m)) for m in SHOWN)]
        for group in groups
    ]  # fmt: skip
    return page.table(header, rows)


def _said(records: Sequence[Record]) -> str:
    by_metric = {r["metric"]: r for r in records if r.get("group") is None}
    said = []
    for metric, gap in by_metric.items():
        base = metric.removeprefix("gap_")
        if metric.startswith("gap_") and by_metric[f"found_{base}"]["value"]:
            shuffled = by_metric[f"shuffled_gap_{base}"]
            said.append(f"{base.replace('_', ' ')} {gap['value']:.3f} (shuffled groups: up to "
                        f"{shuffled['high']:.3f})")  # fmt: skip
    weighed = [m.removeprefix("weight_") for m, r in by_metric.items()
               if m.startswith("weight_") and r["value"]]  # fmt: skip
    quiet = [m.removeprefix("silent_") for m in by_metric if m.startswith("silent_")]
    text = f"Gaps: {'; '.join(said)}." if said else "No gap beyond those of shuffled groups."
    if "gap_standardised_accuracy" in by_metric:
        text += f" Standardised by {', '.join(weighed)}."
    if quiet:
        text += (
            f" Not said of {', '.join(quiet)}, of which fewer than two groups have {audit.LEAST} "
            f"faces: to see a gap of 10 points below a recall of 0.8, each group needs "
            f"{by_metric['needed']['value']:.0f} of them."
        )
    return text
