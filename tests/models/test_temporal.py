"""The recurrent networks: against PyTorch's own cells, step by step, and in both directions."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from fer_cbam.models.temporal import Cell, FerCbamRecurrent

NAMES = ("fer_cbam_gru", "fer_cbam_lstm")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def create(name: str, **more) -> FerCbamRecurrent:
    model = timm.create_model(name, **{"in_features": 40, "width": 12, "hidden_size": 16, **more})
    nn.init.normal_(model.fc.weight)
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
def test_small_enough_for_every_frame(name):
    for both in (False, True):
        model = timm.create_model(name, bidirectional=both)
        assert sum(p.numel() for p in model.parameters()) < 300_000
    assert model(torch.zeros(2, 3, 336), torch.zeros(2, 3)).shape == (2, 3, 8)


@pytest.mark.parametrize(("kind", "own"), [("gru", nn.GRUCell), ("lstm", nn.LSTMCell)])
def test_without_fading_a_cell_is_torch_s(kind, own):
    cell, reference = Cell(5, 7, kind), own(5, 7)
    cell.input.load_state_dict({"weight": reference.weight_ih, "bias": reference.bias_ih})
    cell.recurrent.load_state_dict({"weight": reference.weight_hh, "bias": reference.bias_hh})
    state = torch.randn(3, cell.state_size)
    x = torch.randn(3, 5)
    got = cell.step(cell.from_input(x), torch.zeros(3), state)
    if kind == "gru":
        expected = reference(x, state)
    else:
        expected = torch.cat(reference(x, tuple(state.chunk(2, 1))), 1)
    torch.testing.assert_close(got, expected)


def test_a_state_fades_with_the_seconds():
    cell = Cell(2, 3, "gru")
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)  # then half of the state is kept, and nothing is new
    state = torch.ones(2, 3)
    got = cell.step(cell.from_input(torch.zeros(2, 2)), torch.tensor([0.0, 2.0]), state)
    # softplus(0) = ln 2 a second: a quarter is left after two.
    torch.testing.assert_close(got, torch.tensor([[0.5] * 3, [0.125] * 3]))


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_the_whole(name):
    model = create(name)
    x, seconds = torch.randn(3, 9, 40), torch.rand(3, 9)
    whole, state, steps = model(x, seconds), None, []
    for t in range(9):
        logits, state = model.step(x[:, t], seconds[:, t], state)
        steps.append(logits)
    torch.testing.assert_close(torch.stack(steps, 1), whole)


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_later_changes_nothing(name):
    model = create(name)
    x, seconds = torch.randn(1, 9, 40), torch.rand(1, 9)
    other = x.clone()
    other[:, 5:] += 1
    same = (model(x, seconds) == model(other, seconds)).all(2)[0]
    assert same.tolist() == [True] * 5 + [False] * 4


def test_bidirectional_reads_backwards_too():
    model = create("fer_cbam_gru", bidirectional=True)
    x, seconds = torch.randn(1, 6, 40), torch.rand(1, 6)
    other = x.clone()
    other[:, 5] += 1
    assert (model(x, seconds) != model(other, seconds)).any(2).all()
    # What is filled up behind the end is no frame.
    longer = torch.cat([x, torch.randn(1, 3, 40)], 1)
    valid = torch.arange(9)[None] < 6
    filled = model(longer, torch.cat([seconds, torch.zeros(1, 3)], 1), valid)
    torch.testing.assert_close(filled[:, :6], model(x, seconds))
    with pytest.raises(ValueError, match="expected a whole clip"):
        model.step(x[:, 0], seconds[:, 0])


def test_untrained_it_tells_what_the_frame_says():
    """With nothing learnt the answer is in the order of the frame's own probabilities."""
    model = timm.create_model("fer_cbam_gru", in_features=40).eval()
    x = torch.randn(2, 5, 40)
    logits = model(x, torch.rand(2, 5))
    assert (logits.argsort(2) == x[..., :8].argsort(2)).all()


def test_no_other_cell():
    with pytest.raises(ValueError, match="cell 'rnn'; expected one of gru, lstm"):
        FerCbamRecurrent(cell="rnn")
