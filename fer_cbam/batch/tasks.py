"""What one process is asked to do at a time, as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from fer_cbam.prior import Prior

IMAGE, TAR, PARQUET, VIDEO = "image", "tar", "parquet", "video"


@dataclass(frozen=True)
class Settings:
    """What decides the content of a row.

    weights, backend, device, prior: as in `EmotionRecognizer.from_pretrained`. digest: of the files
    of the weights, so that no other machine answers with others. embedding: whether rows have it.
    video_every: seconds between two frames of a clip. image_column: of Parquet files, None for the
    first that may be one. call_size: faces of one call of the network.
    """

    weights: str
    backend: str
    device: str
    digest: str
    label_names: tuple[str, ...]
    prior: Prior | None = None
    embedding: bool = False
    video_every: float = 0.5
    image_column: str | None = None
    call_size: int = 16

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        values = json.loads(text)
        return cls(**values | {"label_names": tuple(values["label_names"])})


@dataclass(frozen=True)
class Input:
    """A file, or some of it. kind: one of the names above. row_group: of a Parquet file. skip:
    members whose rows are there already; "" is the file as a whole."""

    source: str
    kind: str
    row_group: int | None = None
    skip: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """Inputs for one process. careful: image by image, each announced, so that the one that ends
    the process is known."""

    inputs: tuple[Input, ...]
    careful: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        values = json.loads(text)
        inputs = (Input(**item | {"skip": tuple(item["skip"])}) for item in values["inputs"])
        return cls(tuple(inputs), values["careful"])

    def without(self, done: Iterable[Key]) -> Task:
        """What is left of it, carefully."""
        members: dict[str, list[str]] = {}
        for source, member in done:
            members.setdefault(source, []).append(member)
        left = (
            replace(item, skip=(*item.skip, *members.get(item.source, ()))) for item in self.inputs
        )
        return Task(tuple(left), careful=True)


#: Source and member of an image; the member is "" for a file that is one image, or a clip.
Key = tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """Some of the rows of a task.

    rows: an Arrow stream. done: the images they are of. ended: the sources of the task, once it is
    done. again: of those, the ones that may be readable another time. at: in place of rows, the
    image that comes next (careful tasks). last: of the task.
    """

    rows: bytes = b""
    done: tuple[Key, ...] = ()
    ended: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    at: Key | None = None
    last: bool = False


def in_pieces(inputs: Iterator[Input], images: int) -> Iterator[Task]:
    """Tasks of so many images, or of one archive or clip."""
    waiting: list[Input] = []
    for item in inputs:
        if item.kind != IMAGE:
            yield Task((item,))
            continue
        waiting.append(item)
        if len(waiting) == images:
            yield Task(tuple(waiting))
            waiting = []
    if waiting:
        yield Task(tuple(waiting))
