"""Small, dark, from the side, turned: by faces made for the purpose, and by photographs."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.images import decode_image
from fer_cbam.types import Face
from fer_cbam.words.cautions import DARK, SIDE_VIEW, brightness, cautions, nose_offset, roll

FRONT = np.array([[30, 40], [70, 40], [50, 60], [35, 78], [65, 78]], np.float32)


def face(landmarks=FRONT, box=(0, 0, 100, 100)) -> Face:
    return Face(box, 0.9, np.asarray(landmarks, np.float32))


def grey(value: int) -> np.ndarray:
    return np.full((100, 100, 3), value, np.uint8)


def test_nothing_to_be_careful_about():
    assert cautions(grey(120), face()) == ()


@pytest.mark.parametrize(("side", "expected"), [(40, ()), (39.9, ("small",))])
def test_small(side, expected):
    assert cautions(grey(120), face(box=(0, 0, side, side))) == expected


@pytest.mark.parametrize(("value", "expected"), [(DARK, ()), (DARK - 1, ("dark",))])
def test_dark(value, expected):
    assert cautions(grey(value), face()) == expected


def test_brightness_is_the_median_of_the_middle_of_the_face():
    image = grey(200)
    image[20:80, 20:80] = (255, 0, 0)  # 0.299 of 255
    assert brightness(image, face()) == pytest.approx(76.245)
    image[20:49, 20:80] = 0  # fewer than half of the pixels
    assert brightness(image, face()) == pytest.approx(76.245)
    assert brightness(grey(10), face(box=(200, 200, 260, 260))) == 255.0
    assert brightness(grey(10), face(box=(-50, -50, 60, 60))) == 10


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.0])
def test_turn_is_measured_along_the_eyes(angle):
    """The nose 10 px from the middle of eyes 40 px apart, whichever way the head is tilted."""
    moved = FRONT.copy()
    moved[2, 0] += 10
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert nose_offset(face(moved @ rotation.T)) == pytest.approx(0.25)
    assert nose_offset(face(FRONT)) == 0


def test_side_view():
    moved = FRONT.copy()
    moved[2, 0] = 50 + 40 * (SIDE_VIEW + 0.01)
    assert cautions(grey(120), face(moved)) == ("side",)
    assert nose_offset(face(np.zeros((5, 2)))) == float("inf")


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, ()), (44, ()), (-44, ()), (46, ("turned",)), (-90, ("turned",)), (180, ("turned",))],
)
def test_turned(degrees, expected):
    angle = np.radians(degrees)
    # y points down: this turns clockwise as one sees it.
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = face((FRONT - 50) @ rotation.T + 50)
    assert cautions(grey(120), turned) == expected
    assert roll(turned) % 360 == pytest.approx(degrees % 360, abs=1e-4)
    assert roll(face(np.zeros((5, 2)))) == 0


def test_all_at_once_in_their_order():
    moved = FRONT[:, ::-1].copy()  # lies on its side
    moved[2, 1] = 70
    expected = ("small", "dark", "side", "turned")
    assert cautions(grey(5), face(moved, (0, 0, 20, 20))) == expected


@pytest.mark.data
def test_portraits_from_the_front_are_not_cautioned_against(data_dir):
    """The portraits show one face each, towards the camera and in daylight; darkened to an eighth
    they are dark."""
    folder, detector = data_dir / "faces" / "photos", YuNetDetector()
    with (data_dir / "faces" / "photos.csv").open(newline="") as file:
        names = [next(iter(row.values())) for row in csv.DictReader(file)]
    portraits = [name for name in names if name.startswith("Family")]
    assert len(portraits) == 7
    for name in portraits:
        image = decode_image(folder / name)
        found = detector.detect(image)[0]
        assert cautions(image, found) == (), name
        assert "dark" in cautions(image // 8, found), name


@pytest.mark.data
def test_portraits_on_their_heads_are_cautioned_against(data_dir):
    folder, detector = data_dir / "faces" / "photos", YuNetDetector(max_side=640)
    for path in sorted(folder.glob("Family*.jpg")):
        image = np.ascontiguousarray(decode_image(path)[::-1, ::-1])
        found = detector.detect(image)[0]
        assert "turned" in cautions(image, found), path.name
