"""Labels dealt out anew."""

from __future__ import annotations

from collections import Counter

import pytest

from eval.studies.shuffled_labels import main, shuffled, write
from fer_cbam import data
from fer_cbam.errors import DataError


def test_labels_change_places_and_faces_stay(tiny):
    rows = shuffled(tiny, 20)
    training = [(s, label) for s, label in rows if s.split == "Training"]
    assert len(training) == len({s.sample_id for s, _ in training}) == 20
    # The same labels as often, and not where they were.
    assert Counter(label for _, label in training) == Counter(s.label for s, _ in training)
    assert sum(label == s.label for s, label in training) < 15
    public = [(s, label) for s, label in rows if s.split != "Training"]
    assert public and all(s.split == "PublicTest" and label == s.label for s, label in public)


def test_it_can_be_read_again(tiny, tmp_path):
    rows = shuffled(tiny, 20)
    write(rows, tmp_path / "a" / "shuffled.csv")
    again = data.load(tmp_path / "a" / "shuffled.csv")
    assert [s.label for s in again.samples] == [label for _, label in rows]
    assert all((a.pixels == s.pixels).all() for a, (s, _) in zip(again.samples, rows, strict=True))
    assert [s.split for s in again.samples] == [s.split for s, _ in rows]


def test_too_few_faces(tiny):
    with pytest.raises(DataError, match="expected at least 100000"):
        shuffled(tiny, 100_000)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SystemExit, match="none"):
        main(["--data", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out.csv")])
