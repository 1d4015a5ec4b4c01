"""Rows of a plan against numbers computed by hand."""

from __future__ import annotations

import json

import pytest

from eval.docs.summary import collect
from eval.studies import ablation


def run(seed: int, accuracy: float) -> dict:
    rates = {"n": 10, "accuracy": accuracy, "balanced_accuracy": accuracy / 2}
    return {"split": 0, "seed": seed, "ferplus": rates, "stranger ckplus48": rates}


@pytest.fixture
def content() -> dict:
    rows = {
        "plain": {"set": {}, "runs": [run(0, 0.80), run(1, 0.82), run(2, 0.81)]},
        "no attention": {"set": {}, "runs": [run(0, 0.79), run(1, 0.80), run(2, 0.78)]},
        "lr 0.1": {"set": {}, "runs": [run(1, 0.83)]},
    }
    ablation.compare(rows, "plain")
    return {"command": "python -m train.ablate", "plan": "wild", "protocol": "public",
            "weights": "fer_cbam_tiny", "rows": rows}  # fmt: skip


def test_differences_are_paired_by_seed(content):
    cell = content["rows"]["no attention"]["ferplus"]["accuracy"]
    assert (cell["mean"], cell["n"]) == (pytest.approx(0.79), 3)
    # -0.01, -0.02, -0.03: mean -0.02, sd 0.01, half width 4.3027 * 0.01 / sqrt(3) = 0.024842
    gap = cell["difference"]
    assert gap["mean"] == pytest.approx(-0.02)
    assert (gap["low"], gap["high"]) == (pytest.approx(-0.044842, abs=1e-6),
                                         pytest.approx(0.004842, abs=1e-6))  # fmt: skip
    one = content["rows"]["lr 0.1"]["ferplus"]["accuracy"]
    assert one["sd"] is None
    assert one["difference"] == {"mean": pytest.approx(0.01), "low": None, "high": None, "n": 1}
    assert "difference" not in content["rows"]["plain"]["ferplus"]["accuracy"]


def test_accuracy_without_twins_stands_where_runs_have_it(content):
    accuracies = {"plain": 0.80, "leak": 0.90, "old": 0.70}
    rows = {name: {"set": {}, "runs": [run(0, value)]} for name, value in accuracies.items()}
    for name, value in (("plain", 0.78), ("leak", 0.80)):
        of = rows[name]["runs"][0]
        of["ferplus"] = {**of["ferplus"], "accuracy_without_twins": value}
    ablation.compare(rows, "plain")
    gap = rows["leak"]["ferplus"]["accuracy_without_twins"]["difference"]
    assert gap["mean"] == pytest.approx(0.02)
    page = ablation.page([{**content, "rows": rows}])
    assert "FER+: balanced | FER+: accuracy without twins | CK+48, never seen: accuracy" in page
    assert "| leak | 1 | 90.0 (+10.0) | 45.0 (+5.0) | 80.0 (+2.0) | 90.0 (+10.0) |" in page
    assert "| old | 1 | 70.0 (-10.0) | 35.0 (-5.0) | \u2013 | 70.0 (-10.0) |" in page


def test_a_row_may_have_learnt_fewer_heads_than_the_first(content):
    one = run(0, 0.70)
    del one["ferplus"]
    rows = {"plain": {"set": {}, "runs": [run(0, 0.80)]}, "one head": {"set": {}, "runs": [one]}}
    ablation.compare(rows, "plain")
    fewer = {**content, "rows": rows}
    assert "| one head | 1 | \u2013 | \u2013 | 70.0 (-10.0) | 35.0 (-5.0) |" in ablation.page(
        [fewer]
    )
    keys = [key for key, _ in ablation.entries(fewer) if "one_head" in key]
    assert keys and all(key.startswith("ckplus48.public.") for key in keys)


def test_without_the_first_row_there_is_nothing_to_compare_with():
    rows = {"other": {"runs": [run(0, 0.5)]}}
    ablation.compare(rows, "plain")
    assert "difference" not in rows["other"]["ferplus"]["accuracy"]


def test_the_summary_has_every_row(content, tmp_path):
    (tmp_path / "ablation").mkdir()
    (tmp_path / "ablation" / "wild.json").write_text(json.dumps(content))
    summary = collect(tmp_path)
    entry = summary["ferplus.public.fer_cbam_tiny.wild_no_attention.accuracy_difference"]
    assert entry["value"] == pytest.approx(-0.02)
    assert entry["high"] == pytest.approx(0.004842, abs=1e-6)
    away = summary["ckplus48.public.fer_cbam_tiny-ferplus.wild_lr_0_1.balanced_accuracy"]
    assert away["value"] == pytest.approx(0.415)


def test_the_page_says_it_in_percent(content):
    page = ablation.page([content])
    assert "## wild: `fer_cbam_tiny`, PublicTest" in page
    assert "FER+: accuracy | FER+: balanced | CK+48, never seen: accuracy" in page
    assert "| no attention | 3 | 79.0 ± 1.0 (-2.0: -4.5 to +0.5) |" in page
    assert "| lr 0.1 | 1 | 83.0 (+1.0) |" in page
