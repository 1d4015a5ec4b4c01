"""Pictures of any kind as the recogniser cuts faces out of them: photographs, and crops of faces.

Each picture is asked for its largest face, which is aligned as on a photograph. A picture that is a
face already (square, the face where an aligned one lies, or too tight for the detector) is taken
whole: cutting it again would only blur it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from eval.cross import border_of, bordered
from eval.predict import Job
from eval.studies.alignment import as_rgb
from fer_cbam.data.base import Dataset
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError
from fer_cbam.preprocess import Preprocess
from fer_cbam.types import Face, Sample

SQUARE = 1.25  # longer side over shorter one, up to which a picture may be a crop
SMALL = 256  # pixels: of a crop in which the detector finds no face
AGREES = 0.8, 1.25  # side of the aligned square over that of the picture
OFF_CENTRE = 0.15  # of the side: how far the middle of the aligned square may be from the picture's

ALIGNED, WHOLE = "aligned", "whole"
DETECTED = "detected"  # in the training record of weights


@dataclass(frozen=True, eq=False)
class Faces:
    """A data set as crops.

    dataset: of the same samples; one without a face is a black crop. found: bool ``(N,)``. counts:
    of pictures whose face was aligned, and of those that are a face. problems: sample_id -> why
    there is no face.
    """

    dataset: Dataset
    found: np.ndarray
    counts: Mapping[str, int]
    problems: Mapping[str, str]


def find_faces(dataset: Dataset, preprocess: Preprocess, detector: FaceDetector) -> Faces:
    """The face of every picture."""
    samples, found = [], np.ones(len(dataset), bool)
    counts = dict.fromkeys((ALIGNED, WHOLE), 0)
    problems: dict[str, str] = {}
    side = preprocess.input_size[1]
    for i, sample in enumerate(tqdm(dataset.samples, desc="faces", disable=None, leave=False)):
        try:
            crop, way = cut_face(sample.pixels, preprocess, detector)
            counts[way] += 1
        except (FerError, OSError) as error:  # one picture; the others are still worth training on
            problems[sample.sample_id] = str(error)
            crop, found[i] = np.zeros((side, side), np.uint8), False
        samples.append(
            Sample(sample.sample_id, crop, sample.label, sample.subject_id, sample.group,
                   sample.split, sample.label_probs)
        )  # fmt: skip
    return Faces(replace(dataset, samples=tuple(samples)), found, counts, problems)


def trained_on_such(config: Mapping[str, Any]) -> bool:
    """Whether the weights of a config.json were trained on faces that `find_faces` found."""
    training = config.get("training")
    return isinstance(training, Mapping) and training.get("crops") == DETECTED


def of_found(jobs: Sequence[Job], faces: Faces) -> list[Job]:
    """The same, each tested on the pictures that have a face."""
    return [
        Job(job.backend, replace(job.split, test=job.split.test[faces.found[job.split.test]]))
        for job in jobs
    ]


def in_words(faces: Faces, most: int = 5) -> str:
    """How many pictures were what, and the first of those without a face."""
    lines = [f"{len(faces.dataset)} pictures: {faces.counts[ALIGNED]} with a face that was found "
             f"and aligned, {faces.counts[WHOLE]} that are a face already, {len(faces.problems)} "
             "without one"]  # fmt: skip
    shown = list(faces.problems.items())[:most]
    lines += [f"  left out: {name}: {why}" for name, why in shown]
    if len(faces.problems) > most:
        lines.append(f"  and {len(faces.problems) - most} more")
    return "\n".join(lines)


class NoFaceError(FerError, ValueError):
    """A picture in which nobody is found."""


def cut_face(
    picture: np.ndarray, preprocess: Preprocess, detector: FaceDetector
) -> tuple[np.ndarray, str]:
    """The crop of a picture, uint8 grey or RGB, and which way it was made.

    Raises:
        NoFaceError: nobody is found, and it is no small crop.
    """
    image = as_rgb(picture)
    height, width = image.shape[:2]
    square = max(height, width) <= SQUARE * min(height, width)
    face = _largest(detector, image)
    if face is None and square:  # a tight crop leaves the detector too little around the face
        face = within_border(detector, image)
    if face is None:
        if square and max(height, width) <= SMALL:
            return picture, WHOLE
        raise NoFaceError(f"no face found in {width}x{height} pixels")
    crop, to_image = preprocess.align(image, face)
    if square and _is_the_picture(to_image, len(crop), image):
        return picture, WHOLE
    return crop, ALIGNED


def _largest(detector: FaceDetector, image: np.ndarray) -> Face | None:
    return max(detector.detect(image), key=lambda face: face.size, default=None)


def within_border(detector: FaceDetector, image: np.ndarray) -> Face | None:
    """The largest face of an image in a border, at its place in the image without it."""
    face = _largest(detector, bordered(image))
    if face is None:
        return None
    edge, factor = border_of(image)
    x1, y1, x2, y2 = (v / factor - edge for v in face.box)
    # cv2.resize: the centre of pixel i lies at factor * (i + 0.5) - 0.5.
    landmarks = (face.landmarks + 0.5) / factor - 0.5 - edge
    return Face((x1, y1, x2, y2), face.score, landmarks.astype(np.float32))


def _is_the_picture(to_image: np.ndarray, side: int, image: np.ndarray) -> bool:
    """Whether the aligned square is the picture, but for a little."""
    height, width = image.shape[:2]
    picture = np.sqrt(height * width)
    share = np.hypot(to_image[0, 0], to_image[1, 0]) * side / picture
    middle = to_image @ ((side - 1) / 2, (side - 1) / 2, 1)
    off = np.hypot(*(middle - ((width - 1) / 2, (height - 1) / 2))) / picture
    return bool(AGREES[0] <= share <= AGREES[1] and off <= OFF_CENTRE)
