"""Random numbers for augmentation, from a generator that is passed in."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def uniform(generator: Generator, n: int, low: float, high: float) -> Tensor:
    """Float32 ``(n,)``, uniform in [low, high)."""
    return torch.rand(n, generator=generator) * (high - low) + low


def log_uniform(generator: Generator, n: int, low: float, high: float) -> Tensor:
    """Float32 ``(n,)`` in [low, high), the logarithm uniform; low above 0."""
    return uniform(generator, n, math.log(low), math.log(high)).exp()
