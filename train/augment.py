"""Augmentation of whole batches with tensor operations.

Rotation, shift, zoom, mirror and a turn of the head are one grid for each image, sampled once;
Python touches no single image, so the processor stays with the network. Every draw comes from the
generator that is passed in, which makes a resumed run equal to one that was never cut.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.degrade import through_camera
from train.draws import uniform
from train.recipe import Augment, RecipeError


def affine_matrices(config: Augment, n: int, generator: Generator) -> Tensor:
    """Random maps ``(n, 2, 3)`` from output to input in the [-1, 1] coordinates of affine_grid."""
    angle = uniform(generator, n, -config.degrees, config.degrees) * (math.pi / 180)
    # A zoom of 1.1 enlarges the face, so the output samples a smaller part of the input.
    scale = 1 / uniform(generator, n, 1 - config.zoom, 1 + config.zoom)
    mirror = 1 - 2 * (torch.rand(n, generator=generator) < config.flip).float()
    shift = uniform(generator, 2 * n, -2 * config.shift, 2 * config.shift).view(n, 2)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], 1)
    return rows.view(n, 2, 3)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Maps ``(B, 2, 3)`` that do inner first, then outer."""
    linear = outer[:, :, :2]
    return torch.cat([linear @ inner[:, :, :2], linear @ inner[:, :, 2:] + outer[:, :, 2:]], 2)


CYLINDER = (1.15, 1.5)  # radius of a head across and along its height, in half sides of a crop


def turned(grid: Tensor, degrees: float, generator: Generator) -> Tensor:
    """A grid ``(B, H, W, 2)`` that sees each head turned, by up to ``degrees`` to the side and half
    as much up or down: the face lies on a cylinder, upright for the one and lying for the other.
    """
    n = len(grid)
    columns = []
    for axis, (radius, most) in enumerate(zip(CYLINDER, (degrees, degrees / 2), strict=True)):
        angle = uniform(generator, n, -most, most).view(n, 1, 1) * (math.pi / 180)
        seen = torch.asin((grid[..., axis] / radius).clamp(-0.99, 0.99))
        # Less the turn of the middle, so that the face stays where it was.
        columns.append(radius * (torch.sin(seen + angle) - torch.sin(angle)))
    return torch.stack(columns, 3)


def sampling_grid(
    x: Tensor, config: Augment, generator: Generator, detected: Tensor | None = None
) -> Tensor:
    """Where each pixel of the changed batch is taken from, ``(B, H, W, 2)`` as grid_sample has it.

    Raises:
        RecipeError: the recipe asks for the recogniser's crops, and there are none.
    """
    n = len(x)
    matrices = affine_matrices(config, n, generator)
    if config.detected:
        if detected is None:
            raise RecipeError(f"augment: detected {config.detected}; expected examples with the "
                              "recogniser's crops, or 0")  # fmt: skip
        chosen = torch.rand(n, generator=generator) < config.detected
        matrices = torch.where(chosen.view(n, 1, 1), compose(detected, matrices), matrices)
    if not config.turn:
        return F.affine_grid(matrices, list(x.shape), align_corners=False)
    straight = torch.eye(2, 3).expand(n, 2, 3)
    grid = turned(F.affine_grid(straight, list(x.shape), align_corners=False), config.turn,
                  generator)  # fmt: skip
    return torch.einsum("nij,nhwj->nhwi", matrices[:, :, :2], grid) + matrices[:, None, None, :, 2]


def sampled(x: Tensor, grid: Tensor) -> Tensor:
    """``(B, C, h, w)`` as the grid ``(B, H, W, 2)`` sees it, at the size of x."""
    if x.shape[2:] != grid.shape[1:3]:
        grid = F.adaptive_avg_pool2d(grid.permute(0, 3, 1, 2), (x.shape[2], x.shape[3])).permute(
            0, 2, 3, 1
        )
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def augment(
    x: Tensor, config: Augment, generator: Generator, detected: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A changed copy of a batch, and the grid that it was sampled with.

    x: float32 ``(B, C, H, W)``, preprocessed. What comes in from outside an image repeats its
    edge. detected: maps ``(B, 2, 3)`` from the recogniser's crops to x.

    Raises:
        RecipeError: the recipe asks for those crops, and there are none.
    """
    grid = sampling_grid(x, config, generator, detected)
    return change_pixels(sampled(x, grid), config, generator), grid


def change_pixels(x: Tensor, config: Augment, generator: Generator) -> Tensor:
    """What is left to do when every pixel is in its place: light, camera, and what hides a face."""
    n = len(x)
    if config.brightness or config.contrast:
        factor = uniform(generator, n, 1 - config.contrast, 1 + config.contrast).view(n, 1, 1, 1)
        offset = uniform(generator, n, -config.brightness, config.brightness).view(n, 1, 1, 1)
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * factor + mean + offset
    if config.light:
        x = light_from_a_side(x, config.light, generator)
    if config.gamma:
        exponent = torch.exp(uniform(generator, n, -config.gamma, config.gamma)).view(n, 1, 1, 1)
        x = x.clamp(0, 1) ** exponent
    if config.blur:
        x = blur(x, config.blur, generator)
    if config.noise:
        sigma = uniform(generator, n, 0, config.noise).view(n, 1, 1, 1)
        x = x + sigma * torch.randn(x.shape, generator=generator)
    if config.camera:
        x = through_camera(x, config.camera, generator)
    if config.erasing:
        x = erase(x, config.erasing, generator)
    if config.cover:
        x = cover_lower_face(x, config.cover, generator)
    return x


def light_from_a_side(x: Tensor, strength: float, generator: Generator) -> Tensor:
    """Hard light: pixels times a ramp across the image, of any direction, from ``1 - s`` on the
    dark side to ``1 + s`` on the bright one, s in [0, strength]; how sharply it falls varies."""
    n, _, height, width = x.shape
    s, sharp = uniform(generator, n, 0, strength), uniform(generator, n, 0.5, 4)
    angle = uniform(generator, n, -math.pi, math.pi)
    s, sharp, angle = (v.view(n, 1, 1) for v in (s, sharp, angle))
    v = torch.linspace(-1, 1, height).view(1, -1, 1)
    u = torch.linspace(-1, 1, width).view(1, 1, -1)
    ramp = torch.tanh(sharp * (u * angle.cos() + v * angle.sin()))
    return x * (1 + s * ramp).unsqueeze(1)


def cover_lower_face(x: Tensor, probability: float, generator: Generator) -> Tensor:
    """With ``probability`` all below a line under the eyes is one grey value, like a mask or a
    scarf: from 50 to 75 % of the height down."""
    n, _, height, _ = x.shape
    line = uniform(generator, n, 0.5, 0.75).view(n, 1, 1, 1) * height
    grey = uniform(generator, n, 0, 1).view(n, 1, 1, 1)
    chosen = (torch.rand(n, generator=generator) < probability).view(n, 1, 1, 1)
    return torch.where((torch.arange(height).view(1, 1, -1, 1) >= line) & chosen, grey, x)


def blur(x: Tensor, probability: float, generator: Generator) -> Tensor:
    """Gaussian blur with another width along and across a random direction.

    Standard deviations of 0.3 to 1.6 pixels: where one is large and the other small it looks like
    motion, where both are large like defocus or a face that was small in its picture.
    """
    n, channels, height, width = x.shape
    along, across = (uniform(generator, n, 0.3, 1.6).view(n, 1, 1) for _ in range(2))
    angle = uniform(generator, n, 0, math.pi).view(n, 1, 1)
    chosen = (torch.rand(n, generator=generator) < probability).view(n, 1, 1)
    steps = torch.arange(-3.0, 4.0)
    dy, dx = steps.view(1, -1, 1), steps.view(1, 1, -1)
    u = (dx * angle.cos() + dy * angle.sin()) / along
    v = (dy * angle.cos() - dx * angle.sin()) / across
    kernel = torch.exp(-(u.square() + v.square()) / 2)
    identity = ((dx == 0) & (dy == 0)).float()
    kernel = torch.where(chosen, kernel / kernel.sum((1, 2), keepdim=True), identity)
    padded = F.pad(x, (3, 3, 3, 3), mode="replicate").view(1, n * channels, height + 6, width + 6)
    kernel = kernel.repeat_interleave(channels, 0).unsqueeze(1)
    return F.conv2d(padded, kernel, groups=n * channels).view(x.shape)


def erase(x: Tensor, probability: float, generator: Generator) -> Tensor:
    """Random erasing (Zhong et al. 2020, https://arxiv.org/abs/1708.04896).

    With ``probability`` one rectangle of 2 to 25 % of the image, of aspect 0.3 to 3.3, becomes the
    image's mean.
    """
    n, _, height, width = x.shape
    area = uniform(generator, n, 0.02, 0.25) * height * width
    aspect = torch.exp(uniform(generator, n, math.log(0.3), math.log(3.3)))
    h, w = (area * aspect).sqrt().clamp(max=height), (area / aspect).sqrt().clamp(max=width)
    top = torch.rand(n, generator=generator) * (height - h)
    left = torch.rand(n, generator=generator) * (width - w)
    chosen = torch.rand(n, generator=generator) < probability
    rows = torch.arange(height).view(1, -1, 1)
    columns = torch.arange(width).view(1, 1, -1)
    top, left, h, w = (v.view(-1, 1, 1) for v in (top, left, h, w))
    inside = (rows >= top) & (rows < top + h) & (columns >= left) & (columns < left + w)
    mask = (inside & chosen.view(-1, 1, 1)).unsqueeze(1)
    return torch.where(mask, x.mean((1, 2, 3), keepdim=True), x)


def mixup(
    x: Tensor, target_probs: Tensor, alpha: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Mix a batch with itself (Zhang et al. 2018, https://arxiv.org/abs/1710.09412).

    target_probs: float32 ``(B, K)``. One weight for the batch, drawn from Beta(alpha, alpha).
    """
    # Beta as a ratio of Gamma draws would need a generator that torch.distributions cannot take;
    # Joehnk's method needs uniform draws only and suits the small alphas used here.
    while True:
        u, v = (torch.rand(2, generator=generator) ** (1 / alpha)).tolist()
        if 0 < u + v <= 1:
            break
    weight = u / (u + v)
    order = torch.randperm(len(x), generator=generator)
    return (
        weight * x + (1 - weight) * x[order],
        weight * target_probs + (1 - weight) * target_probs[order],
    )
