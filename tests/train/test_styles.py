"""Mixed styles: hand-made cases, and NumPy's Fourier transform beside torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fer_cbam.models import FerCbam
from train import styles
from train.recipe import Augment, Recipe, RecipeError
from train.styles import mix_amplitudes, mix_style, mixed_styles


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def a_quarter_of_the_own(monkeypatch, order: list[int]) -> None:
    monkeypatch.setattr(styles.torch, "randperm", lambda *_, **__: torch.tensor(order))
    monkeypatch.setattr(
        torch.distributions.Beta, "sample", lambda self: torch.full(self.batch_shape, 0.25)
    )


def test_a_map_keeps_its_content_and_gets_a_quarter_of_its_style(monkeypatch):
    a_quarter_of_the_own(monkeypatch, [1, 0])
    # One channel each: mean 2 and 10, deviation (of n - 1) sqrt(2) and 4 times that.
    x = torch.tensor([[1.0, 3.0], [6.0, 14.0]]).view(2, 1, 1, 2)
    root = 2.0**0.5
    mean, std = 0.25 * 2 + 0.75 * 10, root * (0.25 + 0.75 * 4)
    expected = torch.tensor([mean - std / root, mean + std / root])
    torch.testing.assert_close(mix_style(x)[0, 0, 0], expected, rtol=1e-5, atol=1e-5)


def test_alike_maps_and_their_gradients_stay(generator):
    x = torch.rand(1, 3, 5, 5, generator=generator).repeat(4, 1, 1, 1).requires_grad_()
    mixed = mix_style(x)
    torch.testing.assert_close(mixed, x)
    # Were the styles not detached, the images that lend theirs would get some of the gradient.
    (gradient,) = torch.autograd.grad(mixed.sum(), x)
    torch.testing.assert_close(gradient, torch.ones_like(x))


@pytest.fixture
def network() -> FerCbam:
    torch.manual_seed(0)
    return FerCbam(channels=(4, 4, 8), depths=(1, 1, 1), hidden_size=0, block_drop_rate=0.0,
                   drop_rate=0.0, norm_last=False, pool_last=False)  # fmt: skip


def test_only_the_first_two_stages_of_a_model_that_trains_mix(network, generator, monkeypatch):
    seen = []
    monkeypatch.setattr(styles, "mix_style", lambda x: seen.append(tuple(x.shape)) or x)
    x = torch.rand(3, 1, 48, 48, generator=generator)
    with mixed_styles(network, 1.0):
        network.eval()(x)
        assert seen == []
        network.train()(x)
        assert seen == [(3, 4, 48, 48), (3, 4, 24, 24)]
    network(x)
    assert len(seen) == 2


def test_a_stage_mixes_as_often_as_asked(monkeypatch):
    seen = []
    monkeypatch.setattr(styles, "mix_style", lambda x: seen.append(0) or x)
    model = nn.Module()
    model.stages = nn.Sequential(nn.Identity())
    torch.manual_seed(0)
    with mixed_styles(model, 0.3):
        for _ in range(1000):
            model.stages(torch.zeros(1))
    assert 250 < len(seen) < 350


def test_a_network_without_stages_trains_without_styles():
    with mixed_styles(nn.Linear(1, 1), 0.0):
        pass


def test_amplitudes_are_another_images_and_phases_stay(generator, monkeypatch):
    # Soft contrast, so that nothing leaves [0, 1] and is cut.
    x = 0.5 + 0.05 * torch.randn(2, 1, 9, 8, generator=generator)
    monkeypatch.setattr(styles.torch, "randperm", lambda *_, **__: torch.tensor([1, 0]))
    monkeypatch.setattr(styles.torch, "rand", lambda n, **__: torch.full((n,), 0.5))
    mixed = mix_amplitudes(x, 0.6, generator)
    spectra = np.fft.fft2(x.double().numpy())
    amplitudes = 0.7 * np.abs(spectra) + 0.3 * np.abs(spectra[::-1])
    expected = np.fft.ifft2(amplitudes * np.exp(1j * np.angle(spectra))).real
    np.testing.assert_allclose(mixed.numpy(), expected, atol=1e-5)


def test_no_share_of_amplitudes_changes_nothing(generator):
    x = torch.rand(4, 1, 48, 48, generator=generator)
    torch.testing.assert_close(mix_amplitudes(x, 0.0, generator), x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("settings", [
    {"mixstyle": 1.5}, {"mixstyle": -0.1}, {"augment": Augment(amplitude=2.0)},
])  # fmt: skip
def test_more_than_all_or_less_than_none_is_refused(settings):
    with pytest.raises(RecipeError, match=r"(mixstyle|amplitude): .* expected a share in \[0, 1\]"):
        Recipe("line", schedule="constant", **settings)
