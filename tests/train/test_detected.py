"""Crops as the recogniser would cut them: the maps against the recogniser's own cutting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from eval.studies.alignment import View, as_rgb, embed
from fer_cbam.preprocess import Preprocess
from fer_cbam.types import Face
from train import detected
from train import examples as module
from train.augment import affine_matrices, augment, compose
from train.detected import detected_crops, find_crop, maps_file
from train.examples import Examples, with_detected
from train.recipe import Augment, RecipeError

LANDMARKS = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.75), (0.65, 0.75))
PREPROCESS = Preprocess(landmarks=LANDMARKS)


class Detector:
    """Sees the face of every picture where the crop lies in it, moved by a similarity of the crop's
    unit square; as `embed` draws from the same generator, it knows where that is."""

    def __init__(self, crop: np.ndarray, seed: int, move: np.ndarray):
        self.crop, self.seed, self.move, self.asked = crop, seed, move, 0

    def detect(self, image: np.ndarray) -> list[Face]:
        self.asked += 1
        rng = np.random.default_rng(self.seed)
        size = int(rng.integers(64, 112))
        picture, truth = embed(self.crop, View(size, 0.0), rng)
        np.testing.assert_array_equal(image, as_rgb(picture))
        points = np.array(LANDMARKS) @ self.move[:, :2].T + self.move[:, 2]
        landmarks = points @ truth[:, :2].T + truth[:, 2]
        (x1, y1), (x2, y2) = truth[:, :2] @ (0, 0) + truth[:, 2], truth @ (1, 1, 1)
        return [Face((x1, y1, x2, y2), 0.9, landmarks.astype(np.float32))]


@pytest.fixture
def crop() -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((48, 48), np.float32), (0, 0), 4)
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)


def move(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """About the middle of the unit square, then by ``shift``."""
    turn = cv2.getRotationMatrix2D((0.5, 0.5), -degrees, scale)
    turn[:, 2] += shift
    return turn


def test_a_face_that_lies_as_in_training_is_left_alone(crop):
    detector = cast(Any, Detector(crop, 7, np.eye(2, 3)))
    found = find_crop(crop, PREPROCESS, detector, np.random.default_rng(7))
    np.testing.assert_allclose(found, np.eye(2, 3), atol=1e-5)


def test_the_map_is_the_detectors_similarity_in_grid_coordinates(crop):
    detector = cast(Any, Detector(crop, 3, move(0, 0.75, (0.125, -0.25))))
    found = find_crop(crop, PREPROCESS, detector, np.random.default_rng(3))
    # [-1, 1] spans two units over the side, so a shift counts twice.
    np.testing.assert_allclose(found, [[0.75, 0, 0.25], [0, 0.75, -0.5]], atol=1e-5)


def test_what_it_samples_is_what_the_recogniser_cuts(crop):
    detector = Detector(crop, 5, move(12, 0.8, (0.05, -0.03)))
    found = find_crop(crop, PREPROCESS, cast(Any, detector), np.random.default_rng(5))
    x = torch.from_numpy(PREPROCESS([crop]))
    grid = F.affine_grid(torch.from_numpy(found)[None], [1, 1, 48, 48], align_corners=False)
    sampled = F.grid_sample(x, grid, padding_mode="border", align_corners=False)[0, 0].numpy()
    rng = np.random.default_rng(5)
    picture, _ = embed(crop, View(int(rng.integers(64, 112)), 0.0), rng)
    expected, _ = PREPROCESS.align(as_rgb(picture), detector.detect(as_rgb(picture))[0])
    # Bicubic up and Lanczos down again on one side, bilinear once on the other.
    assert np.abs(sampled * 255 - expected[..., 0]).mean() < 1.5
    assert np.abs(crop - expected[..., 0].astype(float)).mean() > 10


def test_no_face_is_the_crop_itself(crop):
    blind = cast(Any, SimpleNamespace(detect=lambda image: []))
    found = find_crop(crop, PREPROCESS, blind, np.random.default_rng(0))
    np.testing.assert_array_equal(found, np.eye(2, 3))


def test_maps_are_kept_and_only_what_is_missing_is_looked_for(crop, tmp_path):
    faces = cast(Any, Faces([crop, crop, crop]))
    path = tmp_path / "runs" / "maps.npy"
    first = Detector(crop, 1, move(0, 0.5, (0, 0)))
    maps = detected_crops(faces, np.array([1]), PREPROCESS, cast(Any, first), path)
    assert first.asked == 1 and maps[[0, 2]].isnan().all()
    torch.testing.assert_close(maps[1], torch.eye(2, 3) / 2, atol=1e-5, rtol=0)
    second = Detector(crop, 2, move(0, 0.25, (0, 0)))
    again = detected_crops(faces, np.array([1, 2]), PREPROCESS, cast(Any, second), path)
    assert second.asked == 1 and torch.equal(again[1], maps[1])
    torch.testing.assert_close(again[2], torch.eye(2, 3) / 4, atol=1e-5, rtol=0)
    assert list(path.parent.iterdir()) == [path]


def test_maps_of_other_faces_crops_or_detectors_are_not_read(crop, tmp_path, monkeypatch):
    faces = cast(Any, Faces([crop, crop]))
    names = [
        maps_file(faces, PREPROCESS),
        maps_file(cast(Any, Faces([crop, crop + 1])), PREPROCESS),
    ]
    lower = tuple((x, y + 0.1) for x, y in LANDMARKS)
    names.append(maps_file(faces, Preprocess(landmarks=lower)))
    assert maps_file(faces, PREPROCESS) == names[0]
    other = tmp_path / "other.onnx"
    other.write_bytes(b"other weights")
    monkeypatch.setattr(detected, "MODEL_FILE", other)
    names.append(maps_file(faces, PREPROCESS))
    assert len(set(names)) == 4


class Faces(list[np.ndarray]):
    name = "some"

    @property
    def samples(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(pixels=pixels) for pixels in self]


def test_composing_is_one_after_the_other():
    generator = torch.Generator().manual_seed(0)
    config = Augment(degrees=30, shift=0.2, zoom=0.3, flip=0.5)
    outer, inner = (affine_matrices(config, 5, generator) for _ in range(2))
    points = torch.rand(5, 2, 1)
    step = inner[:, :, :2] @ points + inner[:, :, 2:]
    expected = outer[:, :, :2] @ step + outer[:, :, 2:]
    both = compose(outer, inner)
    torch.testing.assert_close(both[:, :, :2] @ points + both[:, :, 2:], expected)


def test_augmentation_starts_from_the_recognisers_crop_as_often_as_asked():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(400, 1, 8, 8, generator=generator)
    mirror = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(400, 2, 3)
    y, _ = augment(x, Augment(detected=0.25), generator, mirror)
    same = torch.isclose(y, x, atol=1e-5).flatten(1).all(1)
    turned = torch.isclose(y, x.flip(3), atol=1e-5).flatten(1).all(1)
    assert (same ^ turned).all() and 0.2 < turned.float().mean() < 0.3


def test_a_recipe_that_asks_for_crops_that_nobody_found_says_so():
    with pytest.raises(RecipeError, match=r"detected 0\.5; expected examples with"):
        augment(torch.rand(2, 1, 8, 8), Augment(detected=0.5), torch.Generator())


def test_examples_take_their_maps_along():
    maps = torch.arange(4.0).view(4, 1, 1).expand(4, 2, 3)
    examples = Examples(torch.rand(4, 1, 2, 2), torch.eye(4), (4,), maps)
    taken = examples.labelled(np.array([2, 0])).detected
    assert taken is not None and taken[:, 0, 0].tolist() == [2, 0]


def test_examples_get_their_maps_from_the_detector_and_keep_them(crop, tmp_path, monkeypatch):
    detector = Detector(crop, 1, move(0, 0.5, (0, 0)))
    monkeypatch.setattr(module, "face_detector", lambda: detector)
    source = cast(Any, SimpleNamespace(faces=Faces([crop, crop])))
    plain = Examples(torch.rand(2, 1, 48, 48), torch.eye(2), (2,))
    for _ in range(2):
        found = with_detected(plain, source, np.array([1]), PREPROCESS, tmp_path).detected
        assert found is not None and found[0].isnan().all()
        torch.testing.assert_close(found[1], torch.eye(2, 3) / 2, atol=1e-5, rtol=0)
    assert detector.asked == 1
    assert [p.name for p in tmp_path.iterdir()] == [maps_file(source.faces, PREPROCESS)]
