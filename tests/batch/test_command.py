"""``fer-cbam batch``: what it says, and how it ends."""

from __future__ import annotations

import pytest

from fer_cbam import cli
from fer_cbam.batch import run as run_module
from tests.batch.conftest import WEIGHTS, table_of


def arguments(photos, out, *more):
    return ["batch", str(photos), "--out", str(out), "--weights", WEIGHTS, "--backend", "onnx",
            "--processes", "1", *more]  # fmt: skip


def test_it_says_what_became_of_all(photos, tmp_path, capsys):
    assert cli.main(arguments(photos, tmp_path / "out", "--embedding")) == 0
    said = capsys.readouterr().err
    assert "7 files" in said or "7/7" in said
    assert "4 faces, 1 without a face, 3 failed" in said and "  1 empty" in said
    assert "1 files were left alone" in said
    faces = [row for row in table_of(tmp_path / "out").to_pylist() if row["face"] is not None]
    assert len({len(row["embedding"]) for row in faces}) == 1 and len(faces[0]["embedding"]) > 10


def test_stopped_by_hand(photos, tmp_path, capsys, monkeypatch):
    real = run_module._Ledger.add

    def add(ledger, answer):
        real(ledger, answer)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module._Ledger, "add", add)
    assert cli.main(arguments(photos, tmp_path / "out", "--quiet")) == 130
    assert capsys.readouterr().err.endswith("the same command goes on where it was\n")
    assert len(table_of(tmp_path / "out")) == 8  # what was answered is written


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--video-every", "never"], "seconds above 0"), (["--processes", "0"], "from 1 up")],
)
def test_wrong_arguments(photos, tmp_path, capsys, more, said):
    with pytest.raises(SystemExit) as error:
        cli.main(arguments(photos, tmp_path / "out", *more))
    assert error.value.code == 2 and said in capsys.readouterr().err
