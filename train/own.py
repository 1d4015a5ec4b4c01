"""Pictures of one's own: their faces found and aligned before training, the rest held out after it.

The fold that is held out decides nothing in training. When that is over, its pictures say how good
the weights are, and how sure an answer has to be to be given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm

from eval.calibrate import ACCURACY, confidence_threshold, fit_temperature
from eval.faces import DETECTED, find_faces, in_words
from eval.predict import Job, predict_logits
from eval.records import provenance
from eval.run import evaluate, print_summary, write
from fer_cbam import hub, pretrained
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.data.protocols import Split
from fer_cbam.decide import softmax
from fer_cbam.detect import face_detector
from fer_cbam.errors import DataError
from fer_cbam.hub.cards import training_data
from fer_cbam.preprocess import Preprocess
from train.examples import Source
from train.loop import say
from train.recipe import Recipe, RecipeError
from train.run import alignment
from train.teachers import weights_of

STANDARD = "fer2013"  # whose crops faces are aligned to where a run starts from nothing
PLACES = ("landmarks", "crop_from_box")
ENOUGH = 50  # pictures, for a number to be chosen on them


def with_faces(source: Source, recipe: Recipe) -> Source:
    """A source of any pictures as one of faces, aligned as the weights that the run starts from
    have theirs. A picture without a face has no label any more.

    Raises:
        DataError: a class without a face.
        WeightsError: weights to start from that are not there.
    """
    stage = recipe.stages[0]
    places, started = alignment(STANDARD), {}
    if stage.init:
        with weights_of(stage.init) as place:
            config = pretrained.read_config(hub.resolve(place))
        places = {key: config[key] for key in PLACES if key in config} or places
        started = {"started_from": {"weights": stage.init, "data": training_data(config)}}
    preprocess = Preprocess.from_config({"pretrained_cfg": architecture_cfg(stage.model), **places})
    faces = find_faces(source.faces, preprocess, face_detector())
    say(in_words(faces))
    targets = tuple(target * faces.found[:, None] for target in source.targets)
    check_classes(source, targets[0])
    record = {"crops": DETECTED, "samples": source.faces.digest(), **started}
    return dataclasses.replace(
        source, faces=faces.dataset, targets=targets, alignment=places, record=record
    )


def architecture_cfg(name: str) -> dict[str, Any]:
    """What timm knows of the input of an architecture.

    Raises:
        RecipeError: there is none of that name.
    """
    cfg = timm.models.get_pretrained_cfg(name) if name.startswith("fer_cbam") else None
    if cfg is None:
        known = ", ".join(timm.list_models("fer_cbam*"))
        raise RecipeError(f"model: {name!r}; expected one of {known}")
    return cfg.to_dict()


def check_classes(source: Source, targets: np.ndarray) -> None:
    """Say how many faces each class has; an error where it has none."""
    counts = dict(zip(source.label_names[0], (targets > 0).sum(0), strict=True))
    say("classes: " + ", ".join(f"{label} {n}" for label, n in counts.items()))
    if empty := [label for label, count in counts.items() if not count]:
        raise DataError(f"{source.faces.name}: no face in any picture of {', '.join(empty)}")
    if any(sample.subject_id is None for sample in source.faces.samples):
        say("warning: nothing says who is who. If one person is on several pictures, the held-out "
            "pictures look easier than new people will be.")  # fmt: skip


def finish(
    folder: Path, source: Source, split: Split, protocol: str, arguments: Sequence[str]
) -> None:
    """Choose what the answers of new weights need on the fold that was held out, write it to their
    config.json, and measure them on the same: ``metrics.json`` beside them.

    arguments: of the command, for the report.
    """
    rows = split.test[source.targets[0][split.test].sum(1) > 0]
    tested = dataclasses.replace(split, test=rows)
    backend = TorchBackend(hub.load_model(folder), None)
    logits = predict_logits(backend, [source.faces.samples[i].pixels for i in rows])
    labels = {label: i for i, label in enumerate(backend.label_names)}
    targets = np.array([labels[source.faces.samples[i].label] for i in rows])
    values = chosen(logits, targets)
    pretrained.write_config(folder, {**backend.config, **values})
    pairs = [Job(TorchBackend(hub.load_model(folder), None), tested)]
    evaluation = evaluate([pairs], source.faces, protocol)
    write(evaluation, folder, provenance("train", arguments), "torch")
    print_summary(evaluation.result)
    print(in_short(values, targets, len(labels)))


def chosen(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """``temperature`` and ``uncertain_below`` for held-out logits ``(N, K)``; nothing of what these
    pictures are too few for, or cannot say."""
    values: dict[str, float] = {}
    # Where all are right, the surer the better: no temperature is low enough.
    if len(targets) < ENOUGH or (logits.argmax(1) == targets).all():
        return values
    try:
        values["temperature"] = round(fit_temperature(logits, targets, spread=0)[0], 4)
    except DataError:  # no better than chance: no temperature is high enough
        return values
    probs = softmax(logits / values["temperature"])
    try:
        threshold = confidence_threshold(probs.max(1), probs.argmax(1) == targets)
    except DataError:  # at no confidence right so often
        return values
    return {**values, "uncertain_below": round(threshold, 4)}


def in_short(values: Mapping[str, Any], targets: np.ndarray, classes: int) -> str:
    """What was chosen, and what an answer that knows nothing would reach."""
    commonest = np.bincount(targets, minlength=classes).max() / len(targets)
    lines = [f"  always the commonest class: accuracy {commonest:.4f}"]
    if len(targets) < ENOUGH:
        lines.append(f"  confidence is not calibrated: {len(targets)} held-out pictures are fewer "
                     f"than {ENOUGH}")  # fmt: skip
    elif values.get("uncertain_below"):
        lines.append(f"  below a confidence of {values['uncertain_below']:.2f} the answer is "
                     f"uncertain; above, {ACCURACY:.0%} are right")  # fmt: skip
    return "\n".join(lines)
