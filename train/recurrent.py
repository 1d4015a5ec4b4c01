"""Train a recurrent network on what a convolutional one saw of sequences.

The network that reads the frames stays as it is: its embeddings, log-probabilities and the cues of
each frame are read once, and an epoch takes seconds.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from torch import Generator, Tensor, nn

from eval.clips.readings import Readings
from fer_cbam import hub
from fer_cbam.models.temporal import FerCbamRecurrent
from fer_cbam.pretrained import RECURRENT
from fer_cbam.smoothing.recurrent import LEAST
from train import distributed
from train.checkpoint import CHECKPOINT_FILE
from train.loop import Row, Run, batches, epoch_seed, fit
from train.losses import Columns, cross_entropy, hits
from train.recipe import Recipe, RecipeError


@dataclass(frozen=True, eq=False)
class Sequences:
    """N sequences of at most T frames, filled up at their ends.

    x: float32 ``(N, T, D)``, as :func:`fer_cbam.smoothing.recurrent.features` has it. times:
    float64 ``(N, T)``, seconds. target_probs: float32 ``(N, T, K)``. valid: bool ``(N, T)``.
    """

    x: Tensor
    times: Tensor
    target_probs: Tensor
    valid: Tensor

    def __len__(self) -> int:
        return len(self.x)


def sequences(readings: Readings, probs: np.ndarray) -> Sequences:
    """Readings as tensors. probs: float64 ``(M, K)``, calibrated, of each frame alone."""
    parts = readings.clips()
    longest = max(part.stop - part.start for part in parts)
    logs = np.log(np.maximum(probs, LEAST))
    rows = np.concatenate([logs, readings.cues, readings.embedding], 1).astype(np.float32)

    def filled(values: np.ndarray) -> Tensor:
        out = np.zeros((len(parts), longest, *values.shape[1:]), values.dtype)
        for row, part in zip(out, parts, strict=True):
            row[: part.stop - part.start] = values[part]
        return torch.from_numpy(out)

    valid = filled(np.ones(len(readings), bool))
    return Sequences(filled(rows), filled(readings.seconds),
                     filled(readings.target_probs.astype(np.float32)), valid)  # fmt: skip


class RecurrentTask(nn.Module):
    """Cross-entropy of every frame of sequences against what people said of it. thin: see
    :class:`train.recipe.Clips`."""

    def __init__(self, model: nn.Module, num_classes: int, thin: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.heads = (Columns(0, num_classes),)
        self.thin = thin

    def forward(
        self, x: Tensor, seconds: Tensor, target_probs: Tensor, valid: Tensor
    ) -> dict[str, Tensor]:
        """
        x: ``(B, T, D)``. seconds: ``(B, T)`` since the frame before. target_probs: ``(B, T, K)``.
        valid: ``(B, T)``. Returns the scalar ``loss``, and of the valid frames the logits
        ``output`` and ``target_probs``, ``(M, K)``.
        """
        output = self.model(x, seconds, valid).float()[valid]
        target = target_probs[valid]
        loss = cross_entropy(output, target, self.heads)
        return {"loss": loss, "output": output, "target_probs": target}


def since_last(times: Tensor) -> Tensor:
    """Times ``(B, T)`` -> float32 seconds since the frame before, 0 for the first."""
    return times.diff(dim=1, prepend=times[:, :1]).clamp_min(0).float()


def thinned(part: Sequences, most: float, generator: Generator) -> Sequences:
    """Sequences of which frames were dropped, of each another share of up to ``most``, and now and
    then everything up to some frame; those left move together."""
    n, length = part.valid.shape
    share = torch.rand(n, 1, generator=generator) * most
    share = share * (torch.rand(n, 1, generator=generator) < 0.7)
    kept = part.valid & (torch.rand(n, length, generator=generator) >= share)
    ends = part.valid.sum(1, keepdim=True)
    start = torch.rand(n, 1, generator=generator) * (ends / 2)
    start = start * (torch.rand(n, 1, generator=generator) < 0.3)
    kept &= torch.arange(length)[None] >= start.long()
    none = ~kept.any(1, keepdim=True)
    kept = torch.where(none, part.valid, kept)
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    rows = torch.arange(n)[:, None]
    return Sequences(part.x[rows, order], part.times[rows, order],
                     part.target_probs[rows, order], kept[rows, order])  # fmt: skip


def chosen(all_of: Sequences, indices: Tensor) -> Sequences:
    return Sequences(*(getattr(all_of, field.name)[indices]
                       for field in dataclasses.fields(Sequences)))  # fmt: skip


def train_epoch(run: Run, train: Sequences) -> Row:
    """One pass over the sequences in random order."""
    started = time.perf_counter()
    generator = Generator().manual_seed(epoch_seed(run, 1))
    torch.manual_seed(epoch_seed(run, 1))  # dropout
    task = cast(RecurrentTask, run.task)
    task.train()
    total, seen, correct = 0.0, 0, 0
    for batch in batches(run, len(train)):
        part = thinned(chosen(train, batch), task.thin, generator)
        result = task(part.x.to(run.device), since_last(part.times).to(run.device),
                      part.target_probs.to(run.device), part.valid.to(run.device))  # fmt: skip
        run.optimizer.zero_grad(set_to_none=True)
        result["loss"].backward()
        nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        run.optimizer.step()
        run.steps += 1
        run.schedule.step()  # type: ignore[call-arg]  # recipes of these have no plateau
        if run.ema:
            run.ema.update(task.model, step=run.steps)
        count = len(result["output"])
        right, _ = hits(result["output"], result["target_probs"], task.heads[0])
        total, seen, correct = total + result["loss"].item() * count, seen + count, correct + right
    return {"epoch": run.epoch, "train_loss": total / seen, "train_accuracy": correct / seen,
            "seconds": time.perf_counter() - started, "augment_seconds": 0.0}  # fmt: skip


@torch.no_grad()
def validate(run: Run, watched: Sequences) -> Row:
    """Loss and accuracy of the weights that would be kept, over all frames."""
    started = time.perf_counter()
    logits = predict(run.evaluated(), watched, run.device)
    target, heads = watched.target_probs[watched.valid], run.task.heads
    right, count = hits(logits, target, heads[0])
    loss, seconds = cross_entropy(logits, target, heads).item(), time.perf_counter() - started
    return {"val_loss": loss, "val_accuracy": right / count, "val_seconds": seconds}


@torch.no_grad()
def predict(model: nn.Module, of: Sequences, device: torch.device) -> Tensor:
    """Logits ``(M, K)`` of the valid frames, in their order."""
    model.eval()
    found = model(of.x.to(device), since_last(of.times).to(device), of.valid.to(device))
    return found.float().cpu()[of.valid]


def make_model(recipe: Recipe, train: Sequences) -> FerCbamRecurrent:
    """The recipe's network for these sequences, which say how each input is scaled.

    Raises:
        RecipeError: no recurrent architecture, or arguments that it does not take.
    """
    (stage,) = recipe.stages
    if stage.model not in RECURRENT or stage.schedule == "plateau":
        raise RecipeError(f"clips with model {stage.model!r}, schedule {stage.schedule!r}; "
                          f"expected {' or '.join(RECURRENT)}, onecycle or constant")  # fmt: skip
    sizes: dict[str, Any] = {
        "in_features": train.x.shape[2],
        "num_classes": train.target_probs.shape[2],
    }
    try:
        created = timm.create_model(stage.model, **sizes, **stage.model_args)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"model_args: {stage.model_args} of {stage.model}: {error}") from error
    model = cast(FerCbamRecurrent, created)
    rows = train.x[train.valid]
    model.mean.copy_(rows.mean(0))
    model.std.copy_(rows.std(0).clamp_min(1e-3))
    return model


def train_recurrent(
    recipe: Recipe, train: Sequences, watched: Sequences, label_names: tuple[str, ...],
    folder: Path, record: dict[str, Any], resume: bool = False,
) -> Path:  # fmt: skip
    """Train the network of a recipe, and write its weights to a folder; the folder.

    record: what else stands at the root of its config.json: ``reads``, ``training``. A run that was
    cut goes on from its last whole epoch, and gives the weights of one that was not.

    Raises:
        RecipeError: the folder holds a run, and it is not to go on.
    """
    if not resume and (folder / CHECKPOINT_FILE).exists():
        raise RecipeError(f"{folder} holds a run; expected --resume to go on with it, or another "
                          "--out")  # fmt: skip
    (stage,), clips = recipe.stages, recipe.clips
    assert clips is not None  # or this is not the place
    torch.manual_seed(recipe.seed)
    model = make_model(recipe, train)
    task = RecurrentTask(model, len(label_names), clips.thin)
    identity = {**dataclasses.asdict(stage), "seed": recipe.seed, "thin": clips.thin,
                "frames": int(train.valid.sum()), "sum": float(train.x.double().sum())}  # fmt: skip
    device = distributed.start()
    trained = fit(task, stage, train, watched, folder, recipe.seed, identity, device,
                  (train_epoch, validate))  # fmt: skip
    return hub.save_model(trained, folder, label_names, record)
