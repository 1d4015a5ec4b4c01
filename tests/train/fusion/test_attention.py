"""Training of cross-modal attention: the seed decides all of it."""

from __future__ import annotations

import torch

from train.fusion.attention import Settings, Windows, fit_attention, log_probs

SETTINGS = Settings(epochs=2, batch_size=8, dim=8)


def windows(count: int = 30) -> Windows:
    rng = torch.Generator().manual_seed(0)
    tokens = {"face": torch.randn(count, 2, 3, generator=rng),
              "voice": torch.randn(count, 4, 2, generator=rng)}  # fmt: skip
    return Windows(
        tokens,
        {m: torch.zeros(x.shape[:2]) for m, x in tokens.items()},
        {m: torch.ones(x.shape[:2], dtype=torch.bool) for m, x in tokens.items()},
        torch.eye(3)[torch.arange(count) % 3],
    )


def test_a_seed_gives_the_same_network_and_leaves_the_global_state():
    state = torch.get_rng_state()
    first, second = (log_probs(fit_attention(windows(), SETTINGS, 1), windows()) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
    other = log_probs(fit_attention(windows(), SETTINGS, 2), windows())
    assert (other - first).abs().max() > 1e-3


def test_rows_and_modalities_can_be_chosen():
    some = windows()[torch.tensor([4, 0])].only(("voice",))
    assert len(some) == 2 and set(some.tokens) == set(some.times) == set(some.present) == {"voice"}
    torch.testing.assert_close(some.tokens["voice"][1], windows().tokens["voice"][0])


def test_log_probs_do_not_depend_on_the_batch():
    network = fit_attention(windows(), SETTINGS, 0)
    torch.testing.assert_close(log_probs(network, windows(), 7), log_probs(network, windows()))
