"""Faces looked for around where they were, on a photograph with one."""

from __future__ import annotations

import numpy as np
import pytest

from eval.studies.tracked_search import SEARCH_SIDE, apart, around, compared, overlap, shaken
from fer_cbam.detect.yunet_onnx import OnnxYuNetDetector
from fer_cbam.images import decode_image
from fer_cbam.types import Face
from tests.backends.test_onnx import ASTRONAUT

POINTS = np.array([[0, 0], [10, 0], [5, 5], [2, 9], [8, 9]], np.float32)


@pytest.fixture(scope="module")
def detector() -> OnnxYuNetDetector:
    return OnnxYuNetDetector(max_side=SEARCH_SIDE)


def test_overlap_and_distance():
    lower = POINTS + np.float32([0, 1])
    a, b = Face((0, 0, 10, 10), 1.0, POINTS), Face((5, 0, 15, 10), 1.0, lower)
    assert overlap(a, b) == pytest.approx(1 / 3)
    assert overlap(a, Face((20, 20, 30, 30), 1.0, POINTS)) == 0
    assert apart(a, b) == pytest.approx(0.1)


def test_a_face_is_found_again_where_it_is_now(detector):
    image = decode_image(ASTRONAUT)
    (face,) = detector.detect(image)
    found = around(detector, image, face)
    assert overlap(face, found) > 0.8 and apart(face, found) < 0.05
    shift = np.array([9, -6])
    found = around(detector, np.roll(image, shift[::-1], (0, 1)), face)
    np.testing.assert_allclose(found.landmarks, face.landmarks + shift, atol=4)
    assert around(detector, np.zeros_like(image), face) is None


def test_what_is_lost_is_counted(detector):
    image = decode_image(ASTRONAUT)
    frames = [*list(shaken(image))[:4], np.zeros((480, 640, 3), np.uint8), *[image] * 3]
    rows = compared(detector, frames, 3)
    assert rows.shape == (8, 5)
    # The black frame takes the face from the track; the next search, at the seventh, finds it.
    assert rows[:, 0].tolist() == [1, 1, 1, 1, 0, 1, 1, 1]
    assert rows[:, 1].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    assert np.isnan(rows[[0, 3, 6], 2]).all() and rows[1, 2] < 0.05
