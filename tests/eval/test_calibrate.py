"""Temperature and threshold against cases whose answer is known, and what is written where."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from eval import calibrate as c
from eval import report as r
from eval.docs.records import load, one, select
from eval.table import scored
from fer_cbam import hub, pretrained
from fer_cbam.errors import DataError
from tests.eval.conftest import LABELS, make_table


def drawn(scale: float, n: int = 20_000):
    """Targets drawn from softmax(logits), and the logits times a scale."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (n, 3))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = (rng.random((n, 1)) > probs.cumsum(1)).sum(1)
    return scale * logits, targets


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_a_scale(scale):
    logits, targets = drawn(scale)
    assert c.fit_temperature(logits, targets) == pytest.approx(scale, rel=0.03)


def test_the_temperature_is_that_of_lbfgs():
    logits, targets = drawn(2.0, 500)
    x, y = torch.from_numpy(logits), torch.from_numpy(targets)
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], max_iter=200, tolerance_grad=1e-12)

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x / log_t.exp(), y)
        loss.backward()
        return loss

    optimiser.step(closure)
    assert c.fit_temperature(logits, targets) == pytest.approx(log_t.exp().item(), rel=1e-4)


def test_logits_that_always_or_never_know_have_no_temperature():
    logits = np.eye(3)[[0, 1, 2] * 5]
    targets = np.array([0, 1, 2] * 5)
    for sign in (1, -1):
        with pytest.raises(DataError, match="expected one inside"):
            c.fit_temperature(sign * logits, targets)


def test_silence_is_as_short_as_it_may_be():
    confidence = np.array([0.5, 0.9, 0.8, 0.7, 0.6])
    correct = np.array([False, True, True, False, True])
    # From the top: 1/1, 2/2, 2/3, 3/4, 3/5.
    assert c.confidence_threshold(confidence, correct, 0.75) == pytest.approx(0.55)
    assert c.confidence_threshold(confidence, correct, 0.9) == pytest.approx(0.75)
    assert c.confidence_threshold(confidence, correct, 0.6) == 0
    # A tie falls together: right and wrong at 0.9 make one half, whichever stands first.
    assert c.confidence_threshold(np.array([0.9, 0.9, 0.2]), np.array([1, 0, 0], bool), 0.5) == 0.55
    with pytest.raises(DataError, match=r"at most 50\.0% .*expected 90%"):
        c.confidence_threshold(np.array([0.9, 0.9]), np.array([True, False]))


def test_a_report_shows_both_sides_of_the_temperature_and_who_is_answered():
    logits, targets = drawn(3.0, 3000)
    made = make_table(np.array(LABELS)[targets], logits)
    values = c.calibrate(made)
    made.attrs["decisions"] = {"only": values}
    got = r.report(made, n_resamples=20)["metrics"]
    assert got["ece_uncalibrated"]["value"] > 5 * got["ece"]["value"]
    assert got["brier_uncalibrated"]["value"] > got["brier"]["value"]
    assert got["log_loss_uncalibrated"]["value"] > got["log_loss"]["value"]
    s = scored(made)
    assert got["coverage"]["value"] == (s.confidence >= values["uncertain_below"]).mean()
    assert 0.9 <= got["selective_accuracy"]["value"] < 0.905


def test_a_report_without_the_images_that_training_holds():
    names = ["anger", "happiness", "surprise", "anger"]
    logits = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    made = make_table(names, logits)
    assert "accuracy_without_twins" not in r.report(made, n_resamples=20)["metrics"]
    made["twin"] = [True, False, False, False]
    got = r.report(made, n_resamples=20)
    assert got["twins"] == 1
    assert got["metrics"]["accuracy"]["value"] == 0.5
    assert got["metrics"]["accuracy_without_twins"]["value"] == pytest.approx(1 / 3)
    assert got["metrics"]["balanced_accuracy_without_twins"]["value"] == pytest.approx(1 / 3)


def faces_csv(tmp_path):
    """60 faces whose brightness at one place tells the class, a fifth of them wrongly labelled."""
    rng = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for i in range(60):
        pixels = rng.integers(0, 200, 2304)
        split = "Training" if i < 20 else "PublicTest" if i < 40 else "PrivateTest"
        lines.append(f"{(0, 3, 5)[i % 3]},{' '.join(map(str, pixels))},{split}")
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    return tmp_path / "fer2013.csv"


def test_the_command_writes_report_and_config_and_nothing_else(save_weights, tmp_path, monkeypatch):
    labels = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    folder = save_weights("w", {"data": "fer2013", "protocol": "public", "split": "public"}, labels)
    monkeypatch.setattr(c, "calibrate", lambda table: {"temperature": 1.5, "uncertain_below": 0.2})
    before = pretrained.read_config(folder)
    c.main(["--weights", str(folder), "--data", str(faces_csv(tmp_path)),
            "--out", str(tmp_path / "out")])  # fmt: skip
    after = pretrained.read_config(folder)
    assert after == {**before, "temperature": 1.5, "uncertain_below": 0.2}
    assert hub.load_model(folder).config["temperature"] == 1.5
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    content = json.loads((tmp_path / "out" / "calibration.json").read_text())
    got = load(tmp_path / "out")
    temperature = one(got, metric="temperature", protocol="public")
    assert (temperature["value"], temperature["n"]) == (1.5, 20)
    before, after = (select(got, condition=side) for side in ("before", "after"))
    same, other = ([one(side, metric=m)["value"] for side in (before, after)]
                   for m in ("accuracy", "log_loss"))  # fmt: skip
    assert same[0] == same[1] and other[0] != other[1]
    assert sum(content["reliability"]["after"]["n"]) == 20


def test_weights_without_a_class_of_the_data_cannot_be_calibrated():
    made = make_table(
        ["anger", "surprise"], [[1.0, 0.0], [0.0, 1.0]], labels=("anger", "happiness")
    )
    with pytest.raises(DataError, match="do not know surprise"):
        c.calibrate(made)
