"""What the parts hand to each other: as plain values, as arrays, as maps."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_cbam.types import Face, ImageResult, Prediction, Recognition, Saliency

FACE = Face((1.04, 2, 30.26, 40), 0.987654, np.arange(10, dtype=np.float32).reshape(5, 2) / 8)
PREDICTION = Prediction("fear", 0.75, {"anger": 0.1234567, "fear": 0.75}, True)


def recognition(**rest) -> Recognition:
    return Recognition(FACE, PREDICTION, np.zeros((4, 4, 3), np.uint8), np.eye(2, 3), **rest)


def test_a_recognition_as_plain_values():
    found = recognition().to_dict()
    assert json.loads(json.dumps(found)) == found == {
        "box": [1.0, 2.0, 30.3, 40.0],
        "score": 0.9877,
        "landmarks": [[0.0, 0.1], [0.2, 0.4], [0.5, 0.6], [0.8, 0.9], [1.0, 1.1]],
        "label": "fear",
        "confidence": 0.75,
        "uncertain": True,
        "no_face": False,
        "probs": {"anger": 0.123457, "fear": 0.75},
    }  # fmt: skip
    assert recognition().to_dict(2)["probs"] == {"anger": 0.12, "fear": 0.75}


def test_values_of_numpy_become_plain_ones():
    box = tuple(np.float32([1, 2, 3, 4]))
    face = Face(box, np.float32(0.5), FACE.landmarks)
    prediction = Prediction("fear", np.float64(0.75), {"fear": np.float32(1)}, np.bool_(False))
    json.dumps([face.to_dict(), prediction.to_dict()])


def test_a_result_is_its_faces_or_its_error():
    assert ImageResult(3, (recognition(),)).to_dict(4) == {"faces": [recognition().to_dict(4)]}
    assert ImageResult(0).to_dict() == {"faces": []}
    assert ImageResult(0, error=ValueError("no")).to_dict() == {"error": "no"}
    assert ImageResult(0, error=MemoryError()).to_dict() == {"error": "MemoryError"}


def test_a_saliency_is_an_array():
    values = np.float32([[0, 0.5], [1, 0.25]])
    saliency = Saliency(values, "gradcam", "fear")
    assert np.asarray(saliency) is values
    assert np.array(saliency) is not values
    assert np.asarray(saliency, np.float64).dtype == np.float64
    assert np.mean(saliency) == pytest.approx(0.4375)


def test_maps_are_made_when_they_are_asked_for():
    maps = {"anger": np.float32([[-1, 0], [0, -1]]), "fear": np.float32([[2, 2], [2, 2]])}
    found = recognition(class_maps=maps, gate=np.float32([[0.2, 0.6], [0.2, 0.6]]))
    assert found.saliency().label == "fear" and (found.saliency().values == 1).all()
    assert (found.saliency("anger").values == 0).all()
    np.testing.assert_allclose(found.attention().values, [[0, 0.25, 0.75, 1]] * 4, atol=1e-6)


def test_a_recognition_without_maps():
    assert recognition().attention() is None
    with pytest.raises(ValueError, match="'fear'; expected one of: none, it was made without maps"):
        recognition().saliency()
