"""Through a camera with a detector that knows where the face is, and one that finds none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from eval.docs.records import load, one, select
from eval.predict import jobs, predict_logits
from eval.studies import camera_frames as camera
from eval.studies.camera_frames import CONDITIONS, Condition
from fer_cbam.types import Face
from tests.eval.conftest import LABELS

TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]])
RNG = np.random.default_rng


class Truth:
    """Finds the bright square that stands in a grey frame, or nothing at all."""

    def __init__(self, finds: bool = True):
        self.finds = finds

    def detect(self, image):
        if not self.finds:
            return []
        grey = image[..., 0]
        away = np.abs(grey.astype(int) - int(grey[0, 0])) > 3
        y, x = np.nonzero(away)
        low, high = np.array([x.min(), y.min()]), np.array([x.max() + 1, y.max() + 1])
        points = low - 0.5 + TEMPLATE * (high - low)
        box = tuple(float(v) for v in (*low, *high))
        return [Face(box, 1.0, points.astype(np.float32))]


@pytest.fixture
def job(tiny, save_weights):
    folder = save_weights("w", {"data": "other"}, landmarks=TEMPLATE.tolist(),
                          crop_from_box=[1.0, 0.0, 0.0])  # fmt: skip
    return jobs(str(folder), tiny, "public")[0]


def smooth_crops(n: int) -> list[np.ndarray]:
    """Crops whose outermost pixels differ from their mean, so that their edge can be seen."""
    crops = []
    for i in range(n):
        crop = cv2.resize(RNG(i).normal(120, 50, (6, 6)), (48, 48)).clip(40, 220)
        crop[[0, 1, -2, -1]] = crop[:, [0, 1, -2, -1]] = 240
        crops.append(crop.astype(np.uint8))
    return crops


def test_a_face_at_its_own_size_comes_back_as_it_was(job):
    crops = smooth_crops(6)
    same = camera.through_camera(job, crops, Condition("c", size=48), Truth(), 0)
    np.testing.assert_array_equal(same, predict_logits(job.backend, crops).argmax(1))


def test_faces_that_are_missed_are_errors(job, tiny):
    preds = camera.through_camera(job, smooth_crops(3), CONDITIONS[0], Truth(finds=False), 0)
    assert list(preds) == [camera.MISSED] * 3
    index = np.array([0, 1, 2, 3])  # anger, happiness, surprise, anger
    got = camera.measure(tiny, index, ["anger", None, "anger", "anger"])
    assert got["metrics"]["accuracy"]["value"] == 0.5
    assert got["metrics"]["found"]["value"] == 0.75
    assert got["metrics"]["balanced_accuracy"]["value"] == pytest.approx(1 / 3)
    assert got["classes"]["happiness"]["recall"]["value"] == 0
    # An emotion that the data set does not know is found, and wrong.
    assert camera.measure(tiny, index, ["contempt"] * 4)["metrics"]["found"]["value"] == 1


def test_what_a_camera_does_to_a_frame():
    frame = np.full((192, 192), 100, np.uint8)
    frame[80:110, 80:110] = 220
    blurred = camera.motion_blur(frame, RNG(0))
    assert blurred.mean() == pytest.approx(frame.mean(), abs=0.5)  # light is kept
    assert np.unique(blurred).size > 5 and blurred[0, 0] == 100
    dark = camera.low_light(np.full((400, 400), 200, np.uint8), RNG(0)).astype(float)
    photons = camera.PHOTONS * 200 / 255 / 4
    assert dark.mean() == pytest.approx(50, abs=1)
    assert dark.std() == pytest.approx(np.sqrt(photons) * 255 / camera.PHOTONS, rel=0.05)
    noise = RNG(1).integers(0, 256, (64, 64), np.uint8)
    assert 5 < np.abs(camera.jpeg(noise, RNG(0)).astype(int) - noise).mean() < 80
    assert camera.clean(frame, RNG(0)) is frame


def test_the_same_seed_takes_the_same_pictures():
    condition = CONDITIONS[-1]
    (a, _), (b, _), (c, _) = (
        camera.shoot(smooth_crops(1)[0], condition, RNG(s)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, b)
    assert a.shape == (144, 144, 3)
    assert (a != c).any()


def test_the_command_reports_every_condition(tiny, save_weights, tmp_path, monkeypatch):
    five = TEMPLATE.tolist()
    folder = save_weights("w", {"data": "other"}, landmarks=five, crop_from_box=[1.0, 0.0, 0.0])
    monkeypatch.setattr(camera.data, "load", lambda path, votes: tiny)
    camera.main(["--weights", str(folder), "--data", "x", "--count", "7",
                 "--out", str(tmp_path / "out")])  # fmt: skip
    got = load(tmp_path / "out")
    assert list(got["condition"].unique()) == ["as_is", *(c.name for c in CONDITIONS)]
    found = one(got, study="camera", condition="as_is", metric="found")
    assert (found["n"], found["value"], found["weights"]) == (7, 1, "fer_cbam_paper.other")
    assert set(select(got, condition="as_is", metric="recall")["group"]) == set(LABELS)
    # Noise is no face.
    assert one(got, condition="pasted", metric="found")["value"] == 0
