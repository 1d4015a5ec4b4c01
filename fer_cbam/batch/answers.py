"""A task -> its rows: the recogniser of one process, around which every engine is put."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import cv2

from fer_cbam.backends.open import open_backend
from fer_cbam.batch.ahead import read_ahead
from fer_cbam.batch.archives import parquet_images, tar_images
from fer_cbam.batch.clips import add_clip
from fer_cbam.batch.inputs import error_kind, may_pass
from fer_cbam.batch.jobs import weights_digest
from fer_cbam.batch.rows import Place, Rows, as_stream, schema
from fer_cbam.batch.storage import read_bytes
from fer_cbam.batch.tasks import PARQUET, TAR, VIDEO, Answer, Input, Key, Settings, Task
from fer_cbam.detect import face_detector
from fer_cbam.errors import WeightsError
from fer_cbam.images import decode_image
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.types import AlignedFace
from fer_cbam.words.cautions import cautions

if TYPE_CHECKING:
    import pyarrow as pa

GATHERED = 256  # faces, of different images, before the network is asked: few calls have blanks
ANSWER_IMAGES = 256  # of one answer
READ_AHEAD = 4  # images whose bytes are fetched while another is searched


class TaskRecognizer:
    """Answers tasks. One thread does all of it, but for reading ahead: a process a core is faster
    than threads that wait for each other.

    Raises:
        WeightsError: weights that are not there, or not those of the settings.
        BackendError: as `EmotionRecognizer.from_pretrained`.
    """

    def __init__(self, settings: Settings) -> None:
        _one_thread(settings.backend)
        if weights_digest(settings.weights) != settings.digest:
            raise WeightsError(f"weights {settings.weights!r}: others than the run began with")
        backend = open_backend(settings.weights, settings.backend, settings.device, threads=1)
        self.recognizer = EmotionRecognizer(
            backend, face_detector(settings.backend), settings.prior
        )
        self.settings = settings
        self.schema: pa.Schema = schema(settings.label_names, settings.embedding)

    def __call__(self, task: Task) -> Iterator[Answer]:
        """The rows of a task, a few hundred images at a time, the last answer marked so."""
        again: list[str] = []
        column, held = self.settings.image_column, Answer()
        if task.careful:
            yield from self._one_by_one(task, again)
        else:
            images = chain.from_iterable(_images(i, column) for i in task.inputs)
            for answer in self._rows_of(read_ahead(images, READ_AHEAD), again):
                if held.done:
                    yield held
                held = answer
        # With its last rows, so that a part holds an image and says that it is done.
        ended = tuple(dict.fromkeys(item.source for item in task.inputs))
        yield replace(held, ended=ended, again=tuple(again), last=True)

    def _one_by_one(self, task: Task, again: list[str]) -> Iterator[Answer]:
        for item in task.inputs:
            yield Answer(at=(item.source, ""))  # to open it may be what ends a process
            for place, data in _images(item, self.settings.image_column):
                yield Answer(at=(place.source, place.member))
                yield from self._rows_of(iter([(place, data)]), again)

    def _rows_of(
        self, images: Iterator[tuple[Place, bytes | Exception | None]], again: list[str]
    ) -> Iterator[Answer]:
        """again: gets the sources that may be readable another time."""
        rows, done = Rows(self.schema), list[Key]()
        waiting: deque[_Looked] = deque()

        def found() -> Iterator[list[AlignedFace] | Exception]:
            for place, data in images:
                looked = self._look(place, data, rows)
                waiting.append(looked)
                yield looked.faces if looked.error is None else looked.error

        size = self.settings.call_size
        for result in self.recognizer.recognize_found(found(), GATHERED, call_size=size):
            looked = waiting.popleft()
            if result.error is not None:
                rows.add_error(looked.place, error_kind(result.error), in_words(result.error))
                if may_pass(result.error):
                    again.append(looked.place.source)
            elif not looked.noted:
                rows.add_faces(looked.place, result.recognitions, looked.cautions)
            done.append((looked.place.source, looked.place.member))
            if len(done) == ANSWER_IMAGES:
                yield Answer(as_stream(rows.taken()), tuple(done))
                done = []
        if done:
            yield Answer(as_stream(rows.taken()), tuple(done))

    def _look(self, place: Place, data: bytes | Exception | None, rows: Rows) -> _Looked:
        """Read and search an image. A clip is answered here and now: its frames are one input."""
        if isinstance(data, Exception):
            return _Looked(place, error=data)
        try:
            if data is None:
                add_clip(self.recognizer, rows, place.source, self.settings)
                return _Looked(place, noted=True)
            pixels = decode_image(data)
            place = replace(place, size=(pixels.shape[1], pixels.shape[0]))
            faces = self.recognizer.align(pixels, self.recognizer.detector.detect(pixels))
            return _Looked(place, faces, [cautions(pixels, found.face) for found in faces])
        except Exception as error:  # of whatever kind: it belongs to this image alone
            return _Looked(place, error=error)


@dataclass(frozen=True)
class _Looked:
    """An image that was read and searched, or why not. noted: its rows are made already."""

    place: Place
    faces: list[AlignedFace] = field(default_factory=list)
    cautions: list[tuple[str, ...]] = field(default_factory=list)
    error: Exception | None = None
    noted: bool = False


def _images(item: Input, column: str | None) -> Iterator[tuple[Place, bytes | Exception | None]]:
    """Content of each image of an input, or why there is none; None for a clip."""
    if "" in item.skip:
        return
    try:
        for member, data in _members(item, column):
            yield Place(item.source, member), data
    except Exception as error:  # of the file as a whole
        yield Place(item.source), error


def _members(item: Input, column: str | None) -> Iterator[tuple[str, bytes | Exception | None]]:
    if item.kind == TAR:
        yield from tar_images(item.source, set(item.skip))
    elif item.kind == PARQUET:
        yield from parquet_images(item.source, item.row_group or 0, column, set(item.skip))
    else:
        yield "", None if item.kind == VIDEO else read_bytes(item.source)


def in_words(error: Exception) -> str:
    """What an error says, or its name where it says nothing."""
    return str(error) or type(error).__name__


def _one_thread(backend: str) -> None:
    cv2.setNumThreads(1)
    if backend == "torch":
        import torch

        torch.set_num_threads(1)
