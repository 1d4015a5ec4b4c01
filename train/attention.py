"""Spatial attention that says something: what else than the labels the last gate is trained on.

Two terms for a gate of mean 1 (:class:`fer_cbam.models.cbam.NormalizedSpatialAttention`).
Occlusion: the gate as a distribution over places is drawn to where hiding a part of the face lowers
a trained network's answer most (Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901, section
4.2), by the Kullback-Leibler divergence. Mirror: on the mirrored face it shall be the mirror image.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from fer_cbam.errors import FerError
from fer_cbam.models.cbam import CBAM, NormalizedSpatialAttention, pooled
from train.checkpoint import save_array
from train.task import SupervisedTask, Teacher

FACES = 8192  # whose occlusion is measured: a gate of a hundred weights needs no more
GRID, WINDOW = 6, 5.0  # windows each way, and the standard deviation of one in pixels
BLUR = 6.0  # standard deviation in pixels of what hides
FLOOR = 1e-3  # of the largest effect, so that no place has none
GATE_STEPS, GATE_LR = 300, 0.02  # of the gate alone, all faces in each step
MIRRORED = 4  # one image in so many is another one's mirror image


class GuidedTask(nn.Module):
    """Another task, and the two terms for the last spatial gate of its network.

    Called with the effects of occlusion as well, ``(B, 1, h, w)``, NaN for a face of which none are
    known. So that a gate can be compared with its mirror image, some images of a batch give way to
    the mirror images of others.

    Raises:
        FerError: the last spatial gate has no mean of 1.
    """

    def __init__(self, task: SupervisedTask, occlusion: float, mirror: float) -> None:
        super().__init__()
        self.task, self.occlusion, self.mirror = task, occlusion, mirror
        self.model, self.heads = task.model, task.heads
        self.gate = last_gate(task.model)

    def forward(
        self, x: Tensor, target_probs: Tensor, effects: Tensor | None = None
    ) -> dict[str, Tensor]:
        n = len(x) // MIRRORED
        x, target_probs = mirrored(x, n), with_first(target_probs, n)
        seen: list[Tensor] = []
        # For this pass alone: a hook that stays would be copied with the network.
        hook = self.gate.register_forward_hook(lambda module, inputs, output: seen.append(output))
        try:
            result = self.task(x, target_probs)
        finally:
            hook.remove()
        gate = seen[0].float()
        loss = result["loss"] + self.mirror * mirror_loss(gate, n)
        if effects is not None:
            loss = loss + self.occlusion * occlusion_loss(gate, mirrored(effects, n))
        return {**result, "loss": loss, "target_probs": target_probs}


def last_gate(model: nn.Module) -> NormalizedSpatialAttention:
    """The last spatial gate of a network.

    Raises:
        FerError: it has no mean of 1.
    """
    gates = [m.spatial for m in model.modules() if isinstance(m, CBAM) and m.spatial]
    if not gates or not isinstance(gates[-1], NormalizedSpatialAttention):
        raise FerError(f"occlusion, mirror: the last spatial attention of {type(model).__name__} "
                       "has no mean of 1; expected a model with 'cbam_normalized'")  # fmt: skip
    return gates[-1]


@torch.no_grad()
def pooled_inputs(model: nn.Module, gate: nn.Module, x: Tensor) -> Tensor:
    """What the gate sees of faces ``(N, C, H, W)``: mean and maximum across the channels,
    ``(N, 2, h, w)``."""
    seen: list[Tensor] = []
    hook = gate.register_forward_hook(lambda module, inputs, output: seen.append(
        pooled(inputs[0]).cpu()
    ))  # fmt: skip
    model.eval()
    device = next(model.parameters()).device
    try:
        for batch in x.split(256):
            model(batch.to(device))
    finally:
        hook.remove()
    return torch.cat(seen)


def fit_gate(model: nn.Module, x: Tensor, effects: Tensor, occlusion: float, mirror: float) -> None:
    """Fit the last gate alone to its two terms, in place, on the faces whose effects are known and
    their mirror images; for a network whose other weights have just changed (``train/average.py``).
    """
    gate, known = last_gate(model), effects.flatten(1).isfinite().all(1)
    faces, targets = x[known], effects[known]
    seen = torch.cat([pooled_inputs(model, gate, faces), pooled_inputs(model, gate, faces.flip(3))])
    targets = torch.cat([targets, targets.flip(3)])
    gate.train().requires_grad_(True)
    optimizer = torch.optim.Adam(gate.parameters(), lr=GATE_LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, GATE_STEPS)
    with torch.enable_grad():
        for _ in range(GATE_STEPS):
            attended = gate.of_pooled(seen)
            loss = occlusion * occlusion_loss(attended, targets)
            loss = loss + mirror * mirror_loss(attended, len(faces))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    gate.eval()


def with_first(values: Tensor, n: int) -> Tensor:
    """The last n rows replaced by the first n."""
    return torch.cat([values[: len(values) - n], values[:n]])


def mirrored(x: Tensor, n: int) -> Tensor:
    """The last n images ``(B, C, H, W)`` replaced by the mirror images of the first n."""
    return torch.cat([x[: len(x) - n], x[:n].flip(3)]).contiguous(memory_format=torch.channels_last)


def mirror_loss(gate: Tensor, n: int) -> Tensor:
    """Mean squared difference of the first n gates ``(1, h, w)`` from the mirrored last n."""
    return (gate[:n] - gate[len(gate) - n :].flip(3)).square().mean()


def occlusion_loss(gate: Tensor, effects: Tensor) -> Tensor:
    """Kullback-Leibler divergence in nats of the gate from the effects, as distributions over
    places; the mean over the faces whose effects are known. Both ``(B, 1, h, w)``."""
    known = effects.flatten(1).isfinite().all(1)
    if not known.any():
        return gate.sum() * 0
    positive = effects[known].flatten(1).clamp_min(0)
    positive = positive + FLOOR * positive.amax(1, keepdim=True) + 1e-6
    target = positive / positive.sum(1, keepdim=True)
    attended = gate[known].flatten(1)
    attended = attended / attended.sum(1, keepdim=True)
    return (target * (target.log() - attended.clamp_min(1e-9).log())).sum(1).mean()


def windows(side: int) -> Tensor:
    """Soft windows on a grid, ``(GRID * GRID, 1, side, side)`` in [0, 1], rows first."""
    step = side / GRID
    centres = (torch.arange(GRID) + 0.5) * step
    along = torch.exp(-((torch.arange(side) + 0.5 - centres[:, None]) ** 2) / (2 * WINDOW**2))
    return (along[:, None, :, None] * along[None, :, None, :]).reshape(-1, 1, side, side)


def blurred(x: Tensor) -> Tensor:
    """Gaussian blur of ``(B, 1, H, W)``, edges mirrored."""
    reach = round(1.7 * BLUR)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * BLUR**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


def occlusion_effects(teacher: Teacher, x: Tensor) -> Tensor:
    """By how much the log-probability of a teacher's answer falls where a window of the face is
    blurred: ``(B, 1, H, W)`` -> ``(B, 1, GRID, GRID)``, in nats, negative where it rises."""
    masks, hidden = windows(x.shape[3]), blurred(x)
    variants = x[:, None] * (1 - masks) + hidden[:, None] * masks
    shown = torch.cat([x[:, None], variants], 1).flatten(0, 1)
    log_probs = teacher(shown)[0].log().view(len(x), 1 + len(masks), -1)
    answer = log_probs[:, 0].argmax(1)
    of_answer = log_probs[torch.arange(len(x)), :, answer]
    return (of_answer[:, :1] - of_answer[:, 1:]).view(-1, 1, GRID, GRID)


@torch.no_grad()
def measured_effects(
    teacher: Teacher, name: str, x: Tensor, rows: np.ndarray, cache: Path
) -> Tensor:
    """`occlusion_effects` of the first `FACES` of these rows, ``(N, 1, GRID, GRID)``, NaN for the
    others; read from the cache, or put there. name: of the teacher's values."""
    chosen = np.asarray(rows)[:FACES]
    digest = hashlib.sha256(name.encode() + x[chosen].numpy().tobytes()).hexdigest()[:16]
    path = cache / f"occlusion.{digest}.npy"
    effects = torch.full((len(x), 1, GRID, GRID), torch.nan)
    if path.is_file():
        effects[chosen] = torch.from_numpy(np.load(path, allow_pickle=False))
        return effects
    parts = torch.from_numpy(chosen).split(8)
    found = [occlusion_effects(teacher, x[part])
             for part in tqdm(parts, desc="occlusion", disable=None)]  # fmt: skip
    effects[chosen] = torch.cat(found)
    save_array(path, effects[chosen].numpy())
    return effects
