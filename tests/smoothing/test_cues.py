from __future__ import annotations

import cv2
import numpy as np
import pytest

from fer_cbam.smoothing.cues import CUES, cues
from fer_cbam.types import Face

POINTS = np.array([[30, 40], [70, 40], [50, 64], [35, 80], [65, 80]], np.float32)


def of(points: np.ndarray = POINTS, crop: np.ndarray | None = None, **more) -> dict[str, float]:
    if crop is None:
        crop = np.full((48, 48, 3), 51, np.uint8)
    values = cues(Face(more.get("box", (0, 0, 100, 128)), more.get("score", 0.9), points), crop)
    assert values.dtype == np.float32
    return dict(zip(CUES, values.tolist(), strict=True))


def test_a_face_from_the_front():
    found = of()
    assert found["score"] == pytest.approx(0.9)
    assert found["roll"] == found["yaw"] == pytest.approx(0)
    assert found["pitch"] == pytest.approx(24 / 40)
    assert found["size"] == pytest.approx(1)  # 128 pixels: an octave above 64
    assert (
        found["brightness"] == pytest.approx(0.2) and found["contrast"] == found["sharpness"] == 0
    )


def test_a_tilt_is_a_roll_and_no_turn():
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = of((POINTS @ turn.T).astype(np.float32))
    assert found["roll"] == pytest.approx(angle, abs=1e-5)
    assert found["yaw"] == pytest.approx(0, abs=1e-5)
    assert found["pitch"] == pytest.approx(0.6, abs=1e-5)


def test_a_nose_to_the_right_is_a_turn():
    points = POINTS.copy()
    points[2] += (8, -4)
    assert of(points)["yaw"] == pytest.approx(0.2) and of(points)["pitch"] == pytest.approx(0.5)


def test_blur_is_less_sharp():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    blurred = cv2.GaussianBlur(crop, (0, 0), 2)
    assert of(crop=crop)["sharpness"] > of(crop=blurred)["sharpness"] + 1


def test_landmarks_that_coincide_give_numbers():
    assert all(np.isfinite(v) for v in of(np.zeros((5, 2), np.float32)).values())
