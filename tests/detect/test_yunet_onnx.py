"""YuNet through ONNX Runtime finds what it finds through OpenCV."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from fer_cbam.detect import YuNetDetector, face_detector, yunet_onnx
from fer_cbam.detect.yunet_onnx import OnnxYuNetDetector, decode
from fer_cbam.errors import WeightsError
from fer_cbam.images import decode_image
from fer_cbam.types import Face


def assert_same(found: list[Face], expected: list[Face]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.box, theirs.box, atol=0.01)
        np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.01)
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)


@pytest.mark.parametrize("max_side", [320, 4096])
def test_same_faces_as_opencv(max_side):
    """Sizes that are no multiples of 32; many faces, so that boxes compete."""
    astronaut = skimage.data.astronaut()
    crowd = np.tile(astronaut[10:240, 115:345], (3, 4, 1))[:650, :901]
    ours, theirs = OnnxYuNetDetector(max_side=max_side), YuNetDetector(max_side=max_side)
    for image in (astronaut, astronaut[:301, 77:], crowd, skimage.data.chelsea()):
        assert_same(ours.detect(image), theirs.detect(image))
    assert len(ours.detect(crowd)) >= 8
    assert ours.detect(np.full((5, 3, 3), 128, np.uint8)) == []


def test_decoding_one_cell_by_hand():
    """Cell 5 of 4 columns lies at column 1, row 1; its stride is 8."""
    cells = 8
    cls, obj = np.zeros((cells, 1), np.float32), np.zeros((cells, 1), np.float32)
    cls[5], obj[5] = 1.2, 0.81  # clipped to 1; the score is sqrt(0.81)
    cls[2], obj[2] = 0.6, 0.6  # below the threshold
    bbox, kps = np.zeros((cells, 4), np.float32), np.zeros((cells, 10), np.float32)
    bbox[5] = 0.5, 0.25, np.log(2), np.log(3)
    kps[5] = np.arange(10) / 2
    (row,) = decode(cls, obj, bbox, kps, 8, 4, 0.7)
    np.testing.assert_allclose(row[:4], [12 - 8, 10 - 12, 16, 24], atol=1e-5)
    np.testing.assert_allclose(row[4:14], np.arange(10) * 4 + 8, atol=1e-5)
    assert row[14] == pytest.approx(0.9)


def test_threads_get_what_one_thread_gets():
    detector = OnnxYuNetDetector(max_side=320)
    astronaut = skimage.data.astronaut()
    pictures = [astronaut, astronaut[:300], astronaut[:, 100:400]]
    alone = [detector.detect(p) for p in pictures] * 6
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, pictures * 6))
    for one, other in zip(alone, together, strict=True):
        assert [f.box for f in one] == [f.box for f in other]


def test_each_backend_has_its_detector():
    assert type(face_detector()) is YuNetDetector
    assert type(face_detector("torch", 320)) is YuNetDetector
    for backend in ("onnx", "onnx-int8"):
        detector = face_detector(backend, 320)
        assert type(detector) is OnnxYuNetDetector and detector.max_side == 320


def test_another_model_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "other.onnx"
    path.write_bytes(b"something else")
    monkeypatch.setattr(yunet_onnx, "MODEL_FILE", path)
    with pytest.raises(WeightsError, match=r"other.onnx: expected one input of 640x640"):
        OnnxYuNetDetector()


@pytest.mark.data
@pytest.mark.slow
def test_same_faces_on_the_photographs(data_dir: Path):
    ours, theirs = OnnxYuNetDetector(), YuNetDetector()
    with (data_dir / "faces" / "photos.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    images = [decode_image(data_dir / "faces" / "photos" / name) for name in names]
    for image in images:
        assert_same(ours.detect(image), theirs.detect(image))
    assert sum(len(ours.detect(image)) for image in images) == 34
