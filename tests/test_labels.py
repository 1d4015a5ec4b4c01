"""Emotion names: one order, one spelling, whatever a data set calls them."""

from __future__ import annotations

import csv
import zipfile

import pytest

from fer_cbam.errors import DataError
from fer_cbam.labels import (
    EMOTIONS,
    FER2013_CODES,
    FERPLUS_COLUMNS,
    LABEL_SETS,
    canonical_label,
)


def test_order_is_alphabetical_and_does_not_change():
    # Logits of released weights are in this order; a change here would relabel them all.
    assert EMOTIONS == (
        "anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise",
    )  # fmt: skip
    for labels in LABEL_SETS.values():
        assert labels == tuple(sorted(labels))


def test_label_sets():
    assert set(EMOTIONS) - set(LABEL_SETS["ckplus48"]) == {"neutral"}
    assert set(EMOTIONS) - set(LABEL_SETS["fer2013"]) == {"contempt"}
    assert LABEL_SETS["ferplus"] == EMOTIONS
    assert sorted(FER2013_CODES) == list(LABEL_SETS["fer2013"])
    assert sorted(FERPLUS_COLUMNS) == sorted([*EMOTIONS, "unknown", "NF"])


def test_fer2013_codes():
    # 0=Angry, 1=Disgust, 2=Fear, 3=Happy, 4=Sad, 5=Surprise, 6=Neutral, in the challenge's words.
    words = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
    assert tuple(canonical_label(w) for w in words) == FER2013_CODES


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("happy", "happiness"), ("Happiness", "happiness"), (" SAD ", "sadness"),
        ("angry", "anger"), ("fearful", "fear"), ("disgusted", "disgust"),
        ("surprised", "surprise"), ("contempt", "contempt"), ("Neutral\n", "neutral"),
    ],
)  # fmt: skip
def test_canonical_label(name, label):
    assert canonical_label(name) == label
    assert canonical_label(canonical_label(name)) == label


@pytest.mark.parametrize("name", ["", "unknown", "NF", "bored", "3", "happyness"])
def test_unknown_label_says_what_is_known(name):
    with pytest.raises(DataError) as caught:
        canonical_label(name)
    assert f"unknown emotion {name!r}" in str(caught.value)
    assert all(emotion in str(caught.value) for emotion in EMOTIONS)


@pytest.mark.data
def test_names_in_the_real_files(data_dir):
    with (data_dir / "fer2013new.csv").open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    assert tuple(header[2:]) == FERPLUS_COLUMNS
    with zipfile.ZipFile(data_dir / "ckplus48.zip") as archive:
        classes = {n.split("/")[1] for n in archive.namelist() if n.endswith(".png")}
    assert sorted(canonical_label(c) for c in classes) == list(LABEL_SETS["ckplus48"])
