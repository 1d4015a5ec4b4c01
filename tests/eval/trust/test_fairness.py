"""The section on fairness: what it measures of faces, and that it finds what is there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from eval.table import LOGIT
from eval.trust import fairness
from eval.trust.page import find
from fer_cbam.labels import FERPLUS_COLUMNS
from fer_cbam.types import Face, Sample


class Detector:
    """Finds a face in bright crops only: 100 pixels large, its nose a tenth to the right."""

    def detect(self, image: np.ndarray) -> list[Face]:
        points = np.array([[50, 50], [90, 50], [74, 70], [55, 90], [85, 90]], np.float32)
        return [] if image.mean() < 100 else [Face((0, 0, 100, 80), 0.9, points)]


@pytest.fixture
def lit(subject, monkeypatch):
    """600 faces of 40 persons, who stand in the light or in the dark; the answer is right on 90 %
    of the light faces and 50 % of the dark."""
    rng = np.random.default_rng(0)
    person = np.arange(600) % 40
    dark = person < 20
    labels = subject.backend.label_names
    target = rng.integers(0, len(labels), 600)
    right = rng.random(600) < np.where(dark, 0.5, 0.9)
    said = np.where(right, target, (target + 1) % len(labels))
    shape = rng.integers(0, 60, (600, 48, 48))
    pixels = (shape + np.where(dark, 20, 180)[:, None, None]).astype(np.uint8)
    samples = [Sample(str(i), pixels[i], labels[t], subject_id=f"S{person[i]}", group=f"g{i // 2}")
               for i, t in enumerate(target)]  # fmt: skip
    table = subject.table.iloc[np.zeros(600, int)].reset_index(drop=True)
    table.attrs = subject.table.attrs
    table["sample_id"] = [s.sample_id for s in samples]
    table["target"] = [s.label for s in samples]
    for i, label in enumerate(labels):
        table[LOGIT + label] = np.where(said == i, 2.0, 0.0)
    votes = np.ones((600, 10), int)
    votes[np.arange(600), [FERPLUS_COLUMNS.index(labels[t]) for t in target]] = np.where(
        dark, 1, 11
    )
    monkeypatch.setattr(fairness, "face_detector", Detector)
    return replace(subject, table=table, samples=samples, votes=votes), dark, right


def test_what_is_measured_of_faces(lit):
    subject, dark, _ = lit
    columns = fairness.columns_of(subject, Detector())
    assert list(columns) == ["person", "brightness", "contrast", "sharpness", "size", "head turn",
                             "detector"]  # fmt: skip
    assert columns["person"][41] == "S1"
    assert list(columns["detector"]) == ["missed" if d else "found" for d in dark]
    sharp = [cv2.Laplacian(g, cv2.CV_64F).var() for g in subject.crops]
    for column, values in (("brightness", [g.mean() for g in subject.crops]), ("sharpness", sharp)):
        of_person = np.reshape(values, (15, 40)).mean(axis=0)
        cuts = np.quantile(np.tile(of_person, 15), (1 / 3, 2 / 3))
        expected = np.array(["low", "middle", "high"])[np.searchsorted(cuts, of_person)]
        assert list(columns[column]) == list(np.tile(expected, 15))
    assert {columns["size"][i] for i in np.flatnonzero(dark)} == {None}


def test_turn_is_a_share_of_the_eyes_distance():
    points = np.array([[50, 50], [90, 50], [74, 70], [0, 0], [0, 0]], np.float32)
    assert fairness.turn(points) == pytest.approx(4 / 40)
    mirrored = points * (-1, 1)
    mirrored[[0, 1]] = mirrored[[1, 0]]
    assert fairness.turn(mirrored) == pytest.approx(-4 / 40)
    c, s = np.cos(0.5), np.sin(0.5)
    turned = points @ np.array([[c, s], [-s, c]])
    assert fairness.turn(turned) == pytest.approx(4 / 40)  # a tilt is no turn


def test_records_find_the_dark_and_know_the_votes(lit):
    subject, dark, right = lit
    records = fairness.measure(subject)
    assert {r["weights"] for r in records} == {"w"}
    missed = find(records, condition="detector", group="missed", metric="accuracy")
    assert missed["value"] == pytest.approx(right[dark].mean())
    assert find(records, condition="detector", metric="found_standardised_accuracy")["value"] == 1
    assert find(records, condition="person", metric="found_spread")["value"] == 1
    assert find(records, condition="sharpness", metric="found_spread")["value"] == 0
    agreement = find(records, condition="detector", group="found", metric="agreement")
    assert agreement["value"] == pytest.approx(11 / 20)
    text = fairness.html(records)
    assert "standardised accuracy 0." in text and "40 groups" in text
    assert "No gap beyond those of shuffled groups" in text
    assert "Standardised by anger, happiness, surprise." in text
    assert fairness.measure(subject) == records


def test_frames_of_a_person_are_no_evidence_of_their_own(lit):
    subject, _, _ = lit
    assert len(set(fairness.units_of(subject))) == 40
    assert len(set(fairness.units_of(subject, "person"))) == 300  # sequences, where persons compare
    nobody = replace(subject, samples=[replace(s, subject_id=None) for s in subject.samples])
    assert len(set(fairness.units_of(nobody))) == 300
