"""Frames of scenes in which little happens, so that what is to be seen is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.clips.camera import CANVAS, MARGIN, canvas_of, close_eyes, frames, hide, streak
from eval.clips.readings import OneLook
from eval.clips.scene import Scene
from fer_cbam.preprocess import Preprocess

LANDMARKS = np.array([[0.3, 0.39], [0.69, 0.4], [0.48, 0.59], [0.33, 0.76], [0.65, 0.77]])
SIDE = CANVAS + 2 * MARGIN


def calm(count: int = 3, **more) -> Scene:
    zeros = np.zeros(count)
    shares = np.zeros((count, 2), np.float32)
    shares[:, 0] = 1
    scene = Scene(
        np.arange(count) / 10, np.array([0, 1]), shares, np.array([9.0]), np.zeros((count, 2)),
        zeros + 1, zeros, zeros, np.zeros((count, 2)), zeros, zeros + 1, zeros,
        np.zeros((count, 4)), 30.0, CANVAS, 1e9, 100,
    )  # fmt: skip
    return replace(scene, **more)


def shot(scene: Scene, *canvases: np.ndarray) -> list[np.ndarray]:
    blank = np.full((SIDE, SIDE), 100, np.uint8)
    given = [*canvases, *[blank] * (2 - len(canvases))]
    return list(frames(scene, given, LANDMARKS, np.random.default_rng(0)))


def dot(x: float, y: float) -> np.ndarray:
    """A bright square around a place in the crop, in shares of its side."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cx, cy = (round(v * CANVAS + MARGIN) for v in (x, y))
    canvas[cy - 2 : cy + 3, cx - 2 : cx + 3] = 255
    return canvas


def place(frame: np.ndarray) -> np.ndarray:
    """Of what is bright, from the middle, in sides of the crop."""
    weight = np.where(frame > 60, frame.astype(float), 0)
    y, x = np.mgrid[: len(frame), : len(frame)]
    middle = (len(frame) - 1) / 2
    return (
        np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum() / CANVAS - middle / CANVAS
    )


def test_a_face_stands_where_the_scene_has_it():
    shift = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, -0.15]])
    for frame, expected in zip(shot(calm(shift=shift), dot(0.5, 0.5)), shift, strict=True):
        np.testing.assert_allclose(place(frame), expected, atol=0.012)


def test_roll_scale_and_turn():
    right = dot(0.8, 0.5)  # 0.3 sides to the right of the middle
    (rolled,) = shot(calm(1, roll=np.array([np.pi / 6])), right)
    np.testing.assert_allclose(place(rolled), 0.3 * np.array([np.cos(np.pi / 6), 0.5]), atol=0.03)
    (larger,) = shot(calm(1, scale=np.array([1.5])), right)
    np.testing.assert_allclose(place(larger), (0.45, 0), atol=0.03)
    # A head that turns shows more of one side and less of the other.
    away, near = (place(shot(calm(1, yaw=np.array([0.4])), dot(x, 0.5))[0]) for x in (0.8, 0.2))
    assert away[0] > 0.36 and -0.295 < near[0] < -0.2 and abs(away[1]) < 0.02


def test_stills_are_shown_in_their_shares():
    shares = np.array([[1, 0], [0.5, 0.5], [0, 1]], np.float32)
    a, b = (np.full((SIDE, SIDE), grey, np.uint8) for grey in (40, 200))
    assert [round(f.mean()) for f in shot(calm(shares=shares), a, b)] == [40, 120, 200]


def test_light_and_photons():
    grey = np.full((SIDE, SIDE), 100, np.uint8)
    bright, dark = (shot(calm(1, light=np.array([v])), grey)[0] for v in (1.0, 0.25))
    assert (round(bright.mean()), round(dark.mean())) == (100, 25)
    (noisy,) = shot(calm(1, photons=100.0), grey)
    # 100 of 255 are 39 photons: their root is 6.26, in grey levels 16.
    assert noisy.std() == pytest.approx(np.sqrt(100 / 255 * 100) * 255 / 100, rel=0.1)


def test_a_movement_smears_along_its_way():
    (smeared,) = shot(calm(1, smear=np.array([[0.3, 0.0]])), dot(0.5, 0.5))
    spread = [(smeared > 10).any(axis=axis).sum() for axis in (0, 1)]
    assert spread[0] > 3 * spread[1]
    kernel = streak(np.array([6.0, 0.0]))
    assert kernel.sum() == pytest.approx(1) and kernel.shape == (7, 7)
    assert kernel[3].sum() == pytest.approx(1, abs=0.3)


def test_what_passes_by_hides_what_is_behind():
    frame = np.full((100, 100), 200, np.float32)
    hide(frame, np.array([-20, -20, 40, 40]), 30)
    assert frame[50, 50] == 30 and frame[5, 5] == 200


def test_closed_eyes_cover_the_eyes_alone():
    canvas = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.float32)
    shut = close_eyes(canvas, LANDMARKS, 1.0)
    changed = np.argwhere(shut != canvas)
    eyes = LANDMARKS[:2] * CANVAS + MARGIN
    away = np.abs(changed[:, None, ::-1] - eyes[None]).max(2).min(1)
    assert len(changed) > 100 and away.max() < 0.12 * CANVAS
    np.testing.assert_array_equal(close_eyes(canvas, LANDMARKS, 0.0), canvas)


def test_noise_has_no_face_to_lay_on_a_canvas():
    preprocess = Preprocess(landmarks=tuple(map(tuple, LANDMARKS)))
    noise = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    rng = np.random.default_rng(0)
    assert canvas_of(noise, preprocess, OneLook(max_side=128), rng) is None
