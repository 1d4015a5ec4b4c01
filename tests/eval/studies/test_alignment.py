"""The alignment measurement with a detector that is always right, and one that is wrong by a known
amount."""

from __future__ import annotations

import numpy as np
import pytest

from eval.studies import alignment
from eval.studies.alignment import Found, View
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import Split
from fer_cbam.errors import DataError
from fer_cbam.preprocess import Preprocess
from fer_cbam.types import Face, Sample

TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]])
BOX = np.array([[0.1, 0.1], [0.9, 1.1]])  # 0.8 x 1.0 of the crop, centre 0.1 below the crop's


def crop(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 200, (8, 8), np.uint8)
    return np.kron(coarse, np.ones((6, 6), np.uint8))


def dataset(count: int) -> Dataset:
    samples = tuple(Sample(str(i), crop(i), "happiness") for i in range(count))
    return Dataset("folder", ("happiness",), samples)


def found(index: int, view: View, landmark_error=(0.0, 0.0), box_error=(0.0, 0.0)) -> Found:
    """What a detector would find that is wrong by these shares of the crop's side."""
    picture, truth = alignment.embed(crop(index), view, np.random.default_rng(index))
    landmarks = (TEMPLATE + landmark_error) @ truth[:, :2].T + truth[:, 2]
    centre = truth @ (*(BOX.mean(axis=0) + box_error), 1) + 0.5
    half = (BOX[1] - BOX[0]) / 2 * view.size
    box = tuple(float(v) for v in (*(centre - half), *(centre + half)))
    return Found(index, view, picture, truth, Face(box, 0.9, landmarks.astype(np.float32)))


def test_embed_says_where_the_crop_lies():
    picture, truth = alignment.embed(crop(0), View(48, 0), np.random.default_rng(5))
    assert picture.shape == (96, 96)
    x, y = np.round(truth[:, 2] + 0.5).astype(int)
    np.testing.assert_array_equal(picture[y : y + 48, x : x + 48], crop(0))
    assert picture[0, 0] == pytest.approx(crop(0).mean(), abs=1)


def test_fit_recovers_template_and_box():
    all_found = [found(i, View(size, 0)) for i in range(3) for size in (40, 96)]
    geometry = alignment.fit(all_found)
    np.testing.assert_allclose(geometry["landmarks"], TEMPLATE, atol=1e-4)
    unit = np.sqrt(0.8)
    np.testing.assert_allclose(geometry["crop_from_box"], [1 / unit, 0, -0.1 / unit], atol=1e-4)


def test_fit_to_nothing():
    with pytest.raises(DataError, match="no crop was found again"):
        alignment.fit([found(0, View(96, 20))])


@pytest.mark.parametrize("way", alignment.WAYS)
@pytest.mark.parametrize("view", [View(48, 0), View(96, 0), View(96, 30)])
def test_a_right_detector_gives_the_crop_back(way, view):
    preprocess = Preprocess(landmarks=tuple(map(tuple, TEMPLATE.tolist())),
                            crop_from_box=(1 / np.sqrt(0.8), 0.0, -0.1 / np.sqrt(0.8)))  # fmt: skip
    one = found(1, view)
    again, to_picture = alignment.cut_out(one, preprocess, way)
    assert alignment.corner_error(one, to_picture, 48) < 1e-5
    difference = np.abs(again[..., 0].astype(float) - crop(1))
    assert difference.mean() < (0.01 if view == View(48, 0) else 4)


def test_corner_error_is_the_detectors_error():
    preprocess = Preprocess(landmarks=tuple(map(tuple, TEMPLATE.tolist())),
                            crop_from_box=(1 / np.sqrt(0.8), 0.0, -0.1 / np.sqrt(0.8)))  # fmt: skip
    one = found(1, View(96, 0), landmark_error=(0.03, 0.04), box_error=(0.0, 0.12))
    for way, expected in {"true": 0, "similarity": 0.05, "box": 0.12}.items():
        _, to_picture = alignment.cut_out(one, preprocess, way)
        assert alignment.corner_error(one, to_picture, 48) == pytest.approx(expected, abs=1e-5)


def test_geometry_is_fitted_on_the_train_side_only():
    """Faces of the test side are all wrong by a tenth: a fit that saw them would hide it."""
    data = dataset(4)
    faces = [found(i, View(48, 0), *[(0.1 * (i >= 2), 0.0)] * 2) for i in range(4)]
    split = Split(np.array([0, 1]), np.array([2, 3]), "s")
    rows = alignment.score_split(data, faces, Preprocess(), split, None)
    errors = {way: [r["corner_error"] for r in rows if r["way"] == way] for way in alignment.WAYS}
    assert errors["true"] == pytest.approx([0, 0], abs=1e-6)
    assert errors["similarity"] == pytest.approx([0.1, 0.1], abs=1e-3)
    assert errors["box"] == pytest.approx([0.1, 0.1], abs=1e-3)
    true = next(r for r in rows if r["way"] == "true")
    assert true["pixel_error"] == 0
    assert true["correlation"] == pytest.approx(1)
    table = alignment.summarise(rows, shown=4)
    assert [(r["way"], r["found"], r["accuracy"]) for r in table] == [
        (way, 0.5, None) for way in alignment.WAYS
    ]


def test_the_face_is_the_one_at_the_crop():
    one = found(0, View(96, 0))
    elsewhere = Face((0.0, 0.0, 20.0, 20.0), 0.99, one.face.landmarks)
    weaker = Face(one.face.box, 0.5, one.face.landmarks)

    class Detector:
        def __init__(self, *faces):
            self.faces = list(faces)

        def detect(self, image):
            assert image.shape == (192, 192, 3)
            return self.faces

    place = (one.picture, one.truth, 96)
    assert alignment.find(Detector(elsewhere, weaker, one.face), *place) is one.face
    assert alignment.find(Detector(elsewhere), *place) is None
    assert alignment.find(Detector(), *place) is None


def test_embed_refuses_what_is_not_square():
    with pytest.raises(DataError, match="48x40 pixels; expected a square"):
        alignment.embed(np.zeros((40, 48), np.uint8), View(48, 0), np.random.default_rng(0))
