"""Smoothing over time, by numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam import smoothing
from fer_cbam.errors import FerError
from fer_cbam.smoothing import RememberedFace, smooth
from fer_cbam.types import Face, Prediction, Recognition

LEFT, RIGHT = (0.0, 0.0, 100.0, 100.0), (200.0, 0.0, 300.0, 100.0)


def seen(box, happiness: float) -> Recognition:
    probs = {"anger": 1 - happiness, "happiness": happiness}
    label = max(probs, key=probs.__getitem__)
    face = Face(box, 0.9, np.zeros((5, 2), np.float32))
    prediction = Prediction(label, probs[label], probs)
    return Recognition(face, prediction, np.zeros((48, 48, 3), np.uint8), np.eye(2, 3))


def test_the_first_frame_is_as_it_is():
    found, memory = smooth([], [seen(LEFT, 0.8)], time=5.0)
    assert found[0].prediction.probs == {"anger": pytest.approx(0.2), "happiness": 0.8}
    assert memory == [RememberedFace(LEFT, found[0].prediction.probs, 5.0)]


def test_half_after_the_half_life_whatever_the_frame_rate():
    for frames in (1, 5, 20):
        memory = [RememberedFace(LEFT, {"anger": 1.0, "happiness": 0.0}, 0.0)]
        for i in range(1, frames + 1):
            time = smoothing.HALF_LIFE * i / frames
            found, memory = smooth(memory, [seen(LEFT, 1.0)], time)
        probs = found[0].prediction.probs
        assert probs["happiness"] == pytest.approx(0.5)
        assert sum(probs.values()) == pytest.approx(1)


def test_label_confidence_and_uncertainty_are_those_of_the_smoothed():
    memory = [RememberedFace(LEFT, {"anger": 0.9, "happiness": 0.1}, 0.0)]
    found, _ = smooth(memory, [seen(LEFT, 0.9)], smoothing.HALF_LIFE / 4, uncertain_below=0.8)
    weight = 1 - 2**-0.25
    prediction = found[0].prediction
    assert prediction.label == "anger"
    assert prediction.confidence == pytest.approx(0.9 - 0.8 * weight)
    assert prediction.uncertain  # 0.77
    found, _ = smooth(memory, [seen(LEFT, 0.9)], smoothing.HALF_LIFE / 4, uncertain_below=0.7)
    assert not found[0].prediction.uncertain


def test_two_people_keep_their_own_in_any_order():
    memory = [
        RememberedFace(LEFT, {"anger": 1.0, "happiness": 0.0}, 0.0),
        RememberedFace(RIGHT, {"anger": 0.0, "happiness": 1.0}, 0.0),
    ]
    found, _ = smooth(memory, [seen(RIGHT, 0.5), seen(LEFT, 0.5)], smoothing.HALF_LIFE)
    assert [r.prediction.probs["happiness"] for r in found] == [0.75, 0.25]


def test_the_nearest_face_gets_the_memory():
    near, far = (10.0, 0.0, 110.0, 100.0), (50.0, 0.0, 150.0, 100.0)
    memory = [RememberedFace(LEFT, {"anger": 1.0, "happiness": 0.0}, 0.0)]
    found, _ = smooth(memory, [seen(far, 1.0), seen(near, 1.0)], smoothing.HALF_LIFE)
    assert [r.prediction.probs["happiness"] for r in found] == [1.0, 0.5]


def test_a_face_elsewhere_or_of_other_weights_starts_anew():
    memory = [RememberedFace(LEFT, {"anger": 1.0, "happiness": 0.0}, 0.0)]
    found, _ = smooth(memory, [seen(RIGHT, 1.0)], 0.1)
    assert found[0].prediction.probs["happiness"] == 1.0
    memory = [RememberedFace(LEFT, {"anger": 1.0, "fear": 0.0}, 0.0)]
    found, _ = smooth(memory, [seen(LEFT, 1.0)], 0.1)
    assert found[0].prediction.probs == {"anger": 0.0, "happiness": 1.0}


def test_a_missed_frame_is_survived_and_a_long_absence_is_not():
    start = [RememberedFace(LEFT, {"anger": 1.0, "happiness": 0.0}, 0.0)]
    found, memory = smooth(start, [], 0.1)
    assert found == [] and memory == start
    found, _ = smooth(memory, [seen(LEFT, 1.0)], smoothing.HALF_LIFE)
    assert found[0].prediction.probs["happiness"] == pytest.approx(0.5)
    _, memory = smooth(start, [], smoothing.FORGET_AFTER + 0.01)
    assert memory == []


def test_a_clock_that_runs_backwards_starts_anew():
    memory = [RememberedFace(LEFT, {"anger": 1.0, "happiness": 0.0}, 9.0)]
    found, _ = smooth(memory, [seen(LEFT, 1.0)], 1.0)
    assert found[0].prediction.probs["happiness"] == 1.0


def test_saliencies_and_places_stay():
    recognition = seen(LEFT, 0.4)
    (found,), _ = smooth([], [recognition], 0.0)
    assert found.face is recognition.face and found.crop is recognition.crop


def test_json_there_and_back():
    memory = [RememberedFace(LEFT, {"anger": 0.25, "happiness": 0.75}, 1.5)]
    assert smoothing.from_json(smoothing.to_json(memory)) == memory
    assert smoothing.from_json([]) == []


FACE = {"box": [0, 0, 1, 1], "probs": {"anger": 1}, "time": 0}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "faces",
        {"box": [0, 0, 1, 1]},
        [1],
        [{}],
        [FACE | {"box": [0, 0, 1]}],
        [FACE | {"box": "abcd"}],
        [FACE | {"box": [0, 0, 1, "1"]}],
        [FACE | {"box": [0, 0, 1, float("nan")]}],
        [FACE | {"time": float("inf")}],
        [FACE | {"time": True}],
        [FACE | {"time": 10**400}],
        [FACE | {"probs": [1]}],
        [FACE | {"probs": {"anger": None}}],
        [FACE] * (smoothing.MAX_FACES + 1),
    ],
)
def test_memory_that_is_none(value):
    with pytest.raises(FerError, match="memory: expected"):
        smoothing.from_json(value)
