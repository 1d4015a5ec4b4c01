"""Cross-modal attention: what it may and may not depend on, and its arithmetic against torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from fer_cbam.models.fusion import CrossModalAttention, TimeEncoding, _Round, leave_one_out

WIDTHS = {"face": 5, "voice": 3}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CrossModalAttention(WIDTHS, 4, dim=16, depth=2, dropout=0.1).eval()


def batch(size: int = 3, length: int = 6, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    tokens = {m: torch.randn(size, length, d, generator=rng) for m, d in WIDTHS.items()}
    times = {m: torch.arange(length).expand(size, -1) / 5 - 0.5 for m in WIDTHS}
    present = {m: torch.ones(size, length, dtype=torch.bool) for m in WIDTHS}
    return tokens, times, present


def test_times_are_encoded_by_sines_of_their_periods():
    encoding = TimeEncoding(4, shortest=1.0, longest=10.0)
    got = encoding(torch.tensor([[0.0, 0.25, 10.0]]))[0]
    for row, t in zip(got, (0.0, 0.25, 10.0), strict=True):
        angles = [2 * math.pi * t / period for period in (1.0, 10.0)]
        expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        torch.testing.assert_close(row, torch.tensor(expected), atol=1e-5, rtol=0)


def test_a_round_reads_as_torchs_multi_head_attention():
    torch.manual_seed(1)
    step = _Round(16, 4, 0.0).eval()
    query, keys = torch.randn(2, 1, 16), torch.randn(2, 7, 16)
    seen = torch.rand(2, 7) > 0.3
    reference = nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([step.to_query.weight, step.to_keys.weight]))
        reference.in_proj_bias.copy_(torch.cat([step.to_query.bias, step.to_keys.bias]))
        reference.out_proj.load_state_dict(step.out.state_dict())
        normed = step.norm_keys(keys)
        read, _ = reference(step.norm_query(query), normed, normed, key_padding_mask=~seen)
        expected = query + read
        expected = expected + step.mlp(expected)
        torch.testing.assert_close(step(query, keys, seen), expected, atol=1e-5, rtol=1e-5)


def test_what_is_not_present_changes_nothing(network):
    tokens, times, present = batch()
    present["voice"][:, 4:] = False
    before = network(tokens, times, present)
    tokens["voice"][:, 4:] = 100
    times["voice"] = times["voice"].clone()
    times["voice"][:, 4:] = -7
    torch.testing.assert_close(network(tokens, times, present), before)


def test_order_within_a_modality_is_told_by_the_times_alone(network):
    tokens, times, present = batch()
    before = network(tokens, times, present)
    turn = torch.tensor([3, 1, 5, 0, 2, 4])
    turned = [{m: x[:, turn] for m, x in part.items()} for part in (tokens, times, present)]
    torch.testing.assert_close(network(*turned), before, atol=1e-5, rtol=1e-5)
    other = network(tokens, {m: t * 3 for m, t in times.items()}, present)
    assert (other - before).abs().max() > 1e-3


def test_a_modality_left_out_is_one_of_which_nothing_is_present(network):
    tokens, times, present = batch()
    absent = {**present, "voice": torch.zeros_like(present["voice"])}
    alone = network(*({"face": part["face"]} for part in (tokens, times, present)))
    torch.testing.assert_close(network(tokens, times, absent), alone)


def test_a_window_without_tokens_gets_the_querys_own_answer(network):
    tokens, times, _ = batch()
    nothing = {m: torch.zeros(3, 6, dtype=torch.bool) for m in WIDTHS}
    got = network(tokens, times, nothing)
    assert torch.isfinite(got).all()
    torch.testing.assert_close(got[0], got[2])


def test_dropping_leaves_one_modality_of_those_that_are_there():
    torch.manual_seed(0)
    network = CrossModalAttention(WIDTHS, 4, dim=16, modality_dropout=0.9)
    present = {m: torch.ones(400, 2, dtype=torch.bool) for m in WIDTHS}
    present["face"][:100] = False
    kept = network._dropped(present)
    seen = torch.stack([kept[m].any(1) for m in WIDTHS], 1)
    assert seen.any(1).all()
    assert not seen[:100, 0].any()  # what is not there is never brought back
    both = seen[100:].all(1).float().mean()
    assert 0.0 < both < 0.1  # a tenth of a tenth, and the luckier one
    assert 0.4 < seen[100:, 0].float().mean() < 0.7


def test_leave_one_out_is_the_difference_of_log_probabilities(network):
    tokens, times, present = batch()
    with torch.no_grad():
        logits, moved = leave_one_out(network, tokens, times, present)
        alone = network(*({"face": part["face"]} for part in (tokens, times, present)))
        expected = logits.log_softmax(1) - alone.log_softmax(1)
    torch.testing.assert_close(moved["voice"], expected)
    assert set(moved) == set(WIDTHS)


@pytest.mark.parametrize(
    ("name", "width", "words"),
    [("smell", 5, "expected one or more of face, voice"), ("face", 4, "4 numbers; expected 5")],
)
def test_unknown_modalities_and_widths_are_refused(network, name, width, words):
    parts = {name: torch.zeros(1, 2, width)}
    ok = {name: torch.ones(1, 2, dtype=torch.bool)}
    with pytest.raises(ValueError, match=words):
        network(parts, {name: torch.zeros(1, 2)}, ok)


def test_it_learns_which_modality_to_believe():
    """The voice is right where the face is noise, and a token says which is which."""
    from train.fusion.attention import Settings, Windows, fit_attention, log_probs

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    clear = rng.random(600) < 0.5
    signal = (2 * y - 1)[:, None]
    face = np.concatenate([np.where(clear[:, None], signal, rng.choice((-1, 1), (600, 1))),
                           clear[:, None] * 2 - 1], 1)  # fmt: skip
    voice = np.concatenate([np.where(clear[:, None], rng.choice((-1, 1), (600, 1)), signal),
                            clear[:, None] * 2 - 1], 1)  # fmt: skip
    tokens = {"face": face, "voice": voice}
    windows = Windows(
        {m: torch.from_numpy(x).float()[:, None] for m, x in tokens.items()},
        {m: torch.zeros(600, 1) for m in tokens},
        {m: torch.ones(600, 1, dtype=torch.bool) for m in tokens},
        torch.eye(2)[torch.from_numpy(y)],
    )
    settings = Settings(
        epochs=12, batch_size=50, lr=5e-3, dim=16, dropout=0.0, modality_dropout=0.1
    )
    network = fit_attention(windows[torch.arange(400)], settings, seed=0)
    rest = windows[torch.arange(400, 600)]
    hits = (log_probs(network, rest).argmax(1) == rest.target_probs.argmax(1)).float().mean()
    assert hits > 0.95  # either modality alone is right in three of four
