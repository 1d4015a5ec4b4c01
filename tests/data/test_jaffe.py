"""JAFFE: everything stands in the file names."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_sets import noise

from fer_cbam.data import load
from fer_cbam.errors import DataError


def tiff(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    return buffer.getvalue()


NAMES = {"KA.AN1.39": "anger", "KA.DI3.44": "disgust", "KL.FE2.175": "fear",
         "NM.HA1.95": "happiness", "TM.NE3.179": "neutral", "UY.SA2.145": "sadness",
         "YM.SU1.58": "surprise"}  # fmt: skip
FILES = {f"jaffe/{name}.tiff": tiff(noise(i, (16, 16))) for i, name in enumerate(NAMES)}
README = {"jaffe/README": b"about the data"}


def test_names_say_person_and_expression(write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree(FILES | README))
    assert dataset.name == "jaffe" and len(dataset.label_names) == 7
    assert {s.sample_id: s.label for s in dataset.samples} == NAMES
    assert [s.subject_id for s in dataset.samples] == [name[:2] for name in sorted(NAMES)]
    assert dataset.samples[0].pixels.shape == (16, 16)
    np.testing.assert_array_equal(dataset.samples[0].pixels, noise(0, (16, 16)))


def test_names_count_more_than_folders(write_tree: Callable[..., Path]) -> None:
    moved = {name.replace("jaffe/", "jaffe/happy/"): content for name, content in FILES.items()}
    assert {s.sample_id: s.label for s in load(write_tree(moved)).samples} == NAMES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jaffe/KA.XX1.39.tiff", r"XX1\.39\.tiff: expected a name such as KA\.AN1\.39\.tiff"),
        ("jaffe/face.tiff", r"face\.tiff: expected a name such as"),
        ("copy/KA.AN1.39.tiff", "two samples have the id 'KA.AN1.39'"),
    ],
)
def test_what_is_wrong_is_named(name: str, message: str, write_tree: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=message):
        load(write_tree(FILES | {name: tiff(noise(0, (16, 16)))}))


def test_a_picture_that_cannot_be_read(write_tree: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"KA\.AN1\.39\.tiff: "):
        load(write_tree(FILES | {"jaffe/KA.AN1.39.tiff": b"II*\0"}))
