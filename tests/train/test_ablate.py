"""A plan: what is read from it, what may be measured, and that its numbers are the runs'."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from eval.studies.ablation import entries
from train.ablate import Plan, main, read_plan, scores
from train.examples import Examples, Source
from train.recipe import Recipe, RecipeError, merged

PLANS = sorted((Path(__file__).parents[2] / "train" / "ablations").glob("*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda p: p.stem)
def test_shipped_plans_read(path):
    plan = read_plan(path)
    assert all(plan.recipe_of(row).model for row in plan.rows)


def test_a_row_changes_what_it_names_and_nothing_else():
    base = {"model": "m", "lr": 0.1, "augment": {"zoom": 0.1, "flip": 0.5}}
    changed = merged(base, {"lr": 0.2, "augment": {"zoom": 0.3}})
    assert changed == {"model": "m", "lr": 0.2, "augment": {"zoom": 0.3, "flip": 0.5}}
    assert base["augment"] == {"zoom": 0.1, "flip": 0.5}


def test_test_sides_are_not_there_to_choose_on():
    for protocol in ("paper", "subject10", "private"):
        with pytest.raises(RecipeError, match="not there to choose on"):
            Plan({"model": "m"}, protocol, {"a": {}})
    Plan({"model": "m"}, "public", {"a": {}})


def test_what_a_plan_sets_holds_in_every_row_that_says_nothing_else(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "ablations").mkdir()
    (tmp_path / "configs" / "r.yaml").write_text(
        "model: m\nepochs: 60\nvalidation: 0.1\naugment: {zoom: 0.1, flip: 0.5}\n"
    )
    path = tmp_path / "ablations" / "plan.yaml"
    path.write_text(
        "recipe: configs/r.yaml\nprotocol: public\nset: {epochs: 3, augment: {zoom: 0.2}}\n"
        "rows:\n  - {name: a}\n  - {name: b, set: {augment: {zoom: 0.3}}}\n"
    )
    plan = read_plan(path)
    a, b = plan.recipe_of("a"), plan.recipe_of("b")
    assert (a.epochs, a.augment.zoom, a.augment.flip) == (3, 0.2, 0.5)
    assert (b.epochs, b.augment.zoom, b.augment.flip) == (3, 0.3, 0.5)


def test_soups_of_several_seeds_would_share_runs(plan):
    plan.write_text(plan.read_text() + "  - {name: soup, set: {init: x, soup: 2}}\nseeds: [0, 1]\n")
    with pytest.raises(RecipeError, match="row 'soup' has a soup and the plan 2 seeds"):
        read_plan(plan)


@pytest.fixture
def plan(tmp_path) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "ablations").mkdir()
    (tmp_path / "configs" / "tiny.yaml").write_text(
        "model: fer_cbam_paper\nmodel_args: {channels: [4, 4, 8]}\nepochs: 1\nbatch_size: 16\n"
        "schedule: constant\n"
    )
    path = tmp_path / "ablations" / "plan.yaml"
    path.write_text(
        "recipe: configs/tiny.yaml\nprotocol: paper\ninner: 0.25\nsplits: [0, 1]\n"
        "rows:\n  - {name: plain}\n  - {name: fast, set: {lr: 0.01}}\n"
    )
    return path


def test_measures_every_row_once_and_reports_the_spread(plan, tiny_ckplus, tmp_path):
    report = tmp_path / "report.json"
    arguments = ["--plan", str(plan), "--data", str(tiny_ckplus), "--out", str(tmp_path / "out"),
                 "--stranger", str(tiny_ckplus), "--report", str(report)]  # fmt: skip
    main([*arguments, "--rows", "1", "--splits=0,1", "--seeds", "0"])
    first = json.loads(report.read_text())["rows"]
    assert list(first) == ["fast"]
    # The command of a report is that of all rows, whichever its last process has trained.
    command = json.loads(report.read_text())["command"]
    assert not {"--rows", "--splits", "--seeds"} & set(re.split("[ =]", command))
    assert command.endswith("--report report.json")
    result = tmp_path / "out" / "fast" / "split0_seed0" / "result.json"
    written = result.stat().st_mtime_ns
    main(arguments)
    assert result.stat().st_mtime_ns == written
    rows = json.loads(report.read_text())["rows"]
    assert list(rows) == ["plain", "fast"] and rows["fast"]["runs"] == first["fast"]["runs"]
    runs = rows["plain"]["runs"]
    assert [run["split"] for run in runs] == [0, 1]
    values = [run["ckplus48"]["accuracy"] for run in runs]
    spread = rows["plain"]["ckplus48"]["accuracy"]
    assert spread["mean"] == pytest.approx(statistics.mean(values), abs=1e-6)
    assert spread["sd"] == pytest.approx(statistics.stdev(values), abs=1e-6)
    gaps = [fast["ckplus48"]["accuracy"] - plain["ckplus48"]["accuracy"]
            for fast, plain in zip(rows["fast"]["runs"], runs, strict=True)]  # fmt: skip
    gap = rows["fast"]["ckplus48"]["accuracy"]["difference"]
    assert gap["mean"] == pytest.approx(statistics.mean(gaps), abs=1e-6)
    keys = dict(entries(json.loads(report.read_text())))
    assert "ckplus48.held_out.fer_cbam_paper.plan_fast.accuracy_difference" in keys


def test_processes_share_a_plan_by_rows_splits_and_seeds(plan, tiny_ckplus, tmp_path):
    out = tmp_path / "out"
    plan.write_text(plan.read_text() + "seeds: [0, 3]\n")
    arguments = ["--plan", str(plan), "--data", str(tiny_ckplus), "--out", str(out)]
    main([*arguments, "--rows", "1", "--splits", "1", "--seeds", "3"])
    assert [p.parent.relative_to(out).parts for p in out.rglob("result.json")] == [
        ("fast", "split1_seed3")
    ]
    for flag, choice in (("--rows", "2"), ("--splits", "0,7"), ("--splits", "one")):
        with pytest.raises(SystemExit, match=rf"{flag} {choice}: expected some of 0, 1, separated"):
            main([*arguments, flag, choice])
    with pytest.raises(SystemExit, match="--seeds 1: expected some of 0, 3, separated"):
        main([*arguments, "--seeds", "1"])


def test_rows_may_learn_other_heads_than_the_first(plan, tiny_ckplus, tmp_path):
    plan.write_text(
        plan.read_text()
        + "  - {name: twice, set: {heads: [{labels: ckplus48}, {labels: ckplus48}]}}\n"
    )
    out = tmp_path / "out"
    main(["--plan", str(plan), "--data", str(tiny_ckplus), "--out", str(out), "--rows", "0,2",
          "--splits", "0"])  # fmt: skip
    for row in ("plain", "twice"):
        result = json.loads((out / row / "split0_seed0" / "result.json").read_text())
        assert list(result) == ["ckplus48"]


def test_what_a_report_holds_is_not_trained_again(plan, tiny_ckplus, tmp_path):
    report = tmp_path / "report.json"
    arguments = ["--plan", str(plan), "--data", str(tiny_ckplus), "--report", str(report)]
    main([*arguments, "--out", str(tmp_path / "out"), "--rows", "0"])
    content = json.loads(report.read_text())
    content["rows"]["plain"]["runs"][0]["ckplus48"]["accuracy"] = 0.123  # as nothing measures it
    report.write_text(json.dumps(content))
    recipe = tmp_path / "configs" / "tiny.yaml"
    recipe.write_text(recipe.read_text() + "soup: 1\n")  # as a key that is new since then
    main([*arguments, "--out", str(tmp_path / "elsewhere"), "--rows", "1"])
    again = json.loads(report.read_text())["rows"]
    assert again["plain"]["runs"] == content["rows"]["plain"]["runs"]
    assert [run["split"] for run in again["fast"]["runs"]] == [0, 1]
    plan.write_text(plan.read_text().replace("splits: [0, 1]", "splits: [1]"))
    with pytest.raises(
        SystemExit, match=r"has row 'plain', split 0, seed 0; expected it in the plan"
    ):
        main([*arguments, "--out", str(tmp_path / "third")])
    content["rows"]["plain"]["set"] = {"lr": 1.0}
    report.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=r"row 'plain' was measured with \{'lr': 1.0\}"):
        main([*arguments, "--out", str(tmp_path / "third")])
    content["recipe"]["epochs"] = 7
    report.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match="measured with another recipe"):
        main([*arguments, "--out", str(tmp_path / "third")])


def test_accuracy_without_twins_by_hand():
    logits = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    targets = np.array([[1, 0], [0, 1], [0, 1], [1, 0], [1, 0]], np.float32)
    source = Source(cast(Any, None), ("fer2013",), (("a", "b"),), (targets,))
    examples = Examples(logits.view(5, 1, 1, 2), torch.from_numpy(targets), (2,))
    recipe = Recipe("m", schedule="constant")
    measured, twin = np.array([0, 1, 2, 3]), np.array([True, False, False, False])
    result = scores(torch.nn.Flatten(), recipe, examples, measured, twin, source)["fer2013"]
    assert result["accuracy"] == 0.5  # right: 0 and 2
    assert result["accuracy_without_twins"] == pytest.approx(1 / 3)
    none = scores(torch.nn.Flatten(), recipe, examples, measured, twin & False, source)
    assert "accuracy_without_twins" not in none["fer2013"]


def test_a_plan_that_cannot_be_read_is_named(plan):
    plan.write_text(plan.read_text().replace("inner", "iner"))
    with pytest.raises(RecipeError, match="not a readable plan"):
        read_plan(plan)
