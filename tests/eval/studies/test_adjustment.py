"""The points at which labels may be said: what each is, and what the command writes."""

from __future__ import annotations

import pytest

from eval.docs.records import load, one, select
from eval.predict import predict_logits
from eval.studies import adjustment as a
from fer_cbam import data, pretrained
from fer_cbam.backends.open import open_backend
from fer_cbam.decide import Decision
from tests.eval.test_calibrate import faces_csv

LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
PRIOR = dict(zip(LABELS, (0.1, 0.02, 0.08, 0.3, 0.3, 0.1, 0.1), strict=True))


def test_the_points_of_weights():
    own = {"balance": 0.4, "shift": {"fear": -0.2, "neutral": -0.3}, "silent": ["disgust"]}
    found = a.points({"decision": own}, LABELS)
    assert list(found) == ["as released", "balance 0", "balance 0.25", "balance 0.5",
                           "balance 0.75", "balance 1", "neutral +0", "neutral -0.5",
                           "neutral -1"]  # fmt: skip
    assert found["as released"] == own
    assert found["balance 0.25"] == {"balance": 0.25}
    assert found["neutral -1"] == {**own, "shift": {"fear": -0.2, "neutral": -1.0}}
    assert own["shift"]["neutral"] == -0.3
    assert "as released" not in a.points({}, LABELS)
    assert "neutral +0" not in a.points({"decision": own}, LABELS[:4])


def test_the_command_reports_every_point(save_weights, tmp_path):
    training = {"data": "fer2013", "protocol": "public", "split": "public", "prior": PRIOR}
    decision = {"balance": 0.0, "shift": {"anger": 50.0}, "silent": ["fear"]}
    folder = save_weights("w", training, LABELS, decision=decision)
    out = tmp_path / "reports" / "public"
    a.main(["--weights", str(folder), "--data", str(faces_csv(tmp_path)), "--out", str(out)])
    found = load(out)
    accuracies = select(found, metric="accuracy", group=None)
    points = a.points({"decision": decision}, LABELS)
    assert list(accuracies["condition"]) == list(points)
    # Everything is called anger as released, and 7 of 20 are.
    anger = select(found, condition="as released", group="anger")
    values = {name: one(anger, metric=name)["value"] for name in ("said", "precision", "recall")}
    assert values == pytest.approx({"said": 20, "precision": 7 / 20, "recall": 1})
    even = select(found, condition="balance 1", group="anger")
    assert one(even, metric="said")["value"] < 20
    config = pretrained.read_config(folder)
    own = Decision.of({**config, "decision": {"balance": 1.0}}, LABELS)
    dataset = data.load(tmp_path / "fer2013.csv")
    crops = [s.pixels for s in dataset.samples if s.split == "PublicTest"]
    said = own.said(own.posterior(predict_logits(open_backend(folder, "torch"), crops)))
    assert one(even, metric="said")["value"] == (said == 0).sum()
