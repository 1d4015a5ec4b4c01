"""The mean of several runs from one start."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import timm
import torch
from torch import nn

from fer_cbam import hub
from fer_cbam.errors import WeightsError
from train.examples import Examples
from train.loop import fit
from train.recipe import Recipe, RecipeError
from train.refit import fit_split
from train.soup import average, main, mean_state

RECIPE = Recipe("line", init="elsewhere", epochs=2, batch_size=4, schedule="constant", amp=False,
                lr=0.1, soup=3, seed=5)  # fmt: skip


class Line(nn.Module):
    """From the same weights always, as a recipe with ``init``."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, 2)
        nn.init.constant_(self.fc.weight, 0.1)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        return self.fc(self.norm(x.flatten(1)))


@pytest.fixture
def examples() -> Examples:
    x = torch.rand((16, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    return Examples(x, torch.eye(2).repeat(8, 1), (2,))


def test_the_mean_of_runs_that_differ_in_their_seed(examples, tmp_path):
    kept = fit_split(Line, RECIPE, examples, np.arange(12), None, tmp_path / "soup").state_dict()
    states = []
    for seed in (5, 1005, 2005):
        single = dataclasses.replace(RECIPE, soup=1, seed=seed)
        folder = tmp_path / str(seed)
        states.append(fit(Line(), single, examples.take(np.arange(12)), None, folder).state_dict())
    for name in ("fc.weight", "fc.bias", "norm.weight", "norm.running_mean", "norm.running_var"):
        a, b, c = (state[name].double() for state in states)
        assert not torch.equal(a, b), f"{name}: every run gave the same"
        torch.testing.assert_close(kept[name].double(), (a + b + c) / 3, rtol=1e-6, atol=1e-7)
    assert kept["norm.num_batches_tracked"] == states[0]["norm.num_batches_tracked"]


def test_a_finished_run_is_not_trained_again(examples, tmp_path):
    train = np.arange(16)
    whole = fit_split(Line, RECIPE, examples, train, None, tmp_path).state_dict()
    (tmp_path / "run2" / "checkpoint.pt").unlink()
    first = tmp_path / "run1" / "checkpoint.pt"
    written = first.stat().st_mtime_ns
    again = fit_split(Line, RECIPE, examples, train, None, tmp_path, resume=True).state_dict()
    assert first.stat().st_mtime_ns == written
    assert all(torch.equal(value, whole[name]) for name, value in again.items())


@pytest.mark.parametrize("soup", [1, 2])
def test_a_share_of_the_start_remains(soup, examples, tmp_path):
    recipe = dataclasses.replace(RECIPE, soup=soup)
    train = np.arange(16)
    whole = fit_split(Line, recipe, examples, train, None, tmp_path / "a").state_dict()
    fifth = dataclasses.replace(recipe, start_share=0.2)
    kept = fit_split(Line, fifth, examples, train, None, tmp_path / "b").state_dict()
    start = Line().state_dict()
    for name in ("fc.weight", "fc.bias", "norm.weight", "norm.running_mean", "norm.running_var"):
        assert not torch.equal(whole[name], start[name]), f"{name}: was not trained"
        expected = 0.2 * start[name].double() + 0.8 * whole[name].double()
        torch.testing.assert_close(kept[name].double(), expected, rtol=1e-6, atol=1e-7)
    assert kept["norm.num_batches_tracked"] == whole["norm.num_batches_tracked"] > 0


def test_the_start_is_of_the_first_runs_seed(examples, tmp_path):
    """Rows of the classifier that the weights to start from do not have are drawn."""

    def make():
        model = Line()
        nn.init.normal_(model.fc.weight)
        return model

    recipe = dataclasses.replace(RECIPE, soup=1, start_share=0.5)
    train = np.arange(16)
    kept = fit_split(make, recipe, examples, train, None, tmp_path / "b").state_dict()
    torch.manual_seed(recipe.seed)
    start = make()
    first = {name: value.clone() for name, value in start.state_dict().items()}
    plain = dataclasses.replace(recipe, start_share=0.0)
    trained = fit(start, plain, examples.take(train), None, tmp_path / "a").state_dict()
    torch.testing.assert_close(kept["fc.weight"], (first["fc.weight"] + trained["fc.weight"]) / 2)


def test_mean_by_hand():
    mean = mean_state([
        {"w": torch.tensor([1.0, -2.0]), "n": torch.tensor(7)},
        {"w": torch.tensor([2.0, 4.0]), "n": torch.tensor(9)},
    ])  # fmt: skip
    assert mean["w"].tolist() == [1.5, 1.0] and mean["n"] == 7


@pytest.mark.parametrize("settings", [
    {"soup": 0}, {"soup": 2}, {"soup": 2, "init": "x", "refit": True, "validation": 0.1},
])  # fmt: skip
def test_what_has_no_mean_is_refused(settings):
    with pytest.raises(RecipeError, match="soup: "):
        Recipe("line", schedule="constant", **settings)


RECORD = {"data": "tiny", "protocol": "public", "split": "public", "images": 9,
          "prior": {"a": 0.5, "b": 0.5}, "config": "one.yaml", "recipe": {}}  # fmt: skip


def saved(folder, seed=0, labels=("a", "b"), arch="fer_cbam_tiny", record=None, **extra):
    torch.manual_seed(seed)
    model = timm.create_model(arch, num_classes=len(labels)).eval()
    return hub.save_model(
        model, folder, labels, {"training": {**RECORD, **(record or {})}, **extra}
    )


def test_finished_runs_are_averaged(tmp_path, capsys):
    landmarks = [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]]
    first = saved(tmp_path / "a", 1, landmarks=landmarks)
    second = saved(tmp_path / "b", 2, record={"config": "two.yaml"}, landmarks=landmarks)
    main([str(first), str(second), "--out", str(tmp_path / "c")])
    assert "mean of 2 runs" in capsys.readouterr().out
    a, b, mean = (hub.load_model(tmp_path / name) for name in "abc")
    states = [one.model.state_dict() for one in (a, b, mean)]
    for name, value in states[2].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2)
    assert mean.config["training"] == {
        **RECORD, "config": "two.yaml", "soup": ["one.yaml", "two.yaml"]
    }  # fmt: skip
    assert mean.config["landmarks"] == landmarks and mean.label_names == ("a", "b")


@pytest.mark.parametrize("settings", [
    {"start_share": 1.0, "init": "x"}, {"start_share": -0.1, "init": "x"}, {"start_share": 0.2},
])  # fmt: skip
def test_a_share_of_no_start_is_refused(settings):
    with pytest.raises(RecipeError, match="start_share: "):
        Recipe("line", schedule="constant", **settings)


@pytest.mark.parametrize(("other", "message"), [
    ({"labels": ("b", "a")}, "other labels"),
    ({"record": {"images": 8}}, "other images"),
    ({"record": {"recipe": {"logit_adjustment": 0.5}}}, "other logit_adjustment"),
    ({"arch": "fer_cbam_paper"}, "other architecture"),
    ({"balance": 0.5}, "adjusted already"),
])  # fmt: skip
def test_runs_that_have_no_mean_are_named(tmp_path, other, message):
    first, second = saved(tmp_path / "a"), saved(tmp_path / "b", **other)
    with pytest.raises(WeightsError, match=message):
        average([first, second], tmp_path / "c")
    with pytest.raises(WeightsError, match="soup of 1; expected two"):
        average([first], tmp_path / "c")
    assert not (tmp_path / "c").exists()
