"""Styles mixed between images, so that a network leans less on one data set's light and texture.

MixStyle: Zhou et al. 2021, "Domain generalization with MixStyle", https://arxiv.org/abs/2104.02008:
mean and standard deviation of each channel of an early feature map are taken for its style, and
half of the batches get theirs mixed with another image's.

Amplitudes: Xu et al. 2021, "A Fourier-based framework for domain generalization",
https://arxiv.org/abs/2105.11120: the amplitude spectrum of an image is taken for its style, the
phase for what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

ALPHA, EPS = 0.1, 1e-6  # of the Beta distribution, and of the variance: the paper's
STAGES = 2  # the first ones; behind later ones, the paper found, labels are mixed as well


@contextmanager
def mixed_styles(model: nn.Module, probability: float) -> Iterator[None]:
    """Inside, the first stages of a model that trains mix styles, each for itself, with
    ``probability`` at each batch. A model in eval mode, and its weights, are as ever.
    """

    def hook(module: nn.Module, inputs: Any, x: Tensor) -> Tensor:
        chosen = module.training and torch.rand(()) < probability
        return mix_style(x) if chosen else x

    with ExitStack() as stack:
        stages = cast(Any, model).stages[:STAGES] if probability else ()
        for stage in stages:
            stack.callback(stage.register_forward_hook(hook).remove)
        yield


def mix_style(x: Tensor) -> Tensor:
    """Feature maps ``(B, C, H, W)`` with the style of each mixed with that of another of the batch,
    by a weight from Beta(0.1, 0.1). No gradient flows through the styles.
    """
    variance, mean = torch.var_mean(x.detach(), (2, 3), keepdim=True)
    std = (variance + EPS).sqrt()
    concentration = torch.full((len(x), 1, 1, 1), ALPHA, device=x.device)
    weight = torch.distributions.Beta(concentration, concentration).sample().to(x.dtype)
    order = torch.randperm(len(x), device=x.device)
    new_mean = weight * mean + (1 - weight) * mean[order]
    new_std = weight * std + (1 - weight) * std[order]
    return (x - mean) / std * new_std + new_mean


def mix_amplitudes(x: Tensor, most: float, generator: Generator) -> Tensor:
    """Images ``(B, C, H, W)`` in [0, 1] with their amplitude spectrum mixed with another's of the
    batch, whose share is in [0, most]; the phase stays.
    """
    share = torch.rand(len(x), generator=generator).view(-1, 1, 1, 1) * most
    order = torch.randperm(len(x), generator=generator)
    spectrum = torch.fft.rfft2(x)
    amplitude = spectrum.abs()
    amplitude = (1 - share) * amplitude + share * amplitude[order]
    mixed = torch.polar(amplitude, spectrum.angle())
    return torch.fft.irfft2(mixed, s=x.shape[-2:]).clamp(0, 1)
