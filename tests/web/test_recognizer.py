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
from fer_cbam.detect import face_detector, yunet
from fer_cbam.explain.parts import part_losses
from fer_cbam.images import decode_image
from fer_cbam.pretrained import embedded_names
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve.server import LIVE_SIDE
from fer_cbam.types import Face
from fer_cbam.video import tracks
from fer_cbam.words.regions import landmarks_to_crop, region_masks
from tests.web.conftest import Ask, plain, rgb

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


def test_a_second_look_in_the_dark(ask: Ask, astronaut: np.ndarray):
    """So dark and noisy that only the second look finds the face."""
    noise = np.random.default_rng(0).normal(0, 4, astronaut.shape)
    dark = np.clip(astronaut * 0.04 + noise, 0, 255).astype(np.uint8)
    detector = face_detector("onnx", 640)
    faces = detector.detect(dark)
    first = detector._search_all(dark, yunet.search_sides(512, 640))
    assert len(faces) == 1 and not len(first)
    (found,) = ask({"ask": "read", "weights": TINY, "image": dark, "maxSide": 640})
    ((face,), (expected,)) = found["faces"], faces
    # The contrast of a pixel may differ by one, which moves a box a little.
    assert apart(face["box"], np.array(expected.box)) < 0.02 * expected.size
    assert abs(face["score"] - expected.score) < 0.02


@pytest.mark.parametrize("weights", [TINY, BASE, "fer_cbam_paper.ckplus48"])
def test_all_explanations(ask: Ask, astronaut: np.ndarray, weights: str):
    """Of the crop that the modules themselves have cut out."""
    recognizer = EmotionRecognizer.from_pretrained(weights, backend="onnx")
    faces = recognizer.detector.detect(astronaut)
    (found,) = ask({"ask": "read", "weights": weights, "image": astronaut, "explain": True,
                    "faces": plain(faces)})  # fmt: skip
    (face,) = found["recognitions"]
    crop = rgb(face["crop"])
    ((prediction,), _) = recognizer.classify([crop])
    assert face["label"] == prediction.label and face["no_face"] == prediction.no_face
    assert face["uncertain"] == prediction.uncertain
    assert face["probs"] == pytest.approx(prediction.probs, abs=1e-5)
    labels = recognizer.label_names
    for method, ours in (("gradcam", face["saliency"]), ("occlusion_gradcam", face["explained"])):
        expected = recognizer.explain_labels(crop, labels, method)
        assert {label: apart(ours[label], expected[label].values) < 1e-3 for label in labels} == (
            dict.fromkeys(labels, True)
        )
    attention = recognizer.explain(crop, labels[0], "spatial_attention")
    assert apart(face["attention"], attention.values) < 1e-3
    masks = region_masks(landmarks_to_crop(faces[0], np.reshape(face["affine"], (2, 3))), 48)
    x = recognizer.preprocess([crop])
    losses = part_losses(recognizer.backend, x, masks, recognizer.decision)
    for label, own in losses.items():
        least = {part: own.least(part) for part in masks}
        assert face["losses"][label]["least"] == pytest.approx(least, abs=1e-4)
        assert face["losses"][label]["decisive"] == own.decisive


def test_a_live_picture(ask: Ask, astronaut: np.ndarray):
    """A face that moves, is covered for a while, and comes back: tracks and smoothed answers."""
    recognizer = EmotionRecognizer.from_pretrained(TINY, backend="onnx")
    detector, smoother = face_detector("onnx", LIVE_SIDE), recognizer.smoother("filter")
    frames, memory, expected = [], tracks.Memory(), []
    for i in range(8):
        image = np.roll(astronaut, (3 * i, 8 * i), (0, 1))
        if i in (3, 4):
            image = np.zeros_like(image)
        frames.append((image, 0.1 * i))
    for image, time in frames:
        found = recognizer.recognize(image, detector.detect(image)[:12])
        tracked, memory = tracks.follow(memory, found, time, recognizer.decision, smoother)
        expected.append(tracked)
    assert [len(faces) for faces in expected] == [1, 1, 1, 0, 0, 1, 1, 1]
    (found,) = ask({"ask": "live", "weights": TINY, "frames": frames})
    for ours, theirs in zip(found, expected, strict=True):
        assert [face["track"] for face in ours] == [face.track for face in theirs]
        for face, other in zip(ours, theirs, strict=True):
            prediction = other.recognition.prediction
            assert face["label"] == prediction.label
            assert face["probs"] == pytest.approx(prediction.probs, abs=0.01)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("side", [320, 4096])
def test_every_face_of_the_photographs(ask: Ask, recognizer, data_dir: Path, side: int):
    """The same label on all but ties: where the two best are nearer than the logits differ."""
    photos = sorted((data_dir / "faces" / "photos").glob("*.jpg"))
    assert len(photos) == 17
    images = [decode_image(path) for path in photos]
    answers = ask(*({"ask": "read", "weights": TINY, "image": image, "maxSide": side, "most": 99}
                    for image in images))  # fmt: skip
    detector, count = face_detector("onnx", side), 0
    for image, found in zip(images, answers, strict=True):
        faces = detector.detect(image)
        assert_same_faces(found["faces"], faces)
        expected = recognizer.recognize(image, faces)
        for face, other in zip(found["recognitions"], expected, strict=True):
            logits = forward_many(recognizer.backend, [other.crop]).logits[0]
            assert apart(face["logits"], logits) < 0.05
            lift = np.log(list(other.prediction.probs.values())) + recognizer.decision.lift
            best, second = np.sort(lift)[:-3:-1]
            assert face["label"] == other.prediction.label or best - second < 0.1
            count += 1
    assert count >= 34
