"""Histories as figures and costs read them."""

from __future__ import annotations

import pytest

from eval.history import read_history, run_history
from fer_cbam.errors import DataError

LINES = "epoch,train_loss,val_loss,seconds\n1,2.0,1.9,3\n2,1.0,1.5,3\n"


def test_a_run_has_the_history_it_has(tmp_path):
    assert run_history(tmp_path) is None
    (tmp_path / "history.csv").write_text(LINES)
    assert run_history(tmp_path)["val_loss"].tolist() == [1.9, 1.5]


def test_what_is_no_history_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_history(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"expected epoch and seconds"):
        read_history(tmp_path / "a.csv")
