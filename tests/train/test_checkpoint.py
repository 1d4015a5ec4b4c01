"""Files of a run: whole or not there, and nobody else's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from fer_cbam.errors import FerError
from train import checkpoint
from train.checkpoint import load_checkpoint, save_array, save_checkpoint

IDENTITY = {"lr": 0.1, "augment": {"zoom": 0.2}, "seed": 1}


def test_what_is_saved_is_read(tmp_path):
    assert load_checkpoint(tmp_path, IDENTITY) is None
    save_checkpoint(tmp_path, {"identity": IDENTITY, "epoch": 3, "model": {"w": torch.ones(2)}})
    state = load_checkpoint(tmp_path, IDENTITY)
    assert state is not None and state["epoch"] == 3
    assert torch.equal(state["model"]["w"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_cut_while_writing_leaves_the_old_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, {"identity": IDENTITY, "epoch": 1})

    def cut(state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, {"identity": IDENTITY, "epoch": 2})
    state = load_checkpoint(tmp_path, IDENTITY)
    assert state is not None and state["epoch"] == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [({"lr": 0.2}, "lr"), ({"augment": {"zoom": 0.3}, "seed": 2}, "augment, seed"),
     ({"extra": 1}, "extra")],
)  # fmt: skip
def test_another_run_s_is_refused_with_what_differs(tmp_path, change, named):
    save_checkpoint(tmp_path, {"identity": IDENTITY, "epoch": 1})
    with pytest.raises(FerError, match=rf"another run \(different: {named}\); go on with what it"):
        load_checkpoint(tmp_path, {**IDENTITY, **change})


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Bad:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"identity": IDENTITY, "bad": Bad()}, tmp_path / "checkpoint.pt")
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(tmp_path, IDENTITY)


def test_arrays_are_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "maps.npy"
    save_array(path, np.arange(3))
    assert np.load(path).tolist() == [0, 1, 2] and list(path.parent.iterdir()) == [path]
