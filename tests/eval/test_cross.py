"""Cross-dataset evaluation: rows with and without the set's labels, and with the detector."""

from __future__ import annotations

import json
from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from eval import cross, table
from eval import predict as p
from eval.__main__ import main
from eval.run import evaluate
from fer_cbam.data import Dataset
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.types import Face, Sample
from tests.conftest import LANDMARKS
from tests.eval.conftest import LABELS

FOUR = (*LABELS, "neutral")


class Detector:
    """Finds two faces where a picture's first pixel is even; the larger is what counts."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def detect(self, image: np.ndarray) -> list[Face]:
        self.asked.append(image.shape)
        if image.shape[0] > 48 or image[0, 0, 0] % 2:
            return []
        points = np.array(LANDMARKS, np.float32) * 48 - 0.5
        return [
            Face((0, 0, 9, 9), 0.9, points * 0.2),
            Face((0, 0, 48, 48), 0.5, points),
        ]


@pytest.fixture
def evaluation(tiny, save_weights):
    folder = save_weights("w", {"data": "other"}, FOUR, landmarks=LANDMARKS)
    pairs = p.jobs(str(folder), tiny, "cross", "torch", "cpu")
    return evaluate([pairs], tiny, "cross")


def test_rows_are_those_of_the_logits(evaluation, tiny):
    reports = dict(cross.measured(evaluation, Detector()))
    logits = evaluation.predictions[[f"logit_{name}" for name in FOUR]].to_numpy()
    targets = [s.label for s in tiny.samples]
    assert evaluation.result["n"] == len(tiny) == 90
    said = np.array(FOUR)[logits.argmax(1)]
    restricted = np.array(FOUR)[logits[:, :3].argmax(1)]
    assert Counter(said)["neutral"]  # else the two rows would not differ
    for condition, expected in (("as_is", said), ("as_is, own labels", restricted)):
        metrics = reports[condition]["metrics"]
        assert metrics["accuracy"]["value"] == pytest.approx(accuracy_score(targets, expected))
    recalls = recall_score(targets, restricted, labels=LABELS, average=None)
    got = [reports["as_is, own labels"]["classes"][label]["recall"]["value"] for label in LABELS]
    np.testing.assert_allclose(got, recalls)
    probs = np.exp(logits[:, :3]) / np.exp(logits[:, :3]).sum(1, keepdims=True)
    gaps = table.scored(cross.own_labels(evaluation.predictions))
    np.testing.assert_allclose(gaps.probs[:, :3], probs, atol=1e-6)


def test_a_missed_face_is_wrong_in_one_row_and_left_out_in_the_other(evaluation, tiny):
    detector = Detector()
    reports = dict(cross.measured(evaluation, detector))
    found = np.array([s.pixels[0, 0] % 2 == 0 for s in tiny.samples])
    assert 20 < found.sum() < 70
    # Landmarks that lie where the weights want them: the crop that is cut out is the picture.
    right = table.scored(evaluation.predictions).correct
    targets = np.array([s.label for s in tiny.samples])
    missed, kept = (reports[f"detected{suffix}"] for suffix in ("", ", found only"))
    assert (missed["n"], kept["n"]) == (90, found.sum())
    assert missed["metrics"]["found"]["value"] == found.mean()
    assert missed["metrics"]["accuracy"]["value"] == pytest.approx((right & found).mean())
    assert kept["metrics"]["accuracy"]["value"] == pytest.approx(right[found].mean())
    said = np.where(right & found, targets, "none")
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        balanced = balanced_accuracy_score(targets, said)
    assert missed["metrics"]["balanced_accuracy"]["value"] == pytest.approx(balanced)
    assert len(detector.asked) == 90 + (~found).sum()  # once more in a border
    assert {shape for shape in detector.asked if shape != (48, 48, 3)} == {(192, 192, 3)}


def test_nobody_found_is_an_error(evaluation):
    class Blind(Detector):
        def detect(self, image: np.ndarray) -> list[Face]:
            return []

    with pytest.raises(DataError, match="the detector finds no face in it"):
        dict(cross.measured(evaluation, Blind()))


def test_a_border_keeps_the_picture_in_the_middle():
    image = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    framed = cross.bordered(image)
    assert framed.shape == (600, 500, 3)
    np.testing.assert_array_equal(framed[150:450, 150:350], image)
    np.testing.assert_allclose(framed[0, 0], image.mean((0, 1)), atol=1)
    small = cross.bordered(image[:48, :48])
    assert small.shape == (192, 192, 3)
    shrunk = cv2.resize(small[48:144, 48:144], (48, 48), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(shrunk.ravel(), image[:48, :48].ravel())[0, 1] > 0.9


def test_each_split_of_the_data_has_a_row(tiny, save_weights):
    turned = Dataset("kdef", LABELS, tuple(
        Sample(s.sample_id, s.pixels, s.label, split=("straight", "half_left")[i % 2])
        for i, s in enumerate(tiny.samples)
    ))  # fmt: skip
    folder = save_weights("w", {"data": "other"}, landmarks=LANDMARKS)
    evaluation = evaluate([p.jobs(str(folder), turned, "cross", "torch", "cpu")], turned, "cross")
    reports = dict(cross.measured(evaluation, Detector()))
    right = table.scored(evaluation.predictions).correct
    assert reports["as_is, straight"]["metrics"]["accuracy"]["value"] == right[::2].mean()
    assert reports["as_is, half_left"]["metrics"]["accuracy"]["value"] == right[1::2].mean()
    some = cross.named(turned, "mine", ["half_left"])
    assert (some.name, [s.sample_id for s in some.samples]) == (
        "mine", [s.sample_id for s in turned.samples[1::2]],
    )  # fmt: skip
    with pytest.raises(
        DataError, match=r"splits \['front'\]; expected some of half_left, straight"
    ):
        cross.named(turned, None, ["front"])


def test_weights_that_learnt_the_data_are_refused(tiny, save_weights):
    folder = save_weights("w", {"data": "tiny", "protocol": "public", "split": "public"})
    with pytest.raises(WeightsError, match="test images of cross cross were in its training side"):
        p.jobs(str(folder), tiny, "cross")


def test_from_the_command_line(save_weights, tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(1)
    for name in LABELS:
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(0, 256, (48, 48), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{i}.png")
    weights = save_weights("w", {"data": "folder", "protocol": "paper", "split": "seed0"}, FOUR,
                           landmarks=LANDMARKS)  # fmt: skip
    monkeypatch.setattr("eval.__main__.face_detector", lambda backend: Detector())
    common = ["--weights", str(weights), "--data", str(tmp_path / "faces"), "--protocol", "cross",
              "--out", str(tmp_path / "out"), "--device", "cpu"]  # fmt: skip
    with pytest.raises(SystemExit, match="were in its training side"):
        main(common)
    main([*common, "--data-name", "mine"])
    records = json.loads((tmp_path / "out" / "metrics.json").read_text())["records"]
    accuracies = {r.get("condition"): r for r in records if r["metric"] == "accuracy"}
    assert set(accuracies) == {
        None, "as_is", "as_is, own labels", "detected", "detected, found only",
        "detected, own labels", "detected, found only, own labels",
    }  # fmt: skip
    assert accuracies[None]["value"] == accuracies["as_is"]["value"]
    assert {r["data"] for r in records} == {"mine"}
    assert all(r["metric"] != "ece" for r in records if r.get("condition") == "detected")
    out = capsys.readouterr().out
    assert "found 0." in out and "as_is, own labels" in out
