"""Small inputs for the tests of batches, and how their results are read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer_cbam.batch.jobs import settings_of
from fer_cbam.batch.rows import as_stream
from fer_cbam.batch.tasks import Settings

ASTRONAUT = Path(__file__).parents[2] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
WEIGHTS = "fer_cbam_tiny.ferplus"
KEY = [("source", "ascending"), ("member", "ascending"), ("frame", "ascending"),
       ("face", "ascending")]  # fmt: skip


def jpeg(side: int = 160, faces: int = 1, turn: int = 0) -> bytes:
    """So many astronauts side by side."""
    with Image.open(ASTRONAUT) as whole:
        face = whole.convert("RGB").crop((120, 0, 350, 230)).resize((side, side))
    pixels = np.hstack([np.roll(np.asarray(face), turn, 1)] * faces) if faces else None
    image = Image.fromarray(pixels) if faces else Image.new("RGB", (side, side), (90, 110, 130))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Seven files: two faces, one, one, none, a third of a picture, nothing, and no picture."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    (folder / "a.jpg").write_bytes(jpeg(faces=2))
    (folder / "b.jpg").write_bytes(jpeg(200))
    (folder / "more" / "c.jpg").write_bytes(jpeg(120))
    (folder / "d.jpg").write_bytes(jpeg(faces=0))
    (folder / "e.jpg").write_bytes(jpeg()[: len(jpeg()) // 3])
    (folder / "f.jpg").write_bytes(b"")
    (folder / "g.jpg").write_bytes(b"no picture at all")
    (folder / "notes.txt").write_text("left alone")
    return folder


@pytest.fixture(scope="session")
def settings() -> Settings:
    return settings_of(WEIGHTS, "onnx", "cpu")


def table_of(folder: Path) -> pa.Table:
    """All rows of a folder of results, sorted."""
    return pq.read_table(folder).replace_schema_metadata(None).sort_by(KEY).combine_chunks()


def same(a: Path, b: Path) -> bool:
    """Whether two folders hold the same rows, to the byte."""
    return as_stream(table_of(a)) == as_stream(table_of(b))
