"""Targets from teachers: what trained networks say of the faces that another one learns.

Hinton et al. 2015, https://arxiv.org/abs/1503.02531, at temperature 1, averaged over the teachers
and over a crop and its mirror. A teacher speaks for the labels as frequent as it met them: what its
training or release has on its logits for the rare ones is taken off, for the student's recipe and
release have theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eval import calibrate
from eval.predict import predict_logits
from eval.studies.adjustment import on_logits
from fer_cbam import pretrained
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.decide import softmax
from fer_cbam.errors import FerError
from fer_cbam.hub import LoadedModel, load_model
from fer_cbam.pretrained import WEIGHTS_FILE
from train.checkpoint import save_array, save_text
from train.examples import Source
from train.precision import has_bf16

TEACHERS_FILE = "teachers.json"


def with_teachers(
    source: Source, rows: np.ndarray, teachers: Sequence[Path], share: float, folder: Path,
    amp: bool = True,
) -> Source:  # fmt: skip
    """A source whose targets are mixed with what teachers say, in these rows only: what a run is
    validated on keeps its own labels.

    rows: positions of the faces to train on. teachers: folders of runs of the same heads, or
    architectures whose embedded weights answer them. share: the teachers', in [0, 1]. folder: what
    they say is read from there, or put there, for asking takes minutes. amp: bfloat16 where the
    machine has it, as in training.

    Raises:
        FerError: a share and no teacher, or the other way round; a teacher of other labels.
        WeightsError: a teacher's weights are missing or damaged.
    """
    check_teachers(teachers, share)
    if not teachers:
        return source
    crops = [source.faces.samples[i].pixels for i in rows]
    targets = []
    for name, labels, own in zip(source.names, source.label_names, source.targets, strict=True):
        heads = load_teachers([of_head(teacher, name) for teacher in teachers], labels)
        path = folder / f"taught.{_lesson(heads, crops, amp)}.npy"
        if path.is_file():
            taught = np.load(path, allow_pickle=False)
        else:
            taught = teacher_probs(heads, crops, amp)
            save_array(path, taught)
        mixed = own.copy()
        mixed[rows] = mix(torch.from_numpy(own[rows]), torch.from_numpy(taught), share).numpy()
        targets.append(mixed)
    return replace(source, targets=tuple(targets))


def check_teachers(teachers: Sequence[Path], share: float) -> None:
    """
    Raises:
        FerError: a share and no teacher, or the other way round.
    """
    if bool(teachers) != (share > 0):
        raise FerError(f"distill: {share} with {len(teachers)} teachers; expected both or neither")


def of_head(teacher: Path, head: str) -> str | Path:
    """A teacher's weights of one head; a folder of that name goes before embedded ones."""
    embedded = f"{teacher}.{head}"
    if not teacher.is_dir() and embedded in pretrained.embedded_names():
        return embedded
    return teacher / head


def keep_teachers(
    run_dir: Path, teachers: Sequence[Path], heads: Sequence[str], resume: bool
) -> None:
    """Note in the folder of a run who teaches it: going on with others after a cut, which would mix
    their lessons unseen, is refused. Their order is free. A run begun before there were notes, or
    without teachers, has none.

    Raises:
        FerError: ``resume``, and the run began with other teachers, or other weights of them.
        WeightsError: a teacher's weights are missing or damaged.
    """
    if not teachers:
        return
    now = sorted(
        " ".join(_weights_of(load_model(of_head(teacher, head))) for head in heads)
        for teacher in teachers
    )
    path = run_dir / TEACHERS_FILE
    if resume and path.is_file():
        begun = json.loads(path.read_text(encoding="utf-8"))
        if begun != now:
            same = len(set(begun) & set(now))
            raise FerError(f"{run_dir}: began with {len(begun)} teachers, of which {same} are "
                           f"among the {len(now)} given; resume with those that it was started "
                           "with, or choose another --out")  # fmt: skip
    else:
        save_text(path, json.dumps(now, indent=2))


def _weights_of(teacher: LoadedModel) -> str:
    """A name for a teacher's weights and what its config.json says of them. Calibrating it changes
    no logit, so that is left out."""
    config = {key: value for key, value in teacher.config.items() if key not in calibrate.KEYS}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update((teacher.folder / WEIGHTS_FILE).read_bytes())
    return digest.hexdigest()[:16]


def load_teachers(sources: Sequence[str | Path], label_names: Sequence[str]) -> list[LoadedModel]:
    """The teachers of one head. sources: as ``--weights`` of eval takes them.

    Raises:
        FerError: a teacher of other labels.
        WeightsError: weights that are missing or damaged.
    """
    teachers = [load_model(source) for source in sources]
    for teacher in teachers:
        if teacher.label_names != tuple(label_names):
            raise FerError(
                f"{teacher.name}: labels {teacher.label_names}; expected {tuple(label_names)}"
            )
    return teachers


def _lesson(teachers: Sequence[LoadedModel], crops: Sequence[np.ndarray], amp: bool) -> str:
    """A name for what these say of these faces: other weights, faces or precision, another name."""
    digest = hashlib.sha256(str(amp).encode())
    for teacher in teachers:
        digest.update(_weights_of(teacher).encode())
    for crop in crops:
        digest.update(crop.tobytes())
    return digest.hexdigest()[:16]


def teacher_probs(
    teachers: Sequence[LoadedModel], crops: Sequence[np.ndarray], amp: bool = True
) -> np.ndarray:
    """Mean over teachers of their probabilities, each of a crop and its mirror; float32 ``(N, K)``.

    Raises:
        WeightsError: something is on a teacher's logits, and its config.json gives no prior.
    """
    total, cpu = np.zeros((len(crops), len(teachers[0].label_names))), torch.device("cpu")
    for teacher in teachers:
        teacher.model.to(memory_format=torch.channels_last)
        # Three digits are enough for a target.
        with torch.autocast("cpu", torch.bfloat16, enabled=amp and has_bf16(cpu)):
            logits = predict_logits(TorchBackend(teacher, "cpu"), crops, "flip")
        carried = on_logits(teacher.config, teacher.label_names)
        total += softmax(logits - np.array([carried[label] for label in teacher.label_names]))
    return (total / len(teachers)).astype(np.float32)


def mix(targets: Tensor, taught: Tensor, share: float) -> Tensor:
    """``(1 - share)`` targets + ``share`` taught, ``(N, K)``, for one head; the teachers alone for
    what is not labelled: rows that sum to less than 1, as where a labelled face was mixed with one
    that is not."""
    kept = (1 - share) * targets
    return kept + (1 - kept.sum(1, keepdim=True)) * taught
