"""How the docs read the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_cbam.batch import recognize_dataset
from tests.batch.conftest import WEIGHTS
from tests.docs.test_examples import blocks

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"


def test_duckdb_reads_the_parts(photos, tmp_path, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    recognize_dataset(photos, "results.parquet", weights=WEIGHTS, backend="onnx", processes=1)
    (text,) = blocks(PAGE, "sql")
    faces, failed, happy = (
        duckdb.sql(query).fetchall() for query in text.split(";") if query.strip()
    )
    assert sum(row[1] for row in faces) == 4
    assert sorted(row[:2] for row in failed) == [
        ("damaged", 1), ("empty", 1), ("not a picture", 1),
    ]  # fmt: skip
    assert all(count > 1 for _, count in happy)
    python = next(code for code in blocks(PAGE, "python") if "pandas" in code)
    exec(python, values := {})
    assert len(values["faces"]) == 4
