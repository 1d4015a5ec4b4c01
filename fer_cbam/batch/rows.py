"""The columns of a result, and how they are filled.

One row a face. An image without a face has one row without a box, and one that failed has one with
an error, so each image is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_cbam.types import Recognition

if TYPE_CHECKING:
    import pyarrow as pa

PIXEL_DIGITS, PROB_DIGITS = 2, 6
PROB = "prob_"  # before a label, the name of a column


@dataclass(frozen=True)
class Place:
    """Where a row comes from. member: of an archive, or the number of a row of a Parquet file.
    frame, time: of a clip, in seconds. size: width and height in pixels, where it was read."""

    source: str
    member: str = ""
    frame: int | None = None
    time: float | None = None
    size: tuple[int, int] | None = None


def schema(label_names: Sequence[str], embedding: bool = False) -> pa.Schema:
    """Names and types of the columns."""
    import pyarrow as pa

    columns = [
        ("source", pa.string()), ("member", pa.string()), ("frame", pa.int64()),
        ("time_s", pa.float64()), ("width", pa.int32()), ("height", pa.int32()),
        ("face", pa.int32()), ("track", pa.int32()),
        ("x1", pa.float32()), ("y1", pa.float32()), ("x2", pa.float32()), ("y2", pa.float32()),
        ("score", pa.float32()), ("landmarks", pa.list_(pa.float32())),
        ("label", pa.string()), ("confidence", pa.float32()), ("uncertain", pa.bool_()),
        ("no_face", pa.bool_()), ("cautions", pa.list_(pa.string())),
        *((PROB + label, pa.float32()) for label in label_names),
        *([("embedding", pa.list_(pa.float32()))] if embedding else []),
        ("error_kind", pa.string()), ("error", pa.string()),
    ]  # fmt: skip
    return pa.schema(columns)


class Rows:
    """Rows in the making. images: how many they are of."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._rows: list[dict[str, Any]] = []
        self.images = 0

    def add_faces(
        self,
        place: Place,
        recognitions: Sequence[Recognition],
        cautions: Sequence[Sequence[str]],
        tracks: Sequence[int] | None = None,
    ) -> None:
        """The faces of one image, or the row that says that there are none."""
        self.images += 1
        for number, recognition in enumerate(recognitions):
            row = {**_where(place), "face": number, **_face(recognition)}
            row["cautions"] = list(cautions[number])
            row["track"] = tracks[number] if tracks is not None else None
            row["embedding"] = recognition.embedding
            self._rows.append(row)
        if not recognitions:
            self._rows.append(_where(place))

    def add_error(self, place: Place, kind: str, error: str) -> None:
        """One image, clip, archive or folder that could not be read."""
        self.images += 1
        self._rows.append({**_where(place), "error_kind": kind, "error": error})

    def add_all(self, other: Rows) -> None:
        """Those of another, which must not be used any more."""
        self.images += other.images
        self._rows += other._rows

    def taken(self) -> pa.Table:
        """The rows so far, which are then forgotten."""
        import pyarrow as pa

        columns = {name: [row.get(name) for row in self._rows] for name in self.schema.names}
        table = pa.table(columns, schema=self.schema)
        self._rows, self.images = [], 0
        return table


def _where(place: Place) -> dict[str, Any]:
    width, height = place.size or (None, None)
    return {
        "source": place.source, "member": place.member or None, "frame": place.frame,
        "time_s": None if place.time is None else round(place.time, 3),
        "width": width, "height": height,
    }  # fmt: skip


def _face(recognition: Recognition) -> dict[str, Any]:
    """Box, landmarks and answer; of what is no face to the network there is no answer."""
    face, prediction = recognition.face, recognition.prediction
    box = [round(float(value), PIXEL_DIGITS) for value in face.box]
    values: dict[str, Any] = {
        **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
        "score": round(float(face.score), PROB_DIGITS),
        "landmarks": [round(float(value), PIXEL_DIGITS) for value in face.landmarks.ravel()],
        "no_face": prediction.no_face,
    }
    if prediction.no_face:
        return values
    probs = {PROB + label: round(float(p), PROB_DIGITS) for label, p in prediction.probs.items()}
    return values | probs | {
        "label": prediction.label, "uncertain": prediction.uncertain,
        "confidence": round(float(prediction.confidence), PROB_DIGITS),
    }  # fmt: skip


def as_stream(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def from_stream(data: bytes) -> pa.Table:
    """The table of an Arrow stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()
