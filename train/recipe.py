"""A recipe: everything that decides how a model is trained, read from a YAML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import yaml

from fer_cbam.errors import FerError


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
    a bad camera: small, dark, noisy and as JPEG (``train/camera.py``). erasing: probability of one
    erased rectangle. detected: probability of the crop that the recogniser would cut
    (``train/detected.py``), which rotation, shift and zoom then start from. amplitude: largest
    share of another image's amplitude spectrum (``train/styles.py``).
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
    detected: float = 0.0
    amplitude: float = 0.0


@dataclass(frozen=True)
class Head:
    """One of several label sets that a network learns at once, each with logits of its own.

    labels: "ferplus" (distribution of the votes) or "fer2013". weight: of its loss.
    """

    labels: str
    weight: float = 1.0
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of a run; see ``train/configs``.

    schedule: "plateau" (reduce on a validation loss that stalls), "onecycle", "constant" or "given"
    (``lrs``: the learning rate of each epoch).
    plateau_warmup: epochs before the plateau schedule and early stopping begin to count; until
    BatchNorm's averages have caught up with the weights, the validation loss says nothing.
    early_stopping: epochs without a better validation loss before training ends, 0 for never; a
    reduction of the learning rate starts the count again.
    validation: share of the training side held out; keep: "best" keeps the weights of the best
    validation loss, "last" (and a run without validation) those of the last epoch. refit: what is
    held out decides on learning rates and end only; then the same is done again from the start with
    all of the training side (``train/refit.py``). ema: decay of
    the average of weights that is evaluated and kept, 0 for none. mixup: alpha of the Beta
    distribution, 0 for none, off in the last ``mixup_off`` epochs. logit_adjustment: times the log
    prior of the labels, added to the logits in the loss (Menon et al. 2021, equation 10,
    https://arxiv.org/abs/2007.07314), so that the network's own answers expect rare labels as often
    as common ones at 1. sam: radius of sharpness-aware minimisation (``train/sam.py``), 0 for none.
    mixstyle: probability that a stage mixes the styles of a batch (``train/styles.py``).
    heads: label sets learnt
    together, empty for the data set's own. distill: share of the target that comes from the
    teachers of ``--teacher``; distill_views: they are asked at every step about the images as the
    network gets them (``train/distill.py``), not once about the crops.
    twins: train on images of FER2013 that have a near-copy in PublicTest or PrivateTest too, to
    measure what that leak gives; such a run cannot be released.
    sizes: first epoch -> side that images are shrunk to from then on (progressive resizing), empty
    for the input size throughout. init: weights to start from, as ``--weights`` of eval takes them.
    soup: runs from there, with different seeds, whose weights are averaged (``train/soup.py``),
    1 for an ordinary run. start_share: share of the weights to start from in those that are kept
    (``train/soup.py``).
    """

    model: str
    model_args: dict[str, Any] = field(default_factory=dict)
    init: str = ""
    epochs: int = 60
    batch_size: int = 32
    optimizer: str = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "plateau"
    lrs: list[float] = field(default_factory=list)
    plateau_patience: int = 4
    plateau_factor: float = 0.5
    plateau_min_lr: float = 1e-5
    plateau_warmup: int = 0
    early_stopping: int = 0
    validation: float = 0.0
    keep: str = "best"
    refit: bool = False
    label_smoothing: float = 0.0
    logit_adjustment: float = 0.0
    mixup: float = 0.0
    mixup_off: int = 0
    ema: float = 0.0
    sam: float = 0.0
    mixstyle: float = 0.0
    amp: bool = True
    seed: int = 0
    augment: Augment = field(default_factory=Augment)
    heads: list[Head] = field(default_factory=list)
    distill: float = 0.0
    distill_views: bool = False
    twins: bool = False
    sizes: dict[int, int] = field(default_factory=dict)
    soup: int = 1
    start_share: float = 0.0

    def __post_init__(self) -> None:
        _check("keep", self.keep, ("best", "last"))
        _check("optimizer", self.optimizer, ("adam", "adamw", "sgd"))
        _check("schedule", self.schedule, ("plateau", "onecycle", "constant", "given"))
        if self.validation == 0 and (
            self.schedule == "plateau" or self.early_stopping or self.refit
        ):
            raise RecipeError(
                "validation: 0 with a plateau schedule, early stopping or refit; expected a share "
                "above 0"
            )
        if (self.schedule == "given") != bool(self.lrs) or len(self.lrs) not in (0, self.epochs):
            raise RecipeError(
                f"lrs: {len(self.lrs)} learning rates; expected {self.epochs}, one for each epoch, "
                "with schedule 'given', and none without"
            )
        _check_share("distill", self.distill)
        _check_share("mixstyle", self.mixstyle)
        _check_share("augment.amplitude", self.augment.amplitude)
        if self.distill_views and not self.distill:
            raise RecipeError("distill_views without distill; expected the teachers' share")
        if not all(type(v) is int and v > 0 for pair in self.sizes.items() for v in pair):
            raise RecipeError(
                f"sizes: {self.sizes}; expected epoch: side, such as {{1: 32, 20: 48}}"
            )
        if self.soup < 1 or (self.soup > 1 and (not self.init or self.refit)):
            raise RecipeError(
                f"soup: {self.soup} runs, init {self.init!r}, refit {self.refit}; expected one, or "
                "more with weights to start from and without refit"
            )
        if not 0 <= self.start_share < 1 or (self.start_share and not self.init):
            raise RecipeError(
                f"start_share: {self.start_share}, init {self.init!r}; expected a share in [0, 1), "
                "above 0 only with weights to start from"
            )
        if not 0 <= self.validation < 1:
            raise RecipeError(f"validation: {self.validation}; expected a share in [0, 1)")
        if self.epochs < 1 or self.batch_size < 2:
            raise RecipeError(
                f"epochs {self.epochs}, batch_size {self.batch_size}; expected at least 1 and 2"
            )


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"{name}: {value!r}; expected one of {', '.join(allowed)}")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RecipeError(f"{name}: {value}; expected a share in [0, 1]")


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with changes; objects in it are merged key by key."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def read_recipe(path: Path) -> Recipe:
    """Read a YAML recipe.

    Raises:
        RecipeError: unreadable, a key that does not exist, or a value of the wrong type.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: not a readable YAML file ({error})") from error
    if not isinstance(content, dict) or "model" not in content:
        raise RecipeError(f"{path}: expected keys and values, 'model' among them")
    try:
        return parse_recipe(content)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def parse_recipe(content: Mapping[str, Any]) -> Recipe:
    """A recipe from keys and values as YAML gives them.

    Raises:
        RecipeError: a key that does not exist, or a value of the wrong type.
    """
    content = dict(content)
    content["augment"] = Augment(**_typed(Augment, content.get("augment") or {}))
    content["heads"] = [Head(**_typed(Head, head)) for head in content.get("heads") or []]
    return Recipe(**_typed(Recipe, content))


def _typed(cls: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a mapping, each checked against the field of that name."""
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    typed = {}
    for key, value in content.items():
        if key not in known:
            raise RecipeError(f"unknown key {key!r}; expected one of: {', '.join(known)}")
        kind = get_origin(hints[key]) or hints[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RecipeError(f"{key}: {value!r}; expected {kind.__name__}")
        typed[key] = value
    return typed
