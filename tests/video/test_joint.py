"""What a face and a voice say together, by numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fer_cbam.modalities import Reading, join
from fer_cbam.video.joint import MOST, Disagreement, Joint

LABELS = ("anger", "happiness")


def moment(face: float | None, voice: float | None):
    """face, voice: probability of happiness; None for one that says nothing."""
    readings = []
    for name, value in (("face", face), ("voice", voice)):
        rows = 0 if value is None else 1
        probs = np.array([[1 - (value or 0.5), value or 0.5]])[:rows]
        times = np.zeros((rows, 2))
        readings.append(
            Reading(name, LABELS, times, np.log(probs), np.zeros((rows, 1), np.float32))
        )
    return join(readings, [0.0])


def test_how_much_each_moved_the_answer() -> None:
    joint = Joint(max_points=10)
    joint.add(0.0, moment(0.6, 0.9))
    (point,) = joint.points()
    together = 0.54 / (0.54 + 0.04)
    assert point.label == "happiness" and point.probs["happiness"] == pytest.approx(together)
    # Without the face the voice is left, and the other way round.
    moved = {"face": math.log(together / 0.9), "voice": math.log(together / 0.6)}
    assert point.moved == pytest.approx(moved)
    total = moved["face"] + moved["voice"]
    assert joint.influence() == pytest.approx({n: value / total for n, value in moved.items()})


def test_one_that_speaks_against_counts_by_its_size() -> None:
    joint = Joint(max_points=10)
    joint.add(0.0, moment(0.9, 0.4))
    together = 0.36 / (0.36 + 0.06)
    moved = {"face": math.log(together / 0.4), "voice": math.log(together / 0.9)}
    assert moved["voice"] < 0
    assert joint.points()[0].moved == pytest.approx(moved)
    size = moved["face"] - moved["voice"]
    assert joint.influence()["voice"] == pytest.approx(-moved["voice"] / size)


def test_one_that_speaks_alone_has_no_share() -> None:
    joint = Joint(max_points=10)
    joint.add(0.0, moment(0.9, None))
    assert joint.influence() == {} and joint.points()[0].moved["voice"] == 0
    joint.add(0.1, moment(None, None))
    assert joint.points()[1].probs == pytest.approx({"anger": 0.5, "happiness": 0.5})
    assert joint.influence() == {}


def test_points_are_means_of_the_label_that_is_said() -> None:
    joint = Joint(max_points=2)
    for number in range(4):
        joint.add(number / 10, moment(0.9, 0.9 if number else 0.5))
    first, second = joint.points()
    together = 0.81 / 0.82
    assert first.probs["happiness"] == pytest.approx((0.9 + together) / 2)
    assert first.moved["voice"] == pytest.approx(math.log(together / 0.9) / 2)
    assert second.moved["voice"] == pytest.approx(math.log(together / 0.9))


def test_disagreements_have_their_times() -> None:
    joint = Joint(max_points=100)
    said = "face: happiness, voice: anger"
    for time in (0.0, 0.1, 0.9, 2.5):  # the last comes after a pause
        joint.add(time, moment(0.9, 0.1))
    joint.add(2.6, moment(0.1, 0.9))
    joint.add(2.7, moment(0.9, 0.8))
    assert joint.disagreements() == (
        Disagreement(said, 0.0, 0.9), Disagreement(said, 2.5, 2.5),
        Disagreement("face: anger, voice: happiness", 2.6, 2.6),
    )  # fmt: skip
    assert joint.shares(8) == {said: 0.5, "face: anger, voice: happiness": 0.125}


def test_a_long_clip_takes_no_more_room() -> None:
    joint = Joint(max_points=20)
    for number in range(MOST + 50):
        joint.add(2.0 * number, moment(0.9, 0.1))
    assert len(joint.disagreements()) == MOST and len(joint.points()) <= 20
