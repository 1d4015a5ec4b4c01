"""Which pictures are cut as photographs are, which are faces already, and which have no face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fer_cbam
from eval.faces import ALIGNED, WHOLE, NoFaceError, cut_face, find_faces, in_words, within_border
from fer_cbam.data.base import Dataset
from fer_cbam.detect import face_detector
from fer_cbam.errors import ImageError
from fer_cbam.images import decode_image
from fer_cbam.preprocess import Preprocess, cut
from fer_cbam.types import Sample
from tests.made_up_faces import PHOTO

MEASURED = Path(fer_cbam.__file__).parent / "data" / "alignment.json"


@pytest.fixture(scope="module")
def preprocess() -> Preprocess:
    landmarks = json.loads(MEASURED.read_text())["fer2013"]["landmarks"]
    return Preprocess(landmarks=tuple((x, y) for x, y in landmarks))


@pytest.fixture(scope="module")
def detector():
    return face_detector()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return decode_image(PHOTO)


def test_a_photograph_is_cut_as_the_recogniser_cuts_it(photo, preprocess, detector):
    crop, way = cut_face(photo, preprocess, detector)
    (face,) = detector.detect(photo)
    np.testing.assert_array_equal(crop, preprocess.align(photo, face)[0])
    assert way == ALIGNED


@pytest.mark.parametrize("side", [48, 96, 224])
def test_what_the_recogniser_cut_is_a_face_already(photo, preprocess, detector, side):
    (face,) = detector.detect(photo)
    _, to_image = preprocess.align(photo, face)
    to_image = to_image.copy()
    to_image[:, :2] *= 48 / side
    crop = cut(photo, to_image, side)
    found, way = cut_face(crop, preprocess, detector)
    assert way == WHOLE and found is crop
    grey = crop[..., 1].copy()
    assert cut_face(grey, preprocess, detector)[0] is grey


def test_a_face_found_within_a_border_lies_at_its_place(photo, detector):
    """Head and shoulders in 40 pixels, as a picture of its own."""
    (face,) = detector.detect(photo)
    x1, y1, x2, y2 = face.box
    middle, half = np.array([x1 + x2, y1 + y2]) / 2, 0.95 * (x2 - x1)
    step = 2 * half / 40
    corner = middle - half
    loose = cut(photo, np.array([[step, 0, corner[0]], [0, step, corner[1]]]), 40)
    found = within_border(detector, loose)
    assert found is not None
    np.testing.assert_allclose(found.landmarks * step + corner, face.landmarks, atol=1.2 * step)
    box = np.reshape(found.box, (2, 2)) * step + corner
    np.testing.assert_allclose(box, np.reshape(face.box, (2, 2)), atol=2.5 * step)
    assert within_border(detector, np.full((40, 40, 3), 120, np.uint8)) is None


def test_nobody(preprocess, detector):
    room = np.full((300, 400, 3), 120, np.uint8)
    with pytest.raises(NoFaceError, match="no face found in 400x300 pixels"):
        cut_face(room, preprocess, detector)
    with pytest.raises(NoFaceError, match="300x300"):
        cut_face(room[:, :300], preprocess, detector)
    small = room[:64, :64]
    found, way = cut_face(small, preprocess, detector)  # too small to say that it is none
    assert found is small and way == WHOLE


class Broken(Sample):
    @property
    def pixels(self):
        raise ImageError("damaged")

    def __init__(self, sample_id: str) -> None:
        for name, value in {"sample_id": sample_id, "label": "a", "subject_id": None,
                            "group": None, "split": None, "label_probs": {}}.items():  # fmt: skip
            object.__setattr__(self, name, value)


def test_one_bad_picture_costs_itself_alone(photo, preprocess, detector):
    room = Sample("room", np.full((300, 400, 3), 120, np.uint8), "b")
    samples = (Broken("broken"), Sample("photo", photo, "b", "anna"), room)
    faces = find_faces(Dataset("folder", ("a", "b"), samples), preprocess, detector)
    assert faces.found.tolist() == [False, True, False]
    assert faces.problems == {"broken": "damaged", "room": "no face found in 400x300 pixels"}
    assert faces.counts == {ALIGNED: 1, WHOLE: 0}
    assert [s.sample_id for s in faces.dataset.samples] == ["broken", "photo", "room"]
    assert faces.dataset.samples[1].subject_id == "anna"
    assert faces.dataset.digest() == Dataset("folder", ("a", "b"), samples).digest()
    assert in_words(faces).splitlines() == [
        "3 pictures: 1 with a face that was found and aligned, 0 that are a face already, "
        "2 without one",
        "  left out: broken: damaged",
        "  left out: room: no face found in 400x300 pixels",
    ]
    assert in_words(faces, most=1).splitlines()[-1] == "  and 1 more"
