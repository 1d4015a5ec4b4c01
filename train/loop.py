"""Training: set up, one epoch, validate, save; again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm

from train import distributed
from train.activations import vectorise_elu
from train.augment import augment, mixup, shrink
from train.checkpoint import load_checkpoint, save_checkpoint
from train.distill import Tutor
from train.examples import Examples
from train.logs import Row, TensorBoard, write_history
from train.losses import Columns, cross_entropy, head_columns, hits, logit_shift
from train.optim import make_optimizer, make_schedule
from train.precision import has_bf16
from train.recipe import Recipe
from train.sam import perturbed
from train.styles import mixed_styles


@dataclass(eq=False)
class Run:
    """Everything that changes while a model trains, and that a checkpoint holds.

    Random numbers need no state of their own: each epoch starts from a seed made of the recipe's
    seed, the epoch and the process.
    """

    recipe: Recipe
    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler | ReduceLROnPlateau
    ema: ModelEmaV3 | None
    device: torch.device
    parallel: nn.Module
    tutor: Tutor | None = None
    epoch: int = 0
    steps: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    reduced_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)

    def evaluated(self) -> nn.Module:
        """The model whose weights are validated and kept."""
        return self.ema.module if self.ema else self.model

    def state(self) -> dict[str, Any]:
        return {
            "recipe": dataclasses.asdict(self.recipe),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else {},
            "rng": {"seed": self.recipe.seed, "epoch": self.epoch},
            "epoch": self.epoch,
            "steps": self.steps,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "reduced_epoch": self.reduced_epoch,
            "best": self.best,
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"])
        self.epoch, self.steps = state["epoch"], state["steps"]
        self.history = state["history"]
        self.best_loss, self.best_epoch = state["best_loss"], state["best_epoch"]
        self.reduced_epoch, self.best = state["reduced_epoch"], state["best"]


def fit(
    model: nn.Module,
    recipe: Recipe,
    train: Examples,
    validation: Examples | None,
    run_dir: Path,
    resume: bool = False,
    device: torch.device | None = None,
    tutor: Tutor | None = None,
) -> nn.Module:
    """Train a model by a recipe; the model returned holds the weights that are kept.

    Those are the weights of the best validation loss, or of the last epoch where nothing is held
    out. ``run_dir`` gets ``checkpoint.pt`` and ``history.csv`` after every epoch.

    Raises:
        FerError: ``resume`` finds the checkpoint of another recipe.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    run = set_up(model, recipe, len(train), device or torch.device("cpu"))
    run.tutor = None if tutor is None else tutor.to(run.device)
    state = load_checkpoint(run_dir, dataclasses.asdict(recipe)) if resume else None
    if state is not None:
        run.restore(state)
    main = distributed.rank() == 0
    board = TensorBoard(run_dir, run.epoch + 1) if main else None
    with mixed_styles(run.model, recipe.mixstyle):
        while run.epoch < recipe.epochs and not _stalled(run):
            run.epoch += 1
            started = time.perf_counter()
            lr = run.optimizer.param_groups[0]["lr"]
            row = train_epoch(run, train)
            if validation is not None:
                row.update(validate(run, validation))
            _keep_best(run, row)
            row["lr"] = lr
            if isinstance(run.schedule, ReduceLROnPlateau) and run.epoch > recipe.plateau_warmup:
                run.schedule.step(row["val_loss"])
                if run.optimizer.param_groups[0]["lr"] < row["lr"]:
                    run.reduced_epoch = run.epoch
            row["seconds"] = time.perf_counter() - started
            run.history.append(row)
            if board:
                save_checkpoint(run_dir, run.state())
                write_history(run_dir, run.history)
                board.add(row)
    if board:
        board.close()
    run.evaluated().load_state_dict(run.best)
    return run.evaluated()


def set_up(model: nn.Module, recipe: Recipe, n: int, device: torch.device) -> Run:
    if device.type == "cpu" and recipe.amp:
        vectorise_elu(model)
    model = model.to(device).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(recipe, model)
    schedule = make_schedule(recipe, optimizer, max(1, n // recipe.batch_size))
    ema = ModelEmaV3(model, decay=recipe.ema, use_warmup=True) if recipe.ema else None
    return Run(recipe, model, optimizer, schedule, ema, device, distributed.wrap(model))


def train_epoch(run: Run, train: Examples) -> Row:
    """One pass over the training examples in random order; the last, smaller batch is left out."""
    recipe, heads = run.recipe, head_columns(run.recipe, train.sizes)
    shift = logit_shift(recipe, train.target_probs, heads).to(run.device)
    order_generator = torch.Generator().manual_seed(_seed(run, 0))
    generator = torch.Generator().manual_seed(_seed(run, 1 + distributed.rank()))
    torch.manual_seed(_seed(run, 1 + distributed.rank()))  # dropout
    run.model.train()
    order = torch.randperm(len(train), generator=order_generator)
    batches = order.split(recipe.batch_size)
    batches = batches[:-1] if len(batches[-1]) < recipe.batch_size and batches[:-1] else batches
    total = seen = 0.0
    correct, labelled = 0, 0
    side = input_side(recipe, run.epoch)
    bar = tqdm(batches, f"epoch {run.epoch}/{recipe.epochs}", leave=False,
               disable=None if distributed.rank() == 0 else True)  # fmt: skip
    for batch in bar:
        indices = distributed.share(batch)
        x, target_probs = train.x[indices], train.target_probs[indices]
        detected = None if train.detected is None else train.detected[indices]
        x = shrink(augment(x, recipe.augment, generator, detected), side)
        if recipe.mixup and run.epoch <= recipe.epochs - recipe.mixup_off:
            x, target_probs = mixup(x, target_probs, recipe.mixup, generator)
        x = x.to(run.device, memory_format=torch.channels_last)
        target_probs = target_probs.to(run.device)
        if run.tutor is not None:
            with torch.autocast(run.device.type, torch.bfloat16, enabled=_use_bf16(run)):
                target_probs = run.tutor(x, target_probs)
        run.optimizer.zero_grad(set_to_none=True)
        logits, loss = _gradients(run, x, target_probs, shift, heads)
        run.optimizer.step()
        run.steps += 1
        if not isinstance(run.schedule, ReduceLROnPlateau):
            run.schedule.step()
        if run.ema:
            run.ema.update(run.model, step=run.steps)
        total += loss.item() * len(indices)
        right, counted = hits(logits, target_probs, heads[0])
        correct, labelled, seen = correct + right, labelled + counted, seen + len(indices)
    distributed.same_everywhere(run.model)
    if run.ema:
        distributed.same_everywhere(run.ema.module)
    return {
        "epoch": run.epoch,
        "train_loss": distributed.mean(total / seen, run.device),
        "train_accuracy": distributed.mean(correct / max(1, labelled), run.device),
    }


def _gradients(
    run: Run, x: Tensor, target_probs: Tensor, shift: Tensor, heads: Sequence[Columns]
) -> tuple[Tensor, Tensor]:
    """Leave the gradients of a batch in the model; its logits ``(B, K)`` and loss.

    With sharpness-aware minimisation all three are of the perturbed weights.
    """

    def backward(n: int) -> tuple[Tensor, Tensor]:
        with torch.autocast(run.device.type, torch.bfloat16, enabled=_use_bf16(run)):
            logits = run.parallel(x[:n])
        loss = cross_entropy(logits.float() + shift, target_probs[:n], heads)
        loss.backward()
        return logits, loss

    if not run.recipe.sam:
        return backward(len(x))
    backward((len(x) + 1) // 2)
    with perturbed(run.model, run.recipe.sam):
        return backward(len(x))


def validate(run: Run, validation: Examples) -> Row:
    """Loss and accuracy of the weights that would be kept, in float32; each process reads its part.

    The loss is of all heads, without label smoothing; the accuracy of the first, of the network's
    own answers. With a logit adjustment the loss has it as in training.
    """
    heads = head_columns(run.recipe, validation.sizes)
    plain = [dataclasses.replace(head, label_smoothing=0.0) for head in heads]
    part = predict(run.evaluated(), distributed.part(validation.x), run.device)
    logits = distributed.whole(part, len(validation), run.device).cpu()
    shift = logit_shift(run.recipe, validation.target_probs, heads)
    loss = cross_entropy(logits + shift, validation.target_probs, plain)
    right, labelled = hits(logits, validation.target_probs, heads[0])
    return {"val_loss": loss.item(), "val_accuracy": right / max(1, labelled)}


def input_side(recipe: Recipe, epoch: int) -> int | None:
    """The side that images are shrunk to in an epoch; None for their own."""
    begun = [first for first in recipe.sizes if first <= epoch]
    return recipe.sizes[max(begun)] if begun else None


@torch.no_grad()
def predict(model: nn.Module, x: Tensor, device: torch.device, batch_size: int = 256) -> Tensor:
    """Logits ``(N, K)`` on the CPU, the model in eval mode."""
    model.eval()
    return torch.cat([model(part.to(device)).float().cpu() for part in x.split(batch_size)])


def _keep_best(run: Run, row: Row) -> None:
    loss = row.get("val_loss")
    better = loss is not None and loss < run.best_loss
    if loss is not None and better:
        run.best_loss, run.best_epoch = loss, run.epoch
    if better or loss is None or run.recipe.keep == "last":
        run.best = {k: v.detach().clone() for k, v in run.evaluated().state_dict().items()}


def _stalled(run: Run) -> bool:
    """Early stopping. On a small held-out part one lucky epoch would otherwise end a run whose
    learning rate has only begun to fall."""
    patience = run.recipe.early_stopping
    since = max(run.best_epoch, run.reduced_epoch, run.recipe.plateau_warmup)
    return bool(patience) and run.epoch - since >= patience


def _seed(run: Run, stream: int) -> int:
    """A seed of its own for each recipe seed, epoch and stream of random numbers."""
    return (run.recipe.seed * 1_000_003 + run.epoch) * 1_009 + stream


def _use_bf16(run: Run) -> bool:
    return run.recipe.amp and has_bf16(run.device)
