"""A recipe on one split of a data set: stages one after the other, and the weights they give."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from torch import Tensor, nn

import fer_cbam
from fer_cbam import data, hub, pretrained
from fer_cbam.data.protocols import FOLDS, Split, protocol_splits, validation_part
from fer_cbam.errors import FerError
from fer_cbam.models.fer_cbam import FerCbam
from fer_cbam.preprocess import Preprocess
from train import distributed
from train.attention import GuidedTask, fit_gate, measured_effects
from train.average import averaged
from train.checkpoint import CHECKPOINT_FILE, load_checkpoint
from train.examples import Examples, Source, make_examples, with_detected
from train.heads import classifier_rows, one_head, start_from
from train.loop import fit
from train.losses import head_columns
from train.prune import narrower, prune_into
from train.recipe import Recipe, RecipeError, Stage
from train.task import DistilledTask, SupervisedTask, Teacher
from train.teachers import digest, teacher_of_stage, teacher_of_weights, weights_of

SAME_CROPS = {"ferplus": "fer2013", "folder": "fer2013"}


def chosen_splits(dataset: data.Dataset, protocol: str, choice: str) -> tuple[Split, ...]:
    """Splits of a protocol. choice: "all", or names or numbers such as ``0,2`` or ``fold3``.

    Raises:
        FerError: there is no such split, or it trains on nothing.
    """
    splits = protocol_splits(dataset, protocol)
    if not all(len(split.train) for split in splits):
        raise FerError(f"protocol {protocol!r} only tests; expected one that trains")
    if choice == "all":
        return splits
    known = {key: split for split in splits for key in (split.name, str(split.index))}
    unknown = [name for name in choice.split(",") if name not in known]
    if unknown:
        raise FerError(f"split {', '.join(unknown)}: expected 'all' or some of "
                       f"{', '.join(split.name for split in splits)}")  # fmt: skip
    return tuple(dict.fromkeys(known[name] for name in choice.split(",")))


@dataclass(frozen=True, eq=False)
class Training:
    """What all stages of a run share. folder: of the run. cache: for what takes minutes to find and
    other runs can use."""

    recipe: Recipe
    source: Source
    split: Split
    protocol: str
    folder: Path
    cache: Path
    device: torch.device

    def positions(self, stage: Stage) -> tuple[np.ndarray, np.ndarray | None]:
        """Positions to train on, and to validate on (or None). Under ``public`` the history shows
        PublicTest, which is there to choose on, and under ``folds5`` the fold that is held out,
        where the stage holds nothing out itself."""
        if stage.validation:
            seed = self.recipe.seed + self.split.index
            return validation_part(
                self.source.faces, self.split.train, stage.validation, seed=seed, by_subject=False
            )
        shown = self.protocol == "public" or FOLDS.fullmatch(self.protocol)
        return self.split.train, self.split.test if shown else None

    def folder_of(self, stage: Stage) -> Path:
        """Where a stage leaves checkpoint and history: the run's own folder for a single one."""
        return self.folder if len(self.recipe.stages) == 1 else self.folder / stage.name


def train_split(training: Training, resume: bool = False) -> list[Path]:
    """Train all stages; the folders of weights, one for each head.

    A run that was cut goes on from its last whole epoch, and gives the weights of one that was not.

    Raises:
        FerError: the folder holds a run, and it is not to go on (``resume``), or it is another's; a
            stage that cannot be trained.
    """
    check_stages(training.recipe, training.source, training.device)
    folders = weights_folders(training)
    done: dict[str, nn.Module] = {}
    for number, stage in enumerate(training.recipe.stages):
        if not resume and (training.folder_of(stage) / CHECKPOINT_FILE).exists():
            raise FerError(f"{training.folder} holds a run; expected --resume to go on with it, or "
                           "another --out")  # fmt: skip
        done[stage.name] = train_stage(training, number, done)
    saved = all((folder / pretrained.CONFIG_FILE).exists() for folder in folders)
    if distributed.rank() == 0 and not saved:
        save_weights(training, done[training.recipe.stages[-1].name], folders)
    return folders


def check_stages(recipe: Recipe, source: Source, device: torch.device) -> None:
    """Load what each stage starts from and learns from: a mistake in the last one is told before
    the first one is trained.

    Raises:
        FerError: see `make_model` and :func:`train.teachers.teacher_of_weights`.
    """
    earlier: list[str] = []
    for stage in recipe.stages:
        start = "" if stage.init in earlier else stage.init
        model = make_model(dataclasses.replace(stage, init=start), source, {})
        for name in stage.teachers:
            if name not in earlier:
                teacher_of_weights(source, name, make_preprocess(model, source), device)
        earlier.append(stage.name)


def weights_folders(training: Training) -> list[Path]:
    """A folder for each of several heads, or the run's own for a single one."""
    names = training.source.names
    return [training.folder] if len(names) == 1 else [training.folder / name for name in names]


def train_stage(training: Training, number: int, done: Mapping[str, nn.Module]) -> nn.Module:
    """The trained network of one stage. done: those of earlier stages by name."""
    recipe, source, stage = training.recipe, training.source, training.recipe.stages[number]
    # The split's number counts in its seed: initial weights and the part held out differ from
    # split to split. Stages draw apart.
    seed = recipe.seed + training.split.index + 1000 * number
    torch.manual_seed(seed)
    model = make_model(stage, source, done)
    preprocess = make_preprocess(model, source)
    teachers = [teacher_of_stage(source, done[name]) if name in done
                else teacher_of_weights(source, name, preprocess, training.device)
                for name in stage.teachers]  # fmt: skip
    train, held_out = training.positions(stage)
    identity = {
        **{key: value for key, value in dataclasses.asdict(stage).items() if key != "start_share"},
        "heads": [dataclasses.asdict(head) for head in recipe.heads],
        "seed": seed,
        "data": f"{source.faces.name} {training.protocol} {training.split.name}, {len(train)}",
        "init_digest": digest(model) if stage.init else "",
        "teacher_digests": [digest(teacher) for teacher in teachers],
    }
    folder = training.folder_of(stage)
    start = copy.deepcopy(model.state_dict())
    examples = make_examples(source, preprocess)
    if stage.occlusion:
        labelled = train[source.targets[0][train].sum(1) > 0]
        effects = measured_effects(teachers[0], identity["teacher_digests"][0], examples.x,
                                   labelled, training.cache)  # fmt: skip
        examples = dataclasses.replace(examples, effects=effects)
    state = load_checkpoint(folder, identity)
    if state is not None and state["finished"]:
        model.load_state_dict(state["kept"])
        return finished(model, stage, start, examples.labelled(train))
    if stage.augment.detected:
        examples = with_detected(examples, source, train, preprocess, training.cache)
    task = make_task(model, stage, recipe, examples.sizes, teachers)
    watched = None if held_out is None else examples.labelled(held_out)
    if distributed.rank() == 0:
        held = f", {len(watched)} to watch" if watched else ""
        print(f"{training.split.name}, {stage.name}: {stage.model} on {len(train)} images{held}",
              flush=True)  # fmt: skip
    shown = examples.labelled(train)
    trained = fit(task, stage, shown, watched, folder, seed, identity, training.device)
    return finished(trained, stage, start, shown)


def finished(
    model: nn.Module, stage: Stage, start: Mapping[str, Tensor], shown: Examples
) -> nn.Module:
    """What a stage gives: the trained network, moved back towards its start where it says so, and
    its last gate fitted to what it sees then."""
    if not stage.start_share:
        return model
    own = (cast(Any, model).pretrained_cfg["classifier"], *stage.fresh)
    averaged(model, start, stage.start_share, own, shown.x)
    if shown.effects is not None:
        fit_gate(model, shown.x, shown.effects, stage.occlusion, stage.mirror)
    return model


def make_task(
    model: nn.Module, stage: Stage, recipe: Recipe, sizes: Sequence[int],
    teachers: Sequence[Teacher],
) -> SupervisedTask | GuidedTask:  # fmt: skip
    heads = head_columns(recipe.heads, sizes)
    task = (DistilledTask(model, heads, teachers, stage.teacher_share) if teachers
            else SupervisedTask(model, heads))  # fmt: skip
    if stage.occlusion or stage.mirror:
        return GuidedTask(task, stage.occlusion, stage.mirror)
    return task


def make_model(stage: Stage, source: Source, done: Mapping[str, nn.Module]) -> nn.Module:
    """The stage's architecture for the classes of the source, with the weights it starts from.

    Raises:
        RecipeError: no architecture of this package, or arguments that it does not take.
        FerError: weights to start from that are not there or do not fit.
    """
    known = timm.list_models("fer_cbam*", module="fer_cbam")
    if stage.model not in known:
        raise RecipeError(f"model: {stage.model!r}; expected one of {', '.join(known)}")
    try:
        model = timm.create_model(stage.model, num_classes=source.num_classes, **stage.model_args)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model_args: {stage.model_args} of {stage.model}: {error}") from error
    if stage.init in done:
        model.load_state_dict(done[stage.init].state_dict())
    elif stage.init:
        with weights_of(stage.init) as place:
            loaded = hub.load_model(place)
        if narrower(model, loaded.model):
            loaded = pruned(loaded, model)
        start_from(model, loaded, source.label_names, stage.fresh)
    return model


def pruned(loaded: hub.LoadedModel, model: nn.Module) -> hub.LoadedModel:
    """Loaded weights, cut to the widths of a model."""
    small = cast(FerCbam, copy.deepcopy(model))
    small.reset_classifier(len(loaded.label_names))
    prune_into(small, loaded.model)
    return dataclasses.replace(loaded, model=small)


def make_preprocess(model: nn.Module, source: Source) -> Preprocess:
    """The model's preprocessing, and the alignment of the faces it is trained on."""
    cfg = cast(Any, model).pretrained_cfg
    return Preprocess.from_config({"pretrained_cfg": cfg, **alignment_of(source)})


def alignment_of(source: Source) -> Mapping[str, Any]:
    """How faces lie in the crops of a source, for the root of config.json."""
    return source.alignment or alignment(source.faces.name)


def alignment(dataset_name: str) -> dict[str, Any]:
    """How faces lie in the crops of a data set, for the root of config.json; empty if unmeasured.

    ``python -m eval.studies.alignment`` measures it; see :class:`fer_cbam.preprocess.Preprocess`.
    Class folders hold faces as the recogniser of the default weights cuts them.
    """
    path = Path(fer_cbam.__file__).parent / "data" / "alignment.json"
    measured = json.loads(path.read_text(encoding="utf-8"))
    return measured.get(SAME_CROPS.get(dataset_name, dataset_name), {})


def save_weights(training: Training, model: nn.Module, folders: Sequence[Path]) -> None:
    """Write the weights of each head, and what they were trained on, so that evaluation can refuse
    to leak."""
    source = training.source
    rows, _ = training.positions(training.recipe.stages[-1])
    some_label = np.concatenate([targets[rows] for targets in source.targets], 1).sum(1) > 0
    recipe = {k: v for k, v in dataclasses.asdict(training.recipe).items() if k != "release"}
    for i, folder in enumerate(folders):
        record = {
            "data": source.names[i],
            "protocol": training.protocol,
            "split": training.split.name,
            "recipe": recipe,
            "versions": {"torch": torch.__version__, "timm": timm.__version__},
            "images": int(some_label.sum()),
            **source.record,
        }
        if source.targets[i][rows].any():  # else only a teacher answers
            record["prior"] = label_prior(source.targets[i][rows], source.label_names[i])
        extra = {**alignment_of(source), "training": record}
        single = one_head(model, classifier_rows(source, i))
        hub.save_model(single, folder, source.label_names[i], extra)


def label_prior(targets: np.ndarray, label_names: Sequence[str]) -> dict[str, float]:
    """Share of each label among the labelled rows of targets ``(N, K)``."""
    shares = targets.sum(0) / targets.sum()
    return {name: round(float(share), 6) for name, share in zip(label_names, shares, strict=True)}
