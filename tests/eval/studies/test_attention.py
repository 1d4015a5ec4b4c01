"""Two networks of one recipe, with attention and without."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eval.predict import jobs, predict
from eval.robustness.corruptions import levels
from eval.studies import attention
from eval.trust import robustness
from eval.trust.page import find
from eval.trust.section import Subject
from fer_cbam.errors import WeightsError

FEW = ("noise", "contrast")


def training(gates: list[str] | None, **changes) -> dict:
    arguments = {} if gates is None else {"attention": gates}
    recipe = {"seed": 0, "stages": [{"epochs": 2, "model_args": arguments, **changes}]}
    return {"data": "other", "recipe": recipe, "images": 54}


@pytest.fixture
def twin(tiny, save_weights, monkeypatch):
    few = {name: levels()[name] for name in FEW}
    monkeypatch.setattr(robustness, "levels", lambda: few)

    def make(name: str, seed: int, *given, **changes) -> Subject:
        folder = save_weights(name, training(*given, **changes), seed=seed)
        pairs = jobs(str(folder), tiny, "public", "torch", "cpu")
        # Not as many of each label: untrained networks say one of them.
        table = predict(pairs, tiny, "public", name=name).query("target != 'anger' or index > 9")
        by_id = {s.sample_id: s for s in tiny.samples}
        samples = [by_id[i] for i in table["sample_id"]]
        train = [s for s in tiny.samples if s.split == "Training"]
        return Subject(pairs[0].backend, tiny.name, "public", name, table, samples, train=train,
                       quick=True)  # fmt: skip

    return make


def test_each_is_measured_as_in_the_trust_report_and_the_change_is_cbam_less_none(twin):
    cbam, plain = twin("cbam", 0, None), twin("plain", 4, ["", ""])
    records = attention.measure(cbam, plain)
    for subject in (cbam, plain):
        alone = robustness.measure(subject)
        for condition in (*FEW, "all corruptions"):
            where = {"weights": subject.weights, "condition": condition}
            for metric in ("corruption_error", "relative_accuracy"):
                assert find(records, metric=metric, **where) == find(alone, metric=metric, **where)
        svm = {"condition": "noise", "metric": "hog_svm_corruption_error"}
        assert find(records, **svm)["value"] == find(alone, **svm)["value"]
    for condition in (*FEW, "all corruptions"):
        ends = [find(records, weights=name, condition=condition, metric="corruption_error")["value"]
                for name in ("cbam", "plain")]  # fmt: skip
        change = find(records, condition=condition, metric="corruption_error_change")
        assert change["value"] == pytest.approx(ends[0] - ends[1])
        assert change["low"] <= change["value"] <= change["high"]
    assert find(records, condition="noise", metric="corruption_error_change")["value"] != 0


def test_equal_answers_change_nothing_for_sure(twin):
    cbam, plain = twin("cbam", 0, None), twin("plain", 0, ["", ""])
    changes = [r for r in attention.measure(cbam, plain) if r["metric"].endswith("_change")]
    assert len(changes) == 2 * (len(FEW) + 1)
    assert np.all([[r["value"], r["low"], r["high"]] for r in changes] == np.zeros(3))


def test_networks_that_differ_in_more_are_refused(twin):
    cbam = twin("cbam", 0, None)
    for other in (twin("longer", 1, ["", ""], epochs=3), twin("same", 1, None)):
        with pytest.raises(WeightsError, match="all else of the recipe alike"):
            attention.measure(cbam, other)


def test_a_report_is_written(twin, tmp_path, monkeypatch):
    made = iter([twin("cbam", 0, None), twin("plain", 1, ["", ""])])
    monkeypatch.setattr(attention, "open_subject", lambda *_, **__: next(made))
    attention.main(["--cbam", "a", "--plain", "b", "--data", "d", "--out", str(tmp_path)])
    report = json.loads((tmp_path / "attention.json").read_text(encoding="utf-8"))
    assert report["study"] == "attention" and report["images"] == 54
    assert report["recipe"]["stages"][0]["epochs"] == 2


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SystemExit, match="none"):
        attention.main(["--cbam", "none", "--plain", "none", "--data", str(tmp_path / "none.csv"),
                        "--out", str(tmp_path)])  # fmt: skip
