"""A recipe on a split: stages build on each other, and weights say where they are from."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from fer_cbam import data, hub, pretrained
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import protocol_splits
from fer_cbam.errors import FerError
from fer_cbam.types import Sample
from tests.train.networks import SMALL
from train.examples import Source
from train.recipe import Head, Recipe, Stage
from train.run import Training, alignment, chosen_splits, label_prior, make_task, train_split
from train.task import DistilledTask, SupervisedTask, Teacher

STAGE = Stage("fer_cbam_tiny", model_args={k: list(v) for k, v in SMALL.items()}, epochs=1,
              batch_size=16, schedule="constant", optimizer="sgd", lr=0.0, amp=False)  # fmt: skip


def of(source: Source, tmp_path, *stages: Stage, protocol="paper", split=0, **recipe) -> Training:
    chosen = protocol_splits(source.faces, protocol)[split]
    whole = Recipe("r", list(stages), **recipe)
    return Training(whole, source, chosen, protocol, tmp_path / chosen.name, tmp_path,
                    torch.device("cpu"))  # fmt: skip


@pytest.fixture
def one_head(tiny_ckplus) -> Source:
    faces = data.load(tiny_ckplus)
    return Source(faces, (faces.name,), (faces.label_names,), (faces.target_probs(),))


def test_stages_go_on_from_each_other_and_leave_one_set_of_weights(one_head, tmp_path):
    """With a learning rate of 0 weights stay as they are: those of the first stage."""
    first = dataclasses.replace(STAGE, name="first")
    second = dataclasses.replace(
        STAGE, name="second", init="first", teachers=["first"], teacher_share=0.5
    )
    training = of(one_head, tmp_path, first, second)
    (folder,) = train_split(training)
    assert folder == tmp_path / "seed0"
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["first", "second"]
    kept = torch.load(folder / "first" / "checkpoint.pt", weights_only=True)["kept"]
    weights = hub.load_model(folder).model.state_dict()
    learnt = [name for name in kept if "running" not in name and "tracked" not in name]
    assert all(torch.equal(weights[name], kept[name]) for name in learnt)
    state = torch.load(folder / "second" / "checkpoint.pt", weights_only=True)
    assert len(state["identity"]["teacher_digests"]) == 1
    # Going on with another teacher, or from other weights, is noticed.
    other = dataclasses.replace(first, lr=0.1)
    (folder / "first" / "checkpoint.pt").unlink()
    with pytest.raises(FerError, match=r"different: init_digest, teacher_digests\)"):
        train_split(of(one_head, tmp_path, other, second), resume=True)


def test_weights_that_are_wider_are_pruned(one_head, tmp_path):
    """With a learning rate of 0 the network has the channels of the largest scales."""
    (wide,) = train_split(of(one_head, tmp_path / "wide", STAGE))
    state = hub.load_model(wide).model.state_dict()
    widths = [width // 2 for width in SMALL["channels"]]
    narrow = dataclasses.replace(STAGE, init=str(wide),
                                 model_args={**STAGE.model_args, "channels": widths})  # fmt: skip
    (folder,) = train_split(of(one_head, tmp_path / "narrow", narrow))
    found = hub.load_model(folder).model.state_dict()
    first = "stages.0.convs.0.conv.weight"
    scales = state["stages.0.convs.0.norm.weight"].abs()
    kept = scales.argsort(descending=True, stable=True)[: widths[0]].sort().values
    assert torch.equal(found[first], state[first][kept])
    assert found["head.fc.weight"].shape[1] == widths[-1]


def test_two_heads_leave_two_sets_of_weights_of_one_trunk(tmp_path):
    rng = np.random.default_rng(0)
    faces = tuple(
        Sample(str(i), rng.integers(0, 256, (48, 48), np.uint8), "anger",
               split="Training" if i < 40 else "PublicTest") for i in range(48)
    )  # fmt: skip
    first, second = np.eye(2, dtype=np.float32)[[0, 1] * 24], np.zeros((48, 3), np.float32)
    second[::2] = (0.5, 0.25, 0.25)
    source = Source(Dataset("fer2013", ("anger",), faces), ("fer2013", "ferplus"),
                    (("anger", "fear"), ("anger", "happiness", "sadness")),
                    (first, second))  # fmt: skip
    training = of(source, tmp_path, STAGE, protocol="public", heads=[Head("fer2013"),
                                                                     Head("ferplus")])  # fmt: skip
    folders = train_split(training)
    assert [f.relative_to(tmp_path).parts for f in folders] == [
        ("public", "fer2013"), ("public", "ferplus")
    ]  # fmt: skip
    one, two = (hub.load_model(folder) for folder in folders)
    trunk = one.model.stages.state_dict()
    assert all(torch.equal(v, trunk[k]) for k, v in two.model.stages.state_dict().items())
    record = json.loads((folders[1] / "config.json").read_text())["training"]
    assert (record["data"], record["protocol"], record["images"]) == ("ferplus", "public", 40)
    assert record["prior"] == {"anger": 0.5, "happiness": 0.25, "sadness": 0.25}
    # Under `public` the history shows PublicTest, as nothing is held out.
    assert "val_loss" in (tmp_path / "public" / "history.csv").read_text().splitlines()[0]


def test_what_is_held_out_is_of_the_training_side_and_follows_the_seed(one_head, tmp_path):
    stage = dataclasses.replace(STAGE, validation=0.25)
    training = of(one_head, tmp_path, stage)
    train, held_out = training.positions(stage)
    assert sorted([*train, *held_out]) == training.split.train.tolist()
    _, other = of(one_head, tmp_path, stage, seed=1).positions(stage)
    assert held_out.tolist() != other.tolist()
    assert of(one_head, tmp_path, STAGE).positions(STAGE)[1] is None


def test_a_task_has_teachers_where_the_stage_has():
    teacher = Teacher(torch.nn.Identity(), [0], [2], torch.zeros(2))
    model = torch.nn.Linear(1, 2)
    recipe = Recipe("r", [STAGE], heads=[Head("a", 0.5)])
    plain = make_task(model, STAGE, recipe, [2], [])
    assert type(plain) is SupervisedTask and plain.heads[0].weight == 0.5
    taught = dataclasses.replace(STAGE, teachers=["x"], teacher_share=0.3)
    task = make_task(model, taught, recipe, [2], [teacher])
    assert isinstance(task, DistilledTask) and task.share == 0.3


def test_splits_are_chosen_by_name_or_number(one_head):
    splits = protocol_splits(one_head.faces, "paper")
    chosen = chosen_splits(one_head.faces, "paper", "seed2,0,2")
    assert [split.name for split in chosen] == ["seed2", "seed0"]
    assert len(chosen_splits(one_head.faces, "paper", "all")) == len(splits) == 5
    with pytest.raises(FerError, match=r"split fold1: expected 'all' or some of seed0, .*seed4"):
        chosen_splits(one_head.faces, "paper", "0,fold1")


def test_prior_is_the_mean_of_labelled_rows():
    rows = np.array([[1.0, 0], [0.5, 0.5], [0, 0], [1, 0]])
    assert label_prior(rows, ("a", "b")) == {"a": 0.833333, "b": 0.166667}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "resnet18"}, "model: 'resnet18'; expected one of fer_cbam_base, fer_cbam_paper"),
        ({"model_args": {"depth": 3}}, r"model_args: \{'depth': 3\} of fer_cbam_tiny: .*depth"),
        ({"init": "nowhere"}, "weights 'nowhere'"),
        ({"teachers": ["second"], "teacher_share": 0.5}, "weights 'second'"),
    ],
)
def test_a_mistake_in_the_last_stage_is_told_before_the_first_is_trained(
    one_head, tmp_path, change, message
):
    first = dataclasses.replace(STAGE, name="first")
    second = dataclasses.replace(STAGE, name="second", **change)
    with pytest.raises(FerError, match=message):
        train_split(of(one_head, tmp_path, first, second))
    assert not any(tmp_path.glob("seed0/*"))


def test_faces_of_class_folders_lie_as_the_default_weights_cut_them():
    """So that the recogniser takes weights that were trained on them."""
    config = json.loads((pretrained.embedded_dir(hub.DEFAULT_WEIGHTS) / "config.json").read_text())
    assert len(config["landmarks"]) == 5 and alignment("unknown") == {}
    assert alignment("folder") == {
        k: config[k] for k in ("landmarks", "crop_from_box") if k in config
    }
