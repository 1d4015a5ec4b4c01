"""The page about results says what lies there."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_cbam import cli
from fer_cbam.batch import recognize_dataset
from fer_cbam.batch.counts import read_counts
from fer_cbam.batch.report import write_report
from fer_cbam.batch.rows import schema
from fer_cbam.errors import BatchError
from tests.batch.conftest import WEIGHTS


@pytest.fixture(scope="module")
def results(tmp_path_factory, photos) -> Path:
    out = tmp_path_factory.mktemp("report") / "results.parquet"
    recognize_dataset(photos, out, weights=WEIGHTS, backend="onnx", processes=1)
    return out


def made_up(folder: Path) -> Path:
    """Three faces, an image without one, and a failure."""
    face = {"source": "a", "no_face": False, "cautions": ["dark"]}
    rows = [
        face | {"face": 0, "label": "anger", "confidence": 0.8, "uncertain": False,
                "prob_anger": 0.8, "prob_fear": 0.2},
        face | {"face": 1, "label": "fear", "confidence": 0.5, "uncertain": True,
                "prob_anger": 0.5, "prob_fear": 0.5},
        {"source": "b", "face": 0, "no_face": True, "cautions": []},
        {"source": "c"},
        {"source": "<d>", "error_kind": "empty", "error": "0 & no more"},
    ]  # fmt: skip
    folder.mkdir()
    table = pa.Table.from_pylist(rows, schema=schema(("anger", "fear")))
    pq.write_table(table, folder / "part-000001.parquet")
    return folder


def test_counts_by_hand(tmp_path):
    counts, examples = read_counts(made_up(tmp_path / "r"), 1)
    assert (counts.images, counts.faces, counts.none, counts.no_face) == (4, 3, 1, 1)
    assert dict(counts.said) == {"anger": 1, "fear": 1}
    assert (counts.uncertain["anger"], counts.uncertain["fear"]) == (0, 1)
    assert counts.expected == pytest.approx({"anger": 1.3, "fear": 0.7})
    assert counts.variance == pytest.approx({"anger": 0.41, "fear": 0.41})
    assert counts.confidences.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 1, 0]
    assert counts.cautions == {"dark": 2} and counts.failed == {"empty": 1}
    assert {label: len(found) for label, found in examples.items()} == {"anger": 1, "fear": 1}


def test_the_page_escapes_what_files_are_called(tmp_path):
    write_report(made_up(tmp_path / "r"), tmp_path / "r.html", 2)  # whose images are gone
    page = (tmp_path / "r.html").read_text()
    assert "&lt;d&gt;: 0 &amp; no more" in page and "<d>" not in page
    assert "1 ± 1" in page.replace("1.3", "1")
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page) and "<script" not in page


def test_the_command(results, photos, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert cli.main(["report", str(results), "--out", str(page), "--examples", "2"]) == 0
    assert capsys.readouterr().out == f"{page}: 7 images, 4 faces\n"
    text = page.read_text()
    assert 1 <= text.count("data:image/jpeg;base64,") <= 4
    assert WEIGHTS in text and "not a picture" in text
    assert cli.main(["report", str(results)]) == 0
    assert results.with_suffix(".html").is_file()


def test_a_folder_without_results(tmp_path, capsys):
    with pytest.raises(BatchError, match="no results"):
        write_report(tmp_path, tmp_path / "r.html")
    assert cli.main(["report", str(tmp_path)]) == 1
    assert "fer-cbam: " in capsys.readouterr().err
