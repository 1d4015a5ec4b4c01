"""Recipes: every embedded weight has one, changes hold where they should, mistakes are named."""

from __future__ import annotations

import re

import pytest
import timm

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam import pretrained
from fer_cbam.labels import LABEL_SETS
from train.recipe import Recipe, RecipeError, Release, read_recipe, shipped_recipes

CHAIN = """
data: ckplus48
model: m
epochs: 9
schedule: constant
augment: {zoom: 0.1, flip: 0.5}
stages:
  - name: teacher
  - {name: student, init: teacher, epochs: 3, augment: {zoom: 0.2}}
release: {labels: ckplus48}
"""


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if "." in name])
def test_shipped_recipes_fit_together(name):
    recipe = read_recipe(name)
    architecture, _, tag = name.partition(".")
    assert recipe.name == name and recipe.stages[-1].model == architecture
    labels = [head.labels for head in recipe.heads if not head.answers] or [recipe.data]
    assert set(labels) <= set(LABEL_SETS) and tag in labels
    if recipe.release is not None:
        assert recipe.release.labels == tag and recipe.protocol and recipe.split
    known = set(pretrained.embedded_names())
    for stage in recipe.stages:
        assert timm.is_model(stage.model)
        weights = {name.partition("@")[0] for name in (*stage.teachers, stage.init) if name}
        assert {name for name in weights if not name.endswith(".xml")} <= known
        known.add(stage.name)


@pytest.mark.parametrize("name", pretrained.embedded_names())
def test_every_embedded_weight_has_a_recipe(name):
    assert read_recipe(name).release is not None


def test_the_paper_recipe_is_the_paper_s():
    (stage,) = read_recipe("fer_cbam_paper.ckplus48").stages
    assert stage.optimizer == "adam" and stage.schedule == "plateau"
    assert stage.epochs <= 60 and stage.early_stopping == 10 and stage.mixup == 0
    assert (stage.augment.degrees, stage.augment.shift, stage.augment.flip) == (15, 0.1, 0.5)
    assert stage.augment.zoom > 0 and not stage.teachers


def test_two_heads_of_one_training_are_trained_once(tmp_path):
    (tmp_path / "a.x.yaml").write_text(CHAIN)
    (tmp_path / "a.y.yaml").write_text("stages_of: a.x\nrelease: {labels: y, balance: 0.5}\n")
    first, second = (read_recipe(tmp_path / f"a.{tag}.yaml") for tag in "xy")
    assert (first.trained_as, second.trained_as, second.name) == ("a.x", "a.x", "a.y")
    assert first.stages == second.stages and second.release == Release("y", 0.5)
    (tmp_path / "a.y.yaml").write_text("stages_of: a.x\nepochs: 2\n")
    with pytest.raises(RecipeError, match="epochs beside stages_of; expected release"):
        read_recipe(tmp_path / "a.y.yaml")


def test_what_stands_at_the_top_holds_for_every_stage(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(CHAIN)
    teacher, student = read_recipe(path).stages
    assert (teacher.epochs, teacher.augment.zoom, teacher.augment.flip) == (9, 0.1, 0.5)
    assert (student.epochs, student.augment.zoom, student.augment.flip) == (3, 0.2, 0.5)


def test_settings_change_all_stages_one_or_the_recipe(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(CHAIN)
    changed = read_recipe(path, ["lr=0.5", "student.augment.zoom=0", "release.balance=0.25",
                                 "seed=4", "epochs=2"])  # fmt: skip
    assert [(s.lr, s.epochs, s.augment.zoom) for s in changed.stages] == [
        (0.5, 2, 0.1), (0.5, 2, 0.0)
    ]  # fmt: skip
    assert changed.seed == 4 and changed.release == Release("ckplus48", 0.25)
    one = tmp_path / "one.yaml"
    one.write_text("model: m\nschedule: constant\n")
    assert read_recipe(one, ["augment.zoom=0.3"]).stages[0].augment.zoom == 0.3
    for setting, message in (("epochs", "expected key=value"), ("pace=1", "unknown key 'pace'"),
                             ("lr=[", "not a value as YAML has it")):  # fmt: skip
        with pytest.raises(RecipeError, match=message):
            read_recipe(path, [setting])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: m\nlearning_rate: 1", "unknown key 'learning_rate'; expected one of: model"),
        ("model: m\nlr: fast", "lr: 'fast'; expected float"),
        ("model: m\nvalidation: 0.1\nteachers: [a]", "teacher_share: 0.0 with 1 teachers"),
        ("model: m\nvalidation: 0.1\nteacher_share: 0.5", "teacher_share: 0.5 with 0 teachers"),
        ("model: m\nepochs: 2.5", "epochs: 2.5; expected int"),
        ("model: m\nepochs: true", "epochs: True; expected int"),
        ("model: m\namp: 1", "amp: 1; expected bool"),
        ("model: m\nvalidation: 0.1\naugment: {tilt: 3}", "unknown key 'tilt'"),
        ("model: m\nvalidation: 0.1\noptimizer: lion", "optimizer: 'lion'; expected one of adam"),
        ("model: m\nschedule: plateau", "validation: 0 with a plateau schedule"),
        ("model: m\nvalidation: 1.0", "expected a share in"),
        ("model: m\nvalidation: 0.1\nstages: [{name: a}, {name: a}]", "each with its own name"),
        ("model: m\nvalidation: 0.1\nrelease: {labels: a, balance: 2}", "expected a number in"),
        ("model: m\nvalidation: 0.1\nrelease: {labels: a, mantissa: 3}", "expected 4 to 10"),
        ("model: m\nvalidation: 0.1\nrelease: {balance: 1}", "release: labels missing"),
        ("lr: 0.1", "stage: model missing"),
        ("model: m\nstages: 3", "stages: 3; expected a list of keys and values"),
        ("model: m\nstages: [a]", "stages: ['a']; expected a list of keys and values"),
        ("model: m\nvalidation: 0.1\nheads: {a: 1}", "heads: {'a': 1}; expected a list"),
        ("model: m\nvalidation: 0.1\naugment: 3", "augment: 3; expected keys and values"),
        ("model: m\nvalidation: 0.1\nlr: -1", "lr: -1.0; expected a number in [0, inf]"),
        ("model: m\nvalidation: 0.1\nema: 1.1", "ema: 1.1; expected a number in [0, 1]"),
        ("model: m\nvalidation: 0.1\naugment: {flip: 7}", "flip: 7.0; expected a number in [0, 1]"),
        ("model: m\nvalidation: 0.1\naugment: {shift: -1}", "shift: -1.0; expected a number in"),
        ("model: m\nvalidation: 0.1\nheads: [{labels: a, weight: -1}]", "weight: -1.0; expected"),
        ("model: m\nvalidation: 0.1\nocclusion: 1", "occlusion: 1.0 with mixup 0.0 and 0 teachers"),
        ("model: m\nvalidation: 0.1\nstart_share: 0.5", "start_share: 0.5 without init"),
        ("model: m\nvalidation: 0.1\nmirror: -1", "mirror: -1.0; expected a number in"),
        ("model: m\nvalidation: 0.1\naugment: {turn: 90}", "turn: 90.0; expected a number in"),
        ("model: m\nvalidation: 0.1\nrelease: {labels: a, blend: {b: x}}", "expected a share for"),
        ("model: [", "not a readable YAML file"),
    ],
)
def test_mistakes_are_named(text, message, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=re.escape(message)):
        read_recipe(path)


@pytest.mark.parametrize("setting", ["stages=3", "stages.epochs=1"])
def test_settings_cannot_put_another_thing_in_place_of_stages(setting, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(CHAIN)
    with pytest.raises(RecipeError, match=r"stages: .*; expected a list of keys and values"):
        read_recipe(path, [setting, "lr=1"])


def test_a_file_of_other_bytes_is_no_recipe(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not a readable YAML file"):
        read_recipe(path)


def test_an_absent_recipe_is_named():
    with pytest.raises(RecipeError, match=r"fer_cbam_huge\.x: no such recipe; .*fer_cbam_tiny"):
        read_recipe("fer_cbam_huge.x")


def test_whole_numbers_serve_as_floats(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("model: m\nvalidation: 0.1\nlr: 1\nweight_decay: 1e-3\naugment: {degrees: 15}")
    recipe = read_recipe(path)
    (stage,) = recipe.stages
    assert isinstance(recipe, Recipe) and stage.lr == 1.0 and stage.augment.degrees == 15.0
    assert stage.weight_decay == 0.001  # YAML takes 1e-3 for text
