"""What is trained for the comparison of pruned networks."""

from __future__ import annotations

import pytest

from train import __main__ as train
from train import pruning_runs
from train.recipe import read_recipe


def test_networks_differ_in_what_they_are_called_for():
    recipes = {name: read_recipe(pruning_runs.RECIPE, changes).stages[0]
               for name, changes in pruning_runs.networks()}  # fmt: skip
    whole = recipes.pop("unpruned")
    assert whole.init.startswith("fer_cbam_tiny.ferplus@") and not whole.model_args
    for name, stage in recipes.items():
        kind, _, width = name.partition("-")
        assert stage.model_args == {"channels": pruning_runs.WIDTHS[width]}
        assert all(channels % 8 == 0 for channels in pruning_runs.WIDTHS[width])
        assert stage.init == (whole.init if kind == "pruned" else "")
        assert (stage.epochs, stage.augment) == (whole.epochs, whole.augment)


def test_each_seed_of_each_network_has_a_folder_and_goes_on(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(train, "main", called.append)
    pruning_runs.main(["--data", "d.zip", "--votes", "v.csv", "--out", str(tmp_path),
                       "--networks", "unpruned", "scratch-two-thirds"])  # fmt: skip
    arguments = [train.parse_arguments(each) for each in called]
    assert [a.out.relative_to(tmp_path).as_posix() for a in arguments] == [
        f"{name}/seed{seed}" for seed in (0, 1, 2) for name in ("unpruned", "scratch-two-thirds")
    ]  # fmt: skip
    assert [a.seed for a in arguments] == [0, 0, 1, 1, 2, 2]
    assert all(a.resume and a.protocol == "public" for a in arguments)
    assert arguments[1].set == ["model_args.channels=[16, 24, 40, 80]", "init=''", "lr=0.15"]


def test_data_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("FER_CBAM_DATA", raising=False)
    with pytest.raises(SystemExit, match="expected --data"):
        pruning_runs.main(["--out", str(tmp_path)])
