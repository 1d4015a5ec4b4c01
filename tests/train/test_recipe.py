"""Recipes: every shipped one reads, and mistakes are named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import timm

import fer_cbam  # noqa: F401  (registers the models)
from train.recipe import Recipe, RecipeError, read_recipe

CONFIGS = sorted((Path(__file__).parents[2] / "train" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_recipes_name_a_model(path):
    assert timm.is_model(read_recipe(path).model)


def test_the_paper_recipe_is_the_paper_s():
    folder = Path(__file__).parents[2] / "train/configs"
    recipe = read_recipe(folder / "ckplus48_paper_strict.yaml")
    assert recipe.optimizer == "adam" and recipe.schedule == "plateau"
    assert recipe.epochs <= 60 and recipe.early_stopping == 10
    assert recipe.label_smoothing == recipe.mixup == recipe.ema == 0
    assert (recipe.augment.degrees, recipe.augment.shift, recipe.augment.flip) == (15, 0.1, 0.5)
    assert recipe.augment.zoom > 0
    released = read_recipe(folder / "ckplus48_paper.yaml")
    assert released == dataclasses.replace(
        recipe, batch_size=8, ema=0.995, plateau_patience=8, plateau_warmup=10
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: m\nlearning_rate: 1", "unknown key 'learning_rate'; expected one of: model"),
        ("model: m\nlr: fast", "lr: 'fast'; expected float"),
        ("model: m\nvalidation: 0.1\ndistill_views: true", "expected the teachers' share"),
        ("model: m\nepochs: 2.5", "epochs: 2.5; expected int"),
        ("model: m\nepochs: true", "epochs: True; expected int"),
        ("model: m\namp: 1", "amp: 1; expected bool"),
        ("model: m\nvalidation: 0.1\naugment: {tilt: 3}", "unknown key 'tilt'"),
        ("model: m\nvalidation: 0.1\noptimizer: lion", "optimizer: 'lion'; expected one of adam"),
        ("model: m\nschedule: plateau", "validation: 0 with a plateau schedule"),
        ("model: m\nvalidation: 1.0", "expected a share in"),
        ("lr: 0.1", "'model' among them"),
        ("model: [", "not a readable YAML file"),
    ],
)
def test_mistakes_are_named(text, message, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message.replace("[", r"\[")):
        read_recipe(path)


def test_whole_numbers_serve_as_floats(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("model: m\nvalidation: 0.1\nlr: 1\naugment: {degrees: 15}")
    recipe = read_recipe(path)
    assert isinstance(recipe, Recipe) and recipe.lr == 1.0 and recipe.augment.degrees == 15.0
