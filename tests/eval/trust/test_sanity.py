"""The section on sanity: correlations against scipy, shuffled weights, replaced gates."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from eval.trust import sanity
from eval.trust.page import find
from eval.trust.sanity import rank_correlations, shuffled_backends


def test_rank_correlations_are_scipy_s():
    a, b = np.random.default_rng(0).integers(0, 5, (2, 4, 6, 6)).astype(float)
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(rank_correlations(a, b), expected)
    np.testing.assert_allclose(rank_correlations(a, -a), -1)
    assert list(rank_correlations(a, np.zeros_like(a))) == [0] * 4


def test_weights_are_shuffled_from_the_head_down_and_the_own_stay(subject):
    before = {k: v.clone() for k, v in subject.backend.model.state_dict().items()}
    found = list(shuffled_backends(subject.backend, np.random.default_rng(0)))
    assert [done for done, _ in found] == [
        "head", "down to stage 2", "down to stage 1", "down to stage 0"
    ]  # fmt: skip
    for k, (_, other) in enumerate(found):
        own = other.model.state_dict()
        for stage in range(3):
            name = f"stages.{stage}.convs.0.conv.weight"
            assert torch.equal(own[name], before[name]) == (stage < 3 - k)
            torch.testing.assert_close(own[name].flatten().sort()[0],
                                       before[name].flatten().sort()[0])  # fmt: skip
        assert not torch.equal(own["head.fc.weight"], before["head.fc.weight"])
    for name, value in subject.backend.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_section_says_it_of_each_method(subject, monkeypatch):
    monkeypatch.setattr(sanity, "QUICK_FACES", 4)
    records = sanity.measure(subject)
    for method in ("gradcam", "occlusion_gradcam", "spatial_attention", "layercam_1"):
        for test in ("another face", "head", "down to stage 0"):
            r = find(records, metric="rank_correlation", condition=method, option=test)
            assert -1 <= r["low"] <= r["value"] <= r["high"] <= 1
    # The gate lies before the head.
    kept = find(records, metric="rank_correlation", condition="spatial_attention", option="head")
    assert kept["value"] == pytest.approx(1)
    assert find(records, condition="spatial_attention", option="another class") is None
    assert "another face" in sanity.html(records)


def test_maps_of_a_network_that_learnt_shuffled_labels(subject, monkeypatch):
    monkeypatch.setattr(sanity, "QUICK_FACES", 4)
    # A network with the same weights has the same maps.
    records = sanity.measure(dataclasses.replace(subject, shuffled=subject.backend))
    for method in ("gradcam", "spatial_attention", "layercam_1"):
        r = find(records, metric="rank_correlation", condition=method, option="labels")
        assert r["value"] == pytest.approx(1, abs=1e-6)
    other = copy.copy(subject.backend)
    # The second label where the first was: its maps are those of another class.
    other.label_names = tuple(reversed(subject.backend.label_names))
    records = sanity.measure(dataclasses.replace(subject, shuffled=other))
    r = find(records, metric="rank_correlation", condition="gradcam", option="labels")
    assert r["value"] < 0.99


def test_gates_that_are_the_same_for_all_can_be_swapped(subject):
    model = subject.backend.model
    with torch.no_grad():
        for stage in model.stages:
            if spatial := getattr(stage.attention, "spatial", None):
                spatial.conv.weight.zero_()
    changed = list(sanity.gates(subject))
    assert len(changed) == 6 and all(r["value"] == 0 for r in changed)


def test_gates_that_decide_cannot(subject, monkeypatch):
    monkeypatch.setitem(sanity.GATES, "none", lambda gate: -5 * gate)
    changed = find(list(sanity.gates(subject)), condition="none", option="all gates")
    assert changed["value"] > 0 and changed["n"] == 18
