"""The section on faithfulness: what it says of a method that is right, and of one that is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.trust import faithfulness, methods
from eval.trust.faithfulness import means, summary
from eval.trust.page import find
from fer_cbam.explain.named import EXPLAINERS


def test_a_quick_report_of_all_explainers(subject, monkeypatch):
    monkeypatch.setattr(faithfulness, "QUICK_FACES", 4)
    records = faithfulness.measure(subject)
    judged = {r["condition"] for r in records if r["metric"] == "abpc"}
    assert set(EXPLAINERS) - set(methods.SLOW) <= judged
    assert {"Gaussian", "Sobel", "random 6x6", "class mean of gradcam"} <= judged
    for r in records:
        assert r.get("n") in (4, 1) or r["metric"] == "default"
        if r["metric"] == "abpc":
            assert r["low"] <= r["value"] <= r["high"]
    page = faithfulness.html(records)
    assert "best of those that are cheap enough" in page and 'src="data:image/png' in page
    assert all(name in page for name in judged)


def test_no_method_is_judged_by_its_own_fill():
    assert methods.own_fill("occlusion_6x6") == methods.own_fill("occlusion_4x4") == "blur"
    assert methods.own_fill("class mean of occlusion_6x6") == "blur"
    assert methods.own_fill("integrated_gradients") == "mean"
    assert methods.own_fill("gradcam") is methods.own_fill("Gaussian") is None
    assert not set(faithfulness.UNUSED) & {methods.own_fill(name) for name in EXPLAINERS}


@pytest.fixture
def made_up(subject, monkeypatch):
    """18 faces; Grad-CAM is 0.1 above the Gaussian on each, with noise that both share."""
    monkeypatch.setattr(faithfulness, "explainers", lambda subject: ["gradcam"])
    luck = np.random.default_rng(0).normal(0, 1, 18)

    def scores(abpc: float) -> dict[str, np.ndarray]:
        return {"abpc": luck + abpc, "deletion_auc": -luck - abpc, "aopc": luck,
                "insertion_auc": luck, "abpc_log_odds": luck}  # fmt: skip

    fills = ("noise", "road")
    table = {("gradcam", "pixel", f): scores(0.4) for f in fills}
    table |= {(b, "pixel", f): scores(0.3) for b in
              ("Gaussian", "Sobel", "random pixels", "random 6x6", "class mean of gradcam")
              for f in fills}  # fmt: skip
    return list(summary(subject, subject.table, table))


def test_gains_are_paired(made_up):
    gain = find(made_up, metric="abpc_gain", option="pixel, road", group="over Gaussian")
    assert gain["value"] == pytest.approx(0.1) and gain["low"] == pytest.approx(0.1)
    less = find(made_up, metric="deletion_gain", option="pixel, road", group="over Sobel")
    assert less["value"] == pytest.approx(0.1) and less["low"] == pytest.approx(0.1)
    own = find(made_up, metric="abpc", condition="gradcam", option="unused fills")
    assert own["high"] - own["low"] > 0.3  # but each alone is uncertain
    overall = find(made_up, metric="abpc_gain", option="unused fills", group="over class mean of "
                   "gradcam")  # fmt: skip
    assert overall["value"] == pytest.approx(0.1)


def test_persons_are_drawn_whole(subject):
    """Faces of one person that are all alike are worth one face."""
    rows = subject.table.assign(subject_id=["a"] * 9 + ["b"] * 9)
    values = np.repeat([0.0, 1.0], 9)[:, None]
    low, high = faithfulness.bootstrap(rows, lambda _, w: means(values, w))
    assert (low[0], high[0]) == (0, 1)


def test_weighted_means():
    values = np.array([[1.0, 10.0], [3.0, 30.0]])
    np.testing.assert_allclose(means(values, None), [2, 20])
    np.testing.assert_allclose(means(values, np.array([[3.0, 0], [1, 2]])), [[1.5, 15], [3, 30]])


def test_costs_are_of_one_face(subject):
    assert 0 < methods.milliseconds("gradcam", subject) < 1000
    slow = methods.milliseconds("occlusion_6x6", subject)
    assert slow > 3 * methods.milliseconds("gradcam", subject)


def test_without_torch_only_what_needs_none(subject):
    class Other:
        preprocess, label_names = subject.backend.preprocess, subject.backend.label_names
        forward, config = subject.backend.forward, subject.backend.config

    names = methods.explainers(replace(subject, backend=Other()))
    assert "layercam_1" not in names and {"gradcam", "occlusion_4x4"} <= set(names)
