"""Training: set up, one epoch, validate, save; again."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm

from eval.history import HISTORY_FILE
from train import distributed
from train.activations import vectorise_elu
from train.augment import augment, mixup, sampled
from train.checkpoint import load_checkpoint, save_checkpoint
from train.examples import Examples
from train.losses import cross_entropy, hits
from train.optim import make_optimizer, make_schedule
from train.precision import has_bf16
from train.recipe import Stage
from train.tensorboard import event_files

Row = dict[str, float]
Passes = tuple[Callable[["Run", Any], Row], Callable[["Run", Any], Row]]
AnyTask = Any  # a module with ``model`` and ``heads``, see `train.task`


@dataclass(eq=False)
class Run:
    """Everything that changes while a model trains, and that a checkpoint holds.

    Random numbers need no state of their own: each epoch starts from a seed made of the run's seed,
    the epoch and the process.
    """

    stage: Stage
    task: AnyTask
    seed: int
    device: torch.device
    optimizer: Optimizer
    schedule: LRScheduler | ReduceLROnPlateau
    ema: ModelEmaV3 | None
    parallel: nn.Module
    epoch: int = 0
    steps: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    reduced_epoch: int = 0
    kept: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)

    COUNTS: ClassVar = (
        "epoch",
        "steps",
        "best_loss",
        "best_epoch",
        "reduced_epoch",
        "kept",
        "history",
    )

    def evaluated(self) -> nn.Module:
        """The model whose weights are validated and kept."""
        return self.ema.module if self.ema else self.task.model

    def finished(self) -> bool:
        """Whether it has had all its epochs, or stopped early. On a small held-out part one lucky
        epoch would end a run whose learning rate has only begun to fall: that counts again."""
        since = max(self.best_epoch, self.reduced_epoch, self.stage.plateau_warmup)
        stalled = self.stage.early_stopping and self.epoch - since >= self.stage.early_stopping
        return self.epoch >= self.stage.epochs or bool(stalled)

    def state(self) -> dict[str, Any]:
        return {
            "model": self.task.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else {},
            "finished": self.finished(),
            **{name: getattr(self, name) for name in self.COUNTS},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.task.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"])
        for name in self.COUNTS:
            setattr(self, name, state[name])


def fit(
    task: AnyTask,
    stage: Stage,
    train: Any,
    validation: Any | None,
    run_dir: Path,
    seed: int = 0,
    identity: Mapping[str, Any] | None = None,
    device: torch.device | None = None,
    passes: Passes | None = None,
) -> nn.Module:
    """Train the model of a task; the one returned holds the weights that are kept.

    Those are the weights of the best validation loss, or of the last epoch. ``run_dir`` gets
    ``checkpoint.pt`` and ``history.csv`` after every epoch, and event files where TensorBoard is
    installed; a run whose checkpoint lies there goes on from it. identity: what decides the result,
    so that another run's checkpoint is refused. passes: one over what is trained on and one over
    what is watched, by default those of images.

    Raises:
        FerError: the checkpoint there belongs to another run.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    run = set_up(task, stage, len(train), seed, device or torch.device("cpu"))
    over_train, over_validation = passes or (train_epoch, validate)
    identity = dict(identity or {})
    state = load_checkpoint(run_dir, identity)
    if state is not None:
        run.restore(state)
        say(f"{stage.name}: goes on after epoch {run.epoch}")
    with event_files(run_dir, run.epoch, distributed.rank() == 0) as write_events:
        while not run.finished():
            run.epoch += 1
            row = over_train(run, train)
            if validation is not None:
                row |= over_validation(run, validation)
            keep(run, row)
            run.history.append(row)
            if distributed.rank() == 0:
                save_checkpoint(run_dir, {"identity": identity, **run.state()})
                write_history(run_dir, run.history)
                write_events(row)
            say(f"{stage.name} epoch {run.epoch}/{stage.epochs}: " + described(row))
    run.evaluated().load_state_dict(run.kept)
    return run.evaluated()


def set_up(task: AnyTask, stage: Stage, n: int, seed: int, device: torch.device) -> Run:
    """A run at its start. n: images in an epoch."""
    if device.type == "cpu" and stage.amp:
        vectorise_elu(task)
    task.to(device).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(stage, task.model)
    steps = rounds(stage, n) * max(1, n // stage.batch_size)
    schedule = make_schedule(stage, optimizer, steps)
    ema = ModelEmaV3(task.model, decay=stage.ema, use_warmup=True) if stage.ema else None
    return Run(stage, task, seed, device, optimizer, schedule, ema, distributed.wrap(task))


def train_epoch(run: Run, train: Examples) -> Row:
    """The training examples in random order, without the last, smaller batch of each pass."""
    stage, task, started = run.stage, run.parallel, time.perf_counter()
    generator = torch.Generator().manual_seed(epoch_seed(run, 1 + distributed.rank()))
    torch.manual_seed(epoch_seed(run, 1 + distributed.rank()))  # dropout
    task.train()
    total = seen = augmenting = 0.0
    correct, labelled = 0, 0
    for batch in progress(batches(run, len(train)), run):
        began = time.perf_counter()
        indices = distributed.share(batch)
        x, target_probs, effects = changed(train, indices, stage, generator)
        augmenting += time.perf_counter() - began
        x = x.to(run.device, memory_format=torch.channels_last)
        target_probs = target_probs.to(run.device)
        with autocast(run):
            known = () if effects is None else (effects.to(run.device),)
            result = task(x, target_probs, *known)
        run.optimizer.zero_grad(set_to_none=True)
        result["loss"].backward()
        run.optimizer.step()
        run.steps += 1
        if not isinstance(run.schedule, ReduceLROnPlateau):
            run.schedule.step()
        if run.ema:
            run.ema.update(run.task.model, step=run.steps)
        total, seen = total + result["loss"].item() * len(indices), seen + len(indices)
        shown = result.get("target_probs", target_probs)  # a task may show other images
        right, counted = hits(result["output"], shown, run.task.heads[0])
        correct, labelled = correct + right, labelled + counted
    distributed.same_everywhere(run.task.model)
    if run.ema:
        distributed.same_everywhere(run.ema.module)
    return {
        "epoch": run.epoch,
        "train_loss": distributed.mean(total / seen, run.device),
        "train_accuracy": distributed.mean(correct / max(1, labelled), run.device),
        "seconds": time.perf_counter() - started,
        "augment_seconds": augmenting,
    }


def progress(parts: tuple[Tensor, ...], run: Run) -> Iterable[Tensor]:
    """The batches, with a bar on a terminal that is gone when they are through."""
    hidden = None if distributed.rank() == 0 else True  # None: where there is no terminal
    title = f"{run.stage.name} epoch {run.epoch}/{run.stage.epochs}"
    return tqdm(parts, desc=title, unit="batch", leave=False, disable=hidden)


def rounds(stage: Stage, n: int) -> int:
    """How often an epoch goes through n images."""
    return max(1, math.ceil(stage.epoch_steps / max(1, n // stage.batch_size)))


def batches(run: Run, n: int) -> tuple[Tensor, ...]:
    """Positions of an epoch's batches, the same in every process."""
    generator = torch.Generator().manual_seed(epoch_seed(run, 0))
    found: list[Tensor] = []
    for _ in range(rounds(run.stage, n)):
        whole = torch.randperm(n, generator=generator).split(run.stage.batch_size)
        short = len(whole[-1]) < run.stage.batch_size and len(whole) > 1
        found += whole[:-1] if short else whole
    return tuple(found)


def changed(
    train: Examples, indices: Tensor, stage: Stage, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The images at these positions as the stage changes them, their targets, and the effects of
    occlusion where those places are now."""
    detected = None if train.detected is None else train.detected[indices]
    x, grid = augment(train.x[indices], stage.augment, generator, detected)
    target_probs = train.target_probs[indices]
    effects = None if train.effects is None else sampled(train.effects[indices], grid)
    if stage.mixup:
        x, target_probs = mixup(x, target_probs, stage.mixup, generator)
    return x, target_probs, effects


def validate(run: Run, validation: Examples) -> Row:
    """Loss and accuracy of the weights that would be kept, in float32; each process reads its part.

    The loss is of all heads, without label smoothing; the accuracy of the first.
    """
    started = time.perf_counter()
    plain = [head.without_smoothing() for head in run.task.heads]
    part = predict(run.evaluated(), distributed.part(validation.x), run.device)
    logits = distributed.whole(part, len(validation), run.device).cpu()
    loss = cross_entropy(logits, validation.target_probs, plain)
    right, labelled = hits(logits, validation.target_probs, plain[0])
    seconds = time.perf_counter() - started
    return {"val_loss": loss.item(), "val_accuracy": right / max(1, labelled),
            "val_seconds": seconds}  # fmt: skip


@torch.no_grad()
def predict(model: nn.Module, x: Tensor, device: torch.device, batch_size: int = 256) -> Tensor:
    """Logits ``(N, K)`` on the CPU, the model in eval mode."""
    model.eval()
    return torch.cat([
        model(part.to(device, memory_format=torch.channels_last)).float().cpu()
        for part in x.split(batch_size)
    ])  # fmt: skip


def keep(run: Run, row: Row) -> None:
    """Keep the weights of this epoch where they are better, and step a plateau schedule."""
    loss = row.get("val_loss")
    better = loss is not None and loss < run.best_loss
    if loss is not None and better:
        run.best_loss, run.best_epoch = loss, run.epoch
    if better or loss is None or run.stage.keep == "last":
        run.kept = {k: v.detach().clone() for k, v in run.evaluated().state_dict().items()}
    row["lr"] = run.optimizer.param_groups[0]["lr"]
    if isinstance(run.schedule, ReduceLROnPlateau) and run.epoch > run.stage.plateau_warmup:
        run.schedule.step(row["val_loss"])
        if run.optimizer.param_groups[0]["lr"] < row["lr"]:
            run.reduced_epoch = run.epoch


def autocast(run: Run) -> torch.autocast:
    """bfloat16 where the stage allows it and the device is made for it."""
    use = run.stage.amp and has_bf16(run.device)
    return torch.autocast(run.device.type, torch.bfloat16, enabled=use)


def write_history(run_dir: Path, rows: list[Row]) -> None:
    """Replace ``history.csv`` by these rows, in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({k: f"{v:.7g}" for k, v in row.items()} for row in rows)
    partial = run_dir / f"{HISTORY_FILE}.partial"
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(run_dir / HISTORY_FILE)


def described(row: Row) -> str:
    """A row of the history for whoever waits."""
    seconds = row["seconds"] + row.get("val_seconds", 0.0)
    watched = (f", validation {row['val_loss']:.4f} {row['val_accuracy']:.4f}"
               if "val_loss" in row else "")  # fmt: skip
    return (f"loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.4f}{watched}; "
            f"{seconds:.1f} s, of which {row['augment_seconds']:.1f} change images and "
            f"{row.get('val_seconds', 0.0):.1f} validate")  # fmt: skip


def say(text: str) -> None:
    """Print a line, from the first process."""
    if distributed.rank() == 0:
        print(text, flush=True)


def epoch_seed(run: Run, stream: int) -> int:
    """A seed of its own for each run seed, epoch and stream of random numbers."""
    return (run.seed * 1_000_003 + run.epoch) * 1_009 + stream
