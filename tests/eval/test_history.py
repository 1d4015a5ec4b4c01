"""Histories as figures and costs read them."""

from __future__ import annotations

import pytest

from eval.history import read_history, run_history
from fer_cbam.errors import DataError

LINES = "epoch,train_loss,train_accuracy,{}seconds\n1,2.0,0.5,{}3\n2,1.0,0.6,{}3\n"
PLAIN = LINES.format("", "", "")
VALIDATED = LINES.format("val_loss,val_accuracy,", "1.9,0.4,", "1.5,0.7,")


def test_a_run_has_the_history_it_has(tmp_path):
    assert run_history(tmp_path) is None
    (tmp_path / "history.csv").write_text(VALIDATED)
    assert run_history(tmp_path)["val_loss"].tolist() == [1.9, 1.5]


def test_validation_of_the_run_that_was_repeated_stands_beside(tmp_path):
    (tmp_path / "watched").mkdir()
    (tmp_path / "history.csv").write_text(PLAIN)
    (tmp_path / "watched" / "history.csv").write_text(VALIDATED)
    history = run_history(tmp_path)
    assert history["watched_accuracy"].tolist() == [0.4, 0.7] and "val_loss" not in history


def test_what_is_no_history_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_history(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"expected epoch and seconds"):
        read_history(tmp_path / "a.csv")
