"""The modules of web/ say what Python says, of the same weights and the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_cbam import data
from fer_cbam.backends.batched import forward_many
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.pretrained import embedded_names
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.types import Face
from tests.web.conftest import Ask, rgb

TINY, BASE = "fer_cbam_tiny.ferplus", "fer_cbam_base.ferplus"


@pytest.fixture(scope="module")
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer.from_pretrained(TINY, backend="onnx")


def apart(found: Any, expected: np.ndarray) -> float:
    return float(np.abs(np.ravel(found) - np.ravel(expected)).max(initial=0))


@pytest.mark.parametrize("weights", embedded_names())
def test_the_network_of_all_weights(ask: Ask, made_up: np.ndarray, weights: str):
    backend = OnnxBackend.load(weights)
    expected = forward_many(backend, list(made_up))
    (found,) = ask({"ask": "forward", "weights": weights, "crops": made_up})
    assert apart(found["logits"], expected.logits) < 1e-4
    assert apart(found["embedding"], expected.embedding) < 1e-4
    assert apart(found["maps"], expected.class_maps) < 1e-5
    assert apart(found["gate"], expected.attention) < 1e-4


def test_more_faces_than_a_batch(ask: Ask, made_up: np.ndarray):
    many = np.concatenate([made_up, made_up[::-1], made_up])
    alone, together = ask(
        {"ask": "forward", "weights": TINY, "crops": made_up[:1]},
        {"ask": "forward", "weights": TINY, "crops": many},
    )
    assert np.array_equal(together["logits"][:8], alone["logits"])
    assert np.array_equal(together["maps"][-288 * 10 :], together["maps"][: 288 * 10])


@pytest.mark.data
@pytest.mark.parametrize("weights", [TINY, BASE])
def test_the_network_on_500_faces(ask: Ask, data_dir: Path, weights: str):
    samples = data.load(data_dir / "fer2013.csv.zip").samples
    grey = [sample.pixels for sample in samples if sample.split == "PublicTest"][:500]
    crops = np.stack([np.repeat(pixels[..., None], 3, axis=2) for pixels in grey])
    backend = OnnxBackend.load(weights)
    expected = forward_many(backend, list(crops))
    (found,) = ask({"ask": "forward", "weights": weights, "crops": crops})
    assert apart(found["logits"], expected.logits) < 1e-4
    assert apart(found["gate"], expected.attention) < 1e-4


def assert_same_faces(found: Sequence[dict[str, Any]], expected: Sequence[Face]):
    """A hundredth of a pixel is rounding."""
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert apart(ours["box"], np.array(theirs.box)) < 0.02
        assert apart(ours["landmarks"], theirs.landmarks) < 0.02
        assert abs(ours["score"] - theirs.score) < 1e-4


@pytest.mark.parametrize("turn", range(4))
def test_a_photo_in_every_turn(ask: Ask, recognizer, astronaut: np.ndarray, turn: int):
    image = np.ascontiguousarray(np.rot90(astronaut, turn))
    faces = recognizer.detector.detect(image)
    assert len(faces) == 1
    (found,) = ask({"ask": "read", "weights": TINY, "image": image})
    assert_same_faces(found["faces"], faces)
    (expected,) = recognizer.recognize(image, faces)
    logits = forward_many(recognizer.backend, [expected.crop]).logits
    (face,) = found["recognitions"]
    assert apart(face["logits"], logits) < 0.05
    assert apart(face["affine"], expected.affine) < 0.01
    assert face["label"] == expected.prediction.label
    assert apart(rgb(face["crop"]).astype(int), expected.crop.astype(int)) <= 1
