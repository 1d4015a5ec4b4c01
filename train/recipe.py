"""A recipe: everything that decides how released weights are made, read from a YAML file.

A recipe names a network, what it is trained on, the stages of its training and how the result is
released. Keys of a stage that stand at the top hold for every stage; without ``stages`` there is
one. ``train/recipes/<arch>.<tag>.yaml`` makes the embedded weights of that name.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_origin, get_type_hints

import yaml

from fer_cbam.errors import FerError

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(FerError, ValueError):
    """A recipe that cannot be followed."""


@dataclass(frozen=True)
class Augment:
    """Random changes to a training batch, each drawn for each image on its own.

    degrees: rotation in [-degrees, degrees]. shift: in [-shift, shift] of the side, both ways.
    zoom: scale in [1 - zoom, 1 + zoom]. flip: probability of a mirror image. brightness: added, in
    [-brightness, brightness] of the pixel range. contrast: factor in [1 - contrast, 1 + contrast]
    about the image's mean. gamma: exponent of the pixels, e^u with u in [-gamma, gamma]. blur:
    probability of a Gaussian blur of any direction (defocus or motion). noise: standard deviation
    of the sensor's noise, in [0, noise] of the pixel range. camera: probability of a face taken by
    a bad camera: small, dark, noisy and as JPEG (``train/degrade.py``). erasing: probability of one
    erased rectangle. turn: degrees of a turn of the head to either side, and half as much up or
    down. light: strength of hard light from a side, in [0, 1]. cover: probability that the lower
    face is hidden. detected: probability of the crop that the recogniser would cut
    (``train/detected.py``), which rotation, shift and zoom then start from.
    """

    degrees: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    camera: float = 0.0
    erasing: float = 0.0
    turn: float = 0.0
    light: float = 0.0
    cover: float = 0.0
    detected: float = 0.0

    def __post_init__(self) -> None:
        _within(self, 0, 1, "zoom", "flip", "contrast", "blur", "camera", "erasing", "light",
                "cover", "detected")  # fmt: skip
        _within(self, 0, 60, "turn")
        _within(self, 0, math.inf, "degrees", "shift", "brightness", "gamma", "noise")


@dataclass(frozen=True)
class Head:
    """One of the label sets that a network learns at once, each with logits of its own.

    labels: "ferplus" (distribution of the votes) or the name of the data set; with ``answers`` any
    name. answers: label names of a head that no data answers, only a teacher of these labels.
    weight: of its loss.
    """

    labels: str
    weight: float = 1.0
    label_smoothing: float = 0.0
    answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        _within(self, 0, math.inf, "weight")
        _within(self, 0, 1, "label_smoothing")


@dataclass(frozen=True)
class Stage:
    """One training run.

    model: a timm architecture. init: weights to start from: an earlier stage, or weights as
    ``--weights`` of eval takes them, or embedded weights of an earlier commit
    (``<arch>.<tag>@<commit>``); of weights that are wider, the channels that count most
    (``train/prune.py``). fresh: beginnings of the names of tensors that do not start from them.
    start_share: how far the trained weights go back to them at the end (``train/average.py``), the
    classifier's and fresh ones apart. teachers: networks that are asked about every image as the
    student gets it (``train/task.py``), each an earlier stage, which answers every head, or weights
    of one head as in ``init``, or a network of OpenVINO (``<name>.xml``). teacher_share: of the
    target that is theirs.
    occlusion, mirror: weights of the terms that teach the last spatial attention where hiding
    changes the first teacher's answer, and to be the mirror image on a mirrored face
    (``train/attention.py``).
    schedule: "plateau" (reduce on a validation loss that stalls), "onecycle" or "constant".
    plateau_warmup: epochs before the plateau schedule and early stopping begin to count; until
    BatchNorm's averages have caught up with the weights, the validation loss says nothing.
    early_stopping: epochs without a better validation loss before training ends, 0 for never; a
    reduction of the learning rate starts the count again.
    validation: share of the training side held out; keep: "best" keeps the weights of the best
    validation loss, "last" (and a run without validation) those of the last epoch. ema: decay of
    the average of weights that is evaluated and kept, 0 for none. epoch_steps: least batches of an
    epoch: a small data set is gone through several times in one. mixup: alpha of the Beta
    distribution, 0 for none. amp: bfloat16 where the processor is made for it.
    """

    model: str
    name: str = "main"
    model_args: dict[str, Any] = field(default_factory=dict)
    init: str = ""
    fresh: list[str] = field(default_factory=list)
    start_share: float = 0.0
    teachers: list[str] = field(default_factory=list)
    teacher_share: float = 0.0
    occlusion: float = 0.0
    mirror: float = 0.0
    epochs: int = 60
    epoch_steps: int = 0
    batch_size: int = 32
    optimizer: str = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "plateau"
    plateau_patience: int = 4
    plateau_factor: float = 0.5
    plateau_min_lr: float = 1e-5
    plateau_warmup: int = 0
    early_stopping: int = 0
    validation: float = 0.0
    keep: str = "best"
    mixup: float = 0.0
    ema: float = 0.0
    amp: bool = True
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        _check("keep", self.keep, ("best", "last"))
        _check("optimizer", self.optimizer, ("adam", "adamw", "sgd"))
        _check("schedule", self.schedule, ("plateau", "onecycle", "constant"))
        _within(self, 0, math.inf, "lr", "weight_decay", "mixup", "early_stopping", "occlusion",
                "mirror")  # fmt: skip
        if self.occlusion and (self.mixup or not self.teachers):
            raise RecipeError(
                f"occlusion: {self.occlusion} with mixup {self.mixup} and {len(self.teachers)} "
                "teachers; expected no mixup, which shows two faces at once, and a teacher"
            )
        _within(self, 0, 1, "ema", "start_share")
        if self.start_share and not self.init:
            raise RecipeError(f"start_share: {self.start_share} without init; expected weights to "
                              "start from")  # fmt: skip
        if self.validation == 0 and (self.schedule == "plateau" or self.early_stopping):
            raise RecipeError(
                "validation: 0 with a plateau schedule or early stopping; expected a share above 0"
            )
        if not 0 <= self.validation < 1:
            raise RecipeError(f"validation: {self.validation}; expected a share in [0, 1)")
        if not 0 <= self.teacher_share <= 1 or bool(self.teachers) != (self.teacher_share > 0):
            raise RecipeError(
                f"teacher_share: {self.teacher_share} with {len(self.teachers)} teachers; expected "
                "a share in (0, 1] with teachers, and 0 without"
            )
        if self.epochs < 1 or self.batch_size < 2:
            raise RecipeError(
                f"epochs {self.epochs}, batch_size {self.batch_size}; expected at least 1 and 2"
            )


@dataclass(frozen=True)
class Clips:
    """What a recurrent network learns from: clips made of stills (``train/clips.py``), read by
    weights, or the sequences of the data where it has some.

    weights: that read the frames. count: clips. thin: most of the frames that are dropped, drawn
    for each clip anew in every epoch.
    """

    weights: str = "fer_cbam_base.ferplus"
    count: int = 400
    thin: float = 0.6

    def __post_init__(self) -> None:
        _within(self, 0, 0.95, "thin")
        _within(self, 1, math.inf, "count")


@dataclass(frozen=True)
class Release:
    """How weights become embedded ones (``train/release.py``).

    labels: the head that is released. blend: other heads and the share of their say in how the
    labels that both know compare (``train/blend.py``). balance: weight of balanced accuracy in the
    mean that labels are said for (``eval/operating_point.py``). mantissa: bits that kernels keep of
    each weight, float16's own 10 at most. calibrate: choose all numbers of the answer on
    PublicTest.
    """

    labels: str
    balance: float = 0.0
    mantissa: int = 10
    calibrate: bool = False
    blend: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _within(self, 0, 1, "balance")
        if not all(isinstance(share, int | float) for share in self.blend.values()):
            raise RecipeError(f"blend: {self.blend}; expected a share for each head")
        if not 4 <= self.mantissa <= 10:
            raise RecipeError(f"mantissa: {self.mantissa}; expected 4 to 10 bits")


@dataclass(frozen=True)
class Recipe:
    """What a file says.

    name: the file's. data: name of the data set, empty for any. protocol, split: what of it
    ``train.reproduce`` trains on, see :mod:`fer_cbam.data.protocols`. heads: label sets learnt
    together, empty for the data set's own. trained_as: the recipe whose training this one releases,
    its own name where there is no other.
    """

    name: str
    stages: list[Stage]
    data: str = ""
    protocol: str = ""
    split: str = ""
    seed: int = 0
    heads: list[Head] = field(default_factory=list)
    release: Release | None = None
    clips: Clips | None = None
    trained_as: str = ""

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise RecipeError(f"stages: {names}; expected one or more, each with its own name")


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"{name}: {value!r}; expected one of {', '.join(allowed)}")


def _within(item: object, low: float, high: float, *names: str) -> None:
    for name in names:
        value = getattr(item, name)
        if not low <= value <= high:
            raise RecipeError(f"{name}: {value}; expected a number in [{low}, {high}]")


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Keys and values with changes; objects in them are merged key by key."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the code."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def read_recipe(source: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    source: the name of a shipped one, or a YAML file. settings: changes such as ``epochs=1`` (of
    every stage), ``student.epochs=1`` (of one), ``augment.zoom=0.1``, ``release.balance=0.5`` or
    ``seed=3``, the values as YAML.

    Raises:
        RecipeError: unreadable, a key that does not exist, or a value of the wrong type.
    """
    path = RECIPES / f"{source}.yaml" if str(source) in shipped_recipes() else Path(source)
    content = _read(path)
    other = content.pop("stages_of", None)
    try:
        if other is not None:
            if set(content) - {"release"}:
                raise RecipeError(f"keys {', '.join(content)} beside stages_of; expected release")
            content = {**_read(path.with_name(f"{other}.yaml")), "trained_as": other, **content}
        for setting in settings:
            content = _changed(content, setting)
        return parse_recipe(path.stem, content)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; expected a YAML file, or one of "
                          f"{', '.join(shipped_recipes())}") from None  # fmt: skip
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: not a readable YAML file ({error})") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: expected keys and values")
    return content


def _changed(content: Mapping[str, Any], setting: str) -> dict[str, Any]:
    """The content of a recipe with one change, ``key=value``."""
    key, equals, text = setting.partition("=")
    *parents, last = key.split(".")
    stages = _several(content, "stages") or [{}]
    names = [stage.get("name", Stage.name) for stage in stages]
    chosen = [parents.pop(0)] if parents and parents[0] in names else names
    try:
        change = {last: yaml.safe_load(text)}
    except yaml.YAMLError as error:
        raise RecipeError(f"{setting!r}: not a value as YAML has it ({error})") from error
    if not equals:
        raise RecipeError(f"{setting!r}; expected key=value, such as epochs=1")
    for parent in reversed(parents):
        change = {parent: change}
    if set(change) <= {f.name for f in dataclasses.fields(Recipe)}:
        return merged(content, change)
    stages = [merged(stage, change) if name in chosen else stage
              for name, stage in zip(names, stages, strict=True)]  # fmt: skip
    return {**content, "stages": stages}


def parse_recipe(name: str, content: Mapping[str, Any]) -> Recipe:
    """A recipe from keys and values as YAML gives them.

    Raises:
        RecipeError: a key that does not exist, or a value of the wrong type.
    """
    own = {field.name for field in dataclasses.fields(Recipe)}
    common = {key: value for key, value in content.items() if key not in own}
    of_recipe = {key: value for key, value in content.items() if key in own}
    stages = _several(content, "stages") or [{}]
    of_recipe["stages"] = [_stage(merged(common, stage)) for stage in stages]
    of_recipe["heads"] = [_parsed(Head, head) for head in _several(content, "heads")]
    release = content.get("release")
    of_recipe["release"] = None if release is None else _parsed(Release, release)
    clips = content.get("clips")
    of_recipe["clips"] = None if clips is None else _parsed(Clips, clips)
    return _parsed(Recipe, {"trained_as": name, **of_recipe, "name": name})


def _several(content: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """What stands below a key, if anything: a list of keys and values."""
    several = content.get(key) or []
    if not isinstance(several, list) or not all(isinstance(one, Mapping) for one in several):
        raise RecipeError(f"{key}: {several!r}; expected a list of keys and values")
    return several


def _stage(content: Mapping[str, Any]) -> Stage:
    augment = _parsed(Augment, content.get("augment") or {})
    return _parsed(Stage, {**content, "augment": augment})


def _parsed(cls: type, content: Any) -> Any:
    """An object of a dataclass from a mapping, each value checked against the field of its name."""
    if not isinstance(content, Mapping):
        raise RecipeError(f"{cls.__name__.lower()}: {content!r}; expected keys and values")
    hints = get_type_hints(cls)
    fields = dataclasses.fields(cls)
    known = [f.name for f in fields]
    typed = {}
    for key, value in content.items():
        if key not in known:
            raise RecipeError(f"unknown key {key!r}; expected one of: {', '.join(known)}")
        origin = get_origin(hints[key])
        kind = hints[key] if origin in (None, UnionType) else origin
        if kind is float:
            value = _number(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RecipeError(f"{key}: {value!r}; expected {getattr(kind, '__name__', kind)}")
        typed[key] = value
    missing = [f.name for f in fields if f.name not in typed
               and f.default is dataclasses.MISSING
               and f.default_factory is dataclasses.MISSING]  # fmt: skip
    if missing:
        raise RecipeError(f"{cls.__name__.lower()}: {', '.join(missing)} missing")
    return cls(**typed)


def _number(value: Any) -> Any:
    """A float from a whole number, or from 1e-3, which YAML takes for text; else the value."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
