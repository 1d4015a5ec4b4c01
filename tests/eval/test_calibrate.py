"""Temperature and threshold against cases whose answer is known, and what is written where."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from eval import calibrate as c
from eval import nonfaces
from eval import report as r
from eval.docs.records import load, one
from eval.table import decision_values, scored
from fer_cbam import hub, pretrained
from fer_cbam.decide import Decision, softmax
from fer_cbam.errors import DataError
from fer_cbam.prior import logit_offset
from tests.eval.conftest import LABELS, make_table


def drawn(scale: float, n: int = 20_000, bias=(0.0, 0.0, 0.0)):
    """Targets drawn from softmax(logits + bias), and the logits times a scale."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (n, 3))
    probs = np.exp(logits + np.array(bias))
    probs /= probs.sum(1, keepdims=True)
    targets = (rng.random((n, 1)) > probs.cumsum(1)).sum(1)
    return scale * logits, targets


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_temperature_and_biases_undo_a_scale_and_a_shift(scale):
    logits, targets = drawn(scale, bias=(0.5, -0.7, 0.2))
    temperature, bias = c.fit_temperature(logits, targets)
    assert temperature == pytest.approx(scale, rel=0.03)
    np.testing.assert_allclose(bias - bias.mean(), [0.5, -0.7, 0.2], atol=0.06)
    alone, none = c.fit_temperature(*drawn(scale), spread=0.0)
    assert alone == pytest.approx(scale, rel=0.03) and not none.any()


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_temperature_is_that_of_lbfgs(spread):
    logits, targets = drawn(2.0, 500, (0.5, -0.7, 0.2))
    x, y = torch.from_numpy(logits), torch.from_numpy(targets)
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    wanted = [log_t, bias] if spread else [log_t]
    optimiser = torch.optim.LBFGS(wanted, max_iter=500, tolerance_grad=1e-12)

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x / log_t.exp() + bias, y)
        if spread:  # a Gaussian prior, of all faces together
            loss = loss + (bias**2).sum() / (2 * spread**2) / len(y)
        loss.backward()
        return loss

    for _ in range(5):
        optimiser.step(closure)
    temperature, found = c.fit_temperature(logits, targets, spread)
    assert temperature == pytest.approx(log_t.exp().item(), rel=1e-4)
    np.testing.assert_allclose(found, bias.detach().numpy(), atol=1e-4)


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


def made_faces(n: int = 3000):
    """A table of three labels whose logits are three times too large, and one lifted by 0.9."""
    logits, targets = drawn(3.0, n, (0.9, 0.0, 0.0))
    return make_table(np.array(LABELS)[targets], logits)


def test_a_report_shows_both_sides_of_calibration_and_who_is_answered():
    made = made_faces()
    values = c.calibrate(c.faces_of(made, {}))
    own = Decision.of(values, LABELS)
    made.attrs["decisions"] = {"only": decision_values(own)}
    got = r.report(made, n_resamples=20)["metrics"]
    assert got["ece_uncalibrated"]["value"] > 5 * got["ece"]["value"]
    assert got["brier_uncalibrated"]["value"] > got["brier"]["value"]
    assert got["log_loss_uncalibrated"]["value"] > got["log_loss"]["value"]
    s = scored(made)
    assert got["coverage"]["value"] == (s.confidence >= values["uncertain_below"]).mean()
    assert 0.9 <= got["selective_accuracy"]["value"] < 0.905
    np.testing.assert_array_equal(s.preds, own.said(s.probs))


def test_calibrated_probabilities_are_those_that_were_drawn_from():
    made = made_faces(20_000)
    values = c.calibrate(c.faces_of(made, {}))
    assert values["temperature"] == pytest.approx(3.0, rel=0.03)
    assert values["bias"]["anger"] - values["bias"]["happiness"] == pytest.approx(0.9, abs=0.08)
    shares = made["target"].value_counts(normalize=True)
    assert values["prior"] == pytest.approx(dict(shares), abs=1e-3)
    # What a release has added to logits changes nothing that is said.
    config = {"balance": 0.5, "training": {"prior": {"anger": 0.1, "happiness": 0.8,
                                                     "surprise": 0.1}}}  # fmt: skip
    offset = logit_offset(config, LABELS)
    lifted = made.assign(**{f"logit_{k}": made[f"logit_{k}"] + v for k, v in offset.items()})
    lifted.attrs = made.attrs
    again = c.calibrate(c.faces_of(lifted, config))
    assert again["temperature"] == pytest.approx(values["temperature"], abs=1e-3)
    plain, taken = c.with_values(made, {}, values), c.with_values(lifted, config, again)
    np.testing.assert_allclose(taken.probs, plain.probs, atol=1e-3)
    assert (taken.preds == plain.preds).mean() > 0.999


def test_cross_fitting_answers_each_face_without_it(monkeypatch):
    """Each fold is answered by the values of the others: here, how many they were."""
    made = made_faces(103)
    seen = []

    def calibrate(faces, aim):
        seen.append(len(faces.targets))
        shift = {"anger": 99.0} if len(seen) == 1 else {"surprise": 99.0}
        return {"decision": {"shift": shift}}

    monkeypatch.setattr(c, "calibrate", calibrate)
    faces = c.faces_of(made, {})
    probs, said = c.cross_fitted(faces, 0.5)
    assert len(seen) == 5 and sum(103 - n for n in seen) == 103 and max(seen) - min(seen) <= 3
    assert (said == 0).sum() == 103 - seen[0] and (said == 2).sum() == seen[0]
    np.testing.assert_allclose(probs, softmax(faces.logits))
    held = said == 0  # in each fold of each label as many as in the others
    for target in range(3):
        of = faces.targets == target
        assert abs((held & of).sum() - of.sum() / 5) <= 1


def test_votes_have_a_temperature_of_their_own(tmp_path):
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
             "unknown", "NF"]  # fmt: skip
    rows = ["Usage,Image name," + ",".join(names),
            "Training,a.png,0,0,1,0,8,0,0,0,1,0",
            "PublicTest,b.png,0,9,0,0,1,0,0,0,0,0"]  # fmt: skip
    (tmp_path / "votes.csv").write_text("\n".join(rows))
    made = make_table(["anger", "happiness"], [[3.0, 0, 1], [0, 3, 1]],
                      ids=["fer2013:0", "fer2013:1"])  # fmt: skip
    faces = c.faces_of(made, {}, tmp_path / "votes.csv")
    np.testing.assert_allclose(faces.shares, [[8 / 9, 0, 1 / 9], [0.1, 0.9, 0]])


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
    decision = {"balance": 0.3, "shift": {"fear": 0.4}, "silent": ["disgust"]}
    chosen = {"temperature": 1.5, "uncertain_below": 0.2, "decision": decision,
              "prior": dict.fromkeys(labels, 1 / 7)}  # fmt: skip
    aims = []

    def calibrate(faces, aim):
        aims.append((len(faces.targets), aim))
        return dict(chosen)

    monkeypatch.setattr(c, "calibrate", calibrate)
    monkeypatch.setattr(nonfaces, "EACH", 10)
    before = pretrained.read_config(folder)
    c.main(["--weights", str(folder), "--data", str(faces_csv(tmp_path)), "--aim", "0.25",
            "--out", str(tmp_path / "out")])  # fmt: skip
    assert aims[0] == (20, 0.25) and len(aims) == 6 and {aim for _, aim in aims} == {0.25}
    after = pretrained.read_config(folder)
    probe = after.pop("face_probe")
    assert after == {**before, **chosen} and len(probe["weights"]) == 64
    assert hub.load_model(folder).config["temperature"] == 1.5
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    content = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert content["decision"] == chosen["decision"]
    got = load(tmp_path / "out")
    temperature = one(got, metric="temperature", protocol="public")
    assert (temperature["value"], temperature["n"]) == (1.5, 20)
    losses = [one(got, condition=side, metric="log_loss")["value"] for side in ("before", "after")]
    assert losses[0] != losses[1]
    assert one(got, condition="after", group="anger", metric="said")["value"] >= 0
    assert sum(content["reliability"]["after"]["n"]) == 20


def test_weights_without_a_class_of_the_data_cannot_be_calibrated():
    made = make_table(
        ["anger", "surprise"], [[1.0, 0.0], [0.0, 1.0]], labels=("anger", "happiness")
    )
    with pytest.raises(DataError, match="do not know surprise"):
        c.faces_of(made, {})
