"""KDEF: everything stands in the file names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import noise, png

from fer_cbam.data import load
from fer_cbam.errors import DataError

NAMES = {
    "AF01/AF01AFS.JPG": ("AF01AFS", "fear", "F01", "straight"),
    "AF01/AF01ANHL.JPG": ("AF01ANHL", "anger", "F01", "half_left"),
    "AM22/AM22DIHR.JPG": ("AM22DIHR", "disgust", "M22", "half_right"),
    "AM22/AM22HAFL.JPG": ("AM22HAFL", "happiness", "M22", "full_left"),
    "BF01/BF01ANHL.JPG": ("BF01ANHL", "anger", "F01", "half_left"),
    "BM22/BM22NEFR.JPG": ("BM22NEFR", "neutral", "M22", "full_right"),
    "BM22/BM22SAS.JPG": ("BM22SAS", "sadness", "M22", "straight"),
    "BM22/BM22SUS.JPG": ("BM22SUS", "surprise", "M22", "straight"),
    # Published under broken names.
    "AF31/AF31V.JPG": ("AF31SAHL", "sadness", "F31", "half_left"),
    "AM31/AM31H.JPG": ("AM31SUHR", "surprise", "M31", "half_right"),
}
FILES = {f"KDEF_and_AKDEF/KDEF/{n}": png(noise(i, (30, 20, 3))) for i, n in enumerate(NAMES)}


def test_names_say_session_person_expression_and_angle(write_tree: Callable[..., Path]) -> None:
    dataset = load(write_tree(FILES))
    assert dataset.name == "kdef" and len(dataset.label_names) == 7
    found = [(s.sample_id, s.label, s.subject_id, s.split) for s in dataset.samples]
    assert found == sorted(NAMES.values())
    groups = {s.sample_id: s.group for s in dataset.samples}
    assert groups["AF01ANHL"] == groups["BF01ANHL"] != groups["AF01AFS"]
    np.testing.assert_array_equal(dataset.samples[0].pixels, noise(0, (30, 20, 3)))


def test_averaged_faces_are_nobody(write_tree: Callable[..., Path]) -> None:
    averages = {"KDEF_and_AKDEF/AKDEF/FANS.JPG": png(noise(0)), "AKDEF/MSUFL.JPG": png(noise(1))}
    assert len(load(write_tree(FILES | averages)).samples) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("KDEF/AF01/AF01XXS.JPG", r"AF01XXS\.JPG: expected a name such as AF01ANS\.JPG"),
        ("KDEF/face.jpg", r"face\.jpg: expected a name such as"),
        ("copy/AF01AFS.JPG", "two samples have the id 'AF01AFS'"),
    ],
)
def test_what_is_wrong_is_named(name: str, message: str, write_tree: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=message):
        load(write_tree(FILES | {name: png(noise(0))}))
