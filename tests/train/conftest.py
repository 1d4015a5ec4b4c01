"""A small data set on disk for the training script."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_cbam.data import Dataset
from fer_cbam.types import Sample
from train.examples import Source

CLASSES = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


@pytest.fixture(scope="session")
def tiny_ckplus(tmp_path_factory) -> Path:
    """98 images in CK+48's layout: 14 subjects, one pattern of bars for each class."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "ckplus48.zip"
    rows, columns = np.mgrid[:48, :48]
    with zipfile.ZipFile(path, "w") as archive:
        for subject in range(14):
            for k, name in enumerate(CLASSES):
                angle = np.pi * k / len(CLASSES)
                wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / 3)
                image = 128 + 80 * wave + rng.normal(0, 10, (48, 48))
                _, png = cv2.imencode(".png", np.clip(image, 0, 255).astype(np.uint8))
                archive.writestr(f"CK+48/{name}/S{subject:03d}_{k:03d}_00000001.png", png.tobytes())
    return path


@pytest.fixture
def tiny_recipe(tmp_path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "model: fer_cbam_paper\n"
        "model_args: {channels: [8, 8, 16]}\n"
        "epochs: 4\nbatch_size: 16\nschedule: plateau\nearly_stopping: 10\nvalidation: 0.2\n"
        "mixup: 0.2\nema: 0.9\naugment: {degrees: 10, flip: 0.5, erasing: 0.2}\n"
    )
    return path


@pytest.fixture
def source() -> Source:
    rng = np.random.default_rng(0)
    faces = tuple(
        Sample(f"s{i}", rng.integers(0, 256, (48, 48), np.uint8).astype(np.uint8), "anger")
        for i in range(4)
    )
    first = np.array([[1, 0], [0.3, 0.7], [0, 0], [0, 1]], np.float32)
    second = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]], np.float32)
    return Source(
        Dataset("fer2013", ("anger",), faces),
        ("a", "b"),
        (("anger", "fear"), ("anger", "happiness", "sadness")),
        (first, second),
    )
