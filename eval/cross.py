"""What weights are worth on a data set that they never learnt: ``python -m eval --protocol cross``.

Beside the crops as they stand (condition ``as_is``) the pictures go through the recogniser's own
detector and alignment: in ``detected`` a face that is not found is a wrong answer, in ``found
only`` it is left out. ``own labels`` restricts the answers to the labels of the data set, which
helps weights that know more of them. Where the tested images are of several of the data set's own
splits (KDEF's angles), each has a row of its own.

The detector is asked about the picture as it stands, and where it finds nobody, about the picture
in a border of its mean colour, because tight crops leave it too little around the face. Of several
faces the largest counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from eval.predict import Job, predict, predict_ensemble
from eval.records import Record, metric_records
from eval.report import report
from eval.run import Evaluation
from eval.studies.alignment import as_rgb
from eval.studies.camera_frames import measure
from eval.table import LOGIT, model_labels, scored
from fer_cbam.data.base import Dataset
from fer_cbam.data.protocols import CROSS, Split
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import DataError
from fer_cbam.preprocess import Preprocess
from fer_cbam.types import Face, Sample

BORDER = 0.5  # of the longer side, on each of the four sides
BORDERED_SIDE = 192  # pixels at least of a bordered picture's shorter side
NEVER = -1e4  # a logit that no other can be below
SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "found")
CLASSES = ("recall", "precision", "support")
AS_IS, DETECTED, FOUND, OWN = "as_is", "detected", "found only", "own labels"


def measured(evaluation: Evaluation, detector: FaceDetector) -> Iterator[tuple[str, Any]]:
    """Conditions, and reports with ``n``, ``metrics`` and ``classes`` as of `eval.report.report`.

    evaluation: of the crops as they stand, under the protocol ``cross``.
    """
    table = evaluation.predictions
    yield AS_IS, evaluation.result
    yield f"{AS_IS}, {OWN}", report(own_labels(table))
    yield from _by_split(evaluation)
    aligned = found_faces(evaluation, detector)
    if not aligned.samples:
        raise DataError(f"{aligned.name}: the detector finds no face in it; expected some")
    found = _predicted(evaluation, aligned)
    for suffix, of_found in (("", found), (f", {OWN}", own_labels(found))):
        yield f"{DETECTED}{suffix}", _missed_are_wrong(evaluation, of_found)
        yield f"{DETECTED}, {FOUND}{suffix}", report(of_found)


def records(reports: Mapping[str, Mapping[str, Any]], of: Mapping[str, Any]) -> Iterator[Record]:
    """Records of all conditions; of: the result that says data, protocol, weights and option."""
    common = {key: of[key] for key in ("data", "protocol", "weights", "option")}
    for condition, result in reports.items():
        shown = {name: result["metrics"].get(name) for name in SHOWN}
        classes = {
            label: {name: entry.get(name) for name in CLASSES}
            for label, entry in result["classes"].items()
        }
        yield from metric_records(shown, classes, condition=condition, n=result["n"], **common)


def print_conditions(reports: Mapping[str, Mapping[str, Any]]) -> None:
    """A line for each condition, for whoever waits at the terminal."""
    for condition, result in reports.items():
        values = ((name, result["metrics"].get(name)) for name in SHOWN)
        shown = "  ".join(f"{name} {entry['value']:.4f}" for name, entry in values if entry)
        print(f"  {condition:34} n {result['n']}  {shown}")


def own_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The same logits, but for the labels that the data set lacks: those are never the answer."""
    restricted = table.copy()
    for label in set(model_labels(table)) - set(table.attrs["label_names"]):
        restricted[LOGIT + label] = NEVER
    restricted.attrs = table.attrs
    return restricted


def found_faces(evaluation: Evaluation, detector: FaceDetector) -> Dataset:
    """The tested faces that the detector finds, as the weights cut them out."""
    (job, *_) = evaluation.members[0]
    dataset, samples = evaluation.dataset, []
    for i in tqdm(job.split.test, desc="faces", disable=None):
        sample = dataset.samples[i]
        crop = aligned_crop(sample.pixels, job.backend.preprocess, detector)
        if crop is not None:
            samples.append(
                Sample(sample.sample_id, crop, sample.label, sample.subject_id, sample.group)
            )
    return Dataset(dataset.name, dataset.label_names, tuple(samples))


def aligned_crop(
    picture: np.ndarray, preprocess: Preprocess, detector: FaceDetector
) -> np.ndarray | None:
    """The largest face of a picture, uint8 grey or RGB, as `Preprocess.align` cuts it out."""
    for image in (as_rgb(picture), bordered(as_rgb(picture))):
        if faces := detector.detect(image):
            largest: Face = max(faces, key=lambda face: face.size)
            return preprocess.align(image, largest)[0]
    return None


def bordered(image: np.ndarray) -> np.ndarray:
    """An RGB picture amid a larger one of its mean colour, enlarged where it is small."""
    edge, factor = border_of(image)
    mean = [float(value) for value in image.mean(axis=(0, 1))]
    framed = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=mean)
    return cv2.resize(framed, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


def border_of(image: np.ndarray) -> tuple[int, float]:
    """Pixels of an image's border on each side, and the factor that it is enlarged by with it."""
    edge = round(BORDER * max(image.shape[:2]))
    return edge, max(1.0, BORDERED_SIDE / (min(image.shape[:2]) + 2 * edge))


def _by_split(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    """As is, of each of the data set's own splits, where the tested images are of several."""
    own = {s.sample_id: s.split for s in evaluation.dataset.samples}
    of_rows = evaluation.predictions["sample_id"].map(own)
    if of_rows.nunique() > 1:
        for name in sorted(of_rows.dropna().unique()):
            part = evaluation.predictions[(of_rows == name).to_numpy()]
            part.attrs = evaluation.predictions.attrs
            yield f"{AS_IS}, {name}", report(part)


def _predicted(evaluation: Evaluation, aligned: Dataset) -> pd.DataFrame:
    split = Split(np.empty(0, np.int64), np.arange(len(aligned)), CROSS)
    members: list[Sequence[Job]] = [
        [Job(job.backend, split) for job in pairs] for pairs in evaluation.members
    ]
    attrs = evaluation.predictions.attrs
    if len(members) > 1:
        return predict_ensemble(members, aligned, CROSS, attrs["weights"], evaluation.prior)
    return predict(members[0], aligned, CROSS, attrs["option"], attrs["weights"], evaluation.prior)


def _missed_are_wrong(evaluation: Evaluation, found: pd.DataFrame) -> dict[str, Any]:
    answers = scored(found)
    said = dict(zip(found["sample_id"], np.array(answers.label_names)[answers.preds], strict=True))
    index = evaluation.members[0][0].split.test
    samples = evaluation.dataset.samples
    return measure(evaluation.dataset, index, [said.get(samples[i].sample_id) for i in index])


def named(dataset: Dataset, name: str | None, splits: Sequence[str]) -> Dataset:
    """A data set under a name of one's own, and of some of its splits only.

    Raises:
        DataError: a split that it has not.
    """
    if splits:
        known = sorted({s.split for s in dataset.samples if s.split})
        if unknown := set(splits) - set(known):
            raise DataError(f"{dataset.name}: splits {sorted(unknown)}; expected some of "
                            f"{', '.join(known) or 'none, it has no splits'}")  # fmt: skip
        kept = [i for i, sample in enumerate(dataset.samples) if sample.split in splits]
        dataset = dataset.subset(kept)
    return dataset if name is None else replace(dataset, name=name)
