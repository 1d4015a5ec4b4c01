"""Frames of CK+48's form, with a face in some: who is in which clip, when, and of which label."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from eval.clips.ckplus48 import read_frames
from fer_cbam.backends.open import open_backend
from fer_cbam.data import Dataset
from fer_cbam.detect import face_detector
from fer_cbam.errors import DataError
from fer_cbam.serve.server import ASSETS
from fer_cbam.types import Sample


def sample(sample_id: str, pixels: np.ndarray, label: str) -> Sample:
    subject, sequence, _ = sample_id.split("_")
    return Sample(sample_id, pixels, label, subject_id=subject, group=f"{subject}_{sequence}")


def test_clips_of_people():
    photo = np.asarray(Image.open(ASSETS / "astronaut.jpg").convert("L"))[30:250, 110:330]
    face = cv2.resize(photo, (48, 48), interpolation=cv2.INTER_AREA)
    blank = np.full((48, 48), 90, np.uint8)
    backend = open_backend("fer_cbam_base.ferplus", "onnx")
    samples = [
        sample("S010_004_00000018", face, "happiness"), sample("S005_001_00000009", face, "anger"),
        sample("S010_004_00000017", face[:, ::-1], "happiness"),
        sample("S010_004_00000019", blank, "happiness"),
        sample("S011_001_00000003", blank, "fear"), sample("S012_002_00000003", face, "fear"),
    ]  # fmt: skip
    dataset = Dataset("ckplus48", backend.label_names, tuple(samples))
    readings, people = read_frames(backend, face_detector("onnx"), dataset)
    assert readings.delivered == 6 and len(readings) == 4
    assert readings.clip.tolist() == [0, 1, 1, 3] and people.tolist() == [0, 1, 3]
    np.testing.assert_allclose(readings.seconds, [0, 0, 1 / 30, 0])
    names = [backend.label_names[i] for i in readings.target]
    assert names == ["anger", "happiness", "happiness", "fear"]
    assert readings.logits.argmax(1)[1] == backend.label_names.index("happiness")
    nobody = Dataset("ckplus48", backend.label_names, (samples[3],))
    with pytest.raises(DataError, match="no face in any of 1 crops"):
        read_frames(backend, face_detector("onnx"), nobody)
