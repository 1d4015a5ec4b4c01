"""Colours that are given a pulse: what is put in, and what is summed up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eval import pulse as study
from eval.pulse import BLOOD, SKIN, Condition, records, slow, trace
from fer_cbam.physiology.pulse import Pulse, pulse_of


def test_slow_noise_has_nothing_fast_in_it():
    got = slow(np.random.default_rng(0), 600, 1.0)
    power = np.abs(np.fft.rfft(got))
    assert got.std() == pytest.approx(1) and power[np.fft.rfftfreq(600, 1 / 30) > 1].max() < 1e-9


def test_a_pulse_shows_in_each_colour_as_blood_does():
    times, colours = trace(Condition("x", 0.01, light=0, noise=0), 75, 0)
    assert len(times) == 600 and times[1] == pytest.approx(1 / 30)
    swing = (colours / SKIN - 1).std(0)
    np.testing.assert_allclose(swing / swing[1], BLOOD / BLOOD[1])
    # A sine of 1 % and a harmonic of 0.3 % in green.
    assert swing[1] == pytest.approx(0.01 * np.sqrt((1 + 0.09) / 2), rel=0.02)
    assert pulse_of(times, colours).bpm == pytest.approx(75, abs=2)


def test_light_changes_all_colours_alike_and_a_glint_is_white():
    _, lit = trace(Condition("x", 0, light=0.1, noise=0), 75, 0)
    np.testing.assert_allclose(lit / SKIN, np.tile(lit[:, :1] / SKIN[0], (1, 3)))
    assert (lit / SKIN).std() == pytest.approx(0.1, rel=1e-6)
    _, shining = trace(Condition("x", 0, light=0, glint=0.02, noise=0), 75, 0)
    added = shining - SKIN
    np.testing.assert_allclose(added, np.tile(added[:, :1], (1, 3)))
    assert added.min() >= 0 and np.sqrt((added**2).mean()) == pytest.approx(5.1, rel=1e-3)


def test_what_is_summed_up():
    rest = Condition("at rest", 0.01)
    own = [(60.0, Pulse(10, 61.0, 8.0)), (60.0, Pulse(10, 69.0, 4.0)), (60.0, Pulse(10, None, 0.0))]
    found = {r["metric"]: r["value"] for r in records(rest, own)}
    assert found == {"quality": 4, "answered": pytest.approx(2 / 3), "error": 5, "far off": 0.5}
    assert {r["metric"] for r in records(Condition("none", 0.0), own)} == {"quality", "answered"}


def test_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study, "TRIALS", 1)
    monkeypatch.setattr(study, "CONDITIONS", study.CONDITIONS[:1])
    study.main(["--out", str(tmp_path / "r.json")])
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["study"] == "fusion" and report["seconds"] == 20
    values = {r["metric"]: r["value"] for r in report["records"]}
    assert values["answered"] == 1 and values["error"] < 3
    assert study.CONDITIONS[0].name in capsys.readouterr().out
