"""The faces of a clip, a frame every so many tenths of a second."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from fer_cbam.batch.rows import Place, Rows
from fer_cbam.batch.storage import is_url, open_binary
from fer_cbam.batch.tasks import Settings
from fer_cbam.detect.base import FaceDetector
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.types import AlignedFace
from fer_cbam.video.analysis import SEARCH_SIDE
from fer_cbam.video.clip import ClipReader
from fer_cbam.video.tracks import FORGET_AFTER, MAX_FACES, Memory, follow
from fer_cbam.words.cautions import cautions

FPS_UNKNOWN = 25.0  # where a clip declares none
GATHERED = 64  # faces, of different frames, before the network is asked
COPIED = 1 << 20  # bytes at once


def add_clip(recognizer: EmotionRecognizer, rows: Rows, source: str, settings: Settings) -> None:
    """A row for each face of the frames that are looked at, with the number of its track.

    An answer is that of its frame alone; nothing is smoothed over time.

    Raises:
        VideoError: no clip, or a damaged one without one whole frame.
        OSError: it cannot be read.
    """
    waiting: deque[tuple[Place, list[tuple[str, ...]]]] = deque()
    detector = _searching(recognizer.detector)
    made = Rows(rows.schema)  # all of them, or none
    with _local(source) as path, ClipReader(path) as reader:
        every = max(1, round(settings.video_every * (reader.fps or FPS_UNKNOWN)))

        def found() -> Iterator[list[AlignedFace] | Exception]:
            for frame in reader.frames(every, all_images=False):
                if frame.image is None:
                    continue
                height, width = frame.image.shape[:2]
                faces = detector.detect(frame.image)[:MAX_FACES]
                aligned = recognizer.align(frame.image, faces)
                place = Place(source, "", frame.number, frame.time, (width, height))
                waiting.append((place, [cautions(frame.image, face.face) for face in aligned]))
                yield aligned

        memory, last = Memory(), 0.0
        for result in recognizer.recognize_found(found(), GATHERED, call_size=settings.call_size):
            place, reasons = waiting.popleft()
            if result.error is not None:
                raise result.error
            time = place.time or 0.0
            tracked, memory = follow(
                memory, result.recognitions, time, recognizer.decision,
                forget_after=max(FORGET_AFTER, 2.5 * (time - last)),
            )  # fmt: skip
            last = time
            made.add_faces(place, result.recognitions, reasons, [face.track for face in tracked])
    rows.add_all(made)


def _searching(detector: FaceDetector) -> FaceDetector:
    """As the Video tab searches: a clip shows a face more than once."""
    return detector.limited_to(SEARCH_SIDE) if isinstance(detector, YuNetDetector) else detector


@contextmanager
def _local(source: str) -> Iterator[Path]:
    """A clip as a file here; one from elsewhere is removed afterwards."""
    if not is_url(source):
        with open_binary(source):  # says why not, where it cannot be read
            pass
        yield Path(source)
        return
    with tempfile.TemporaryDirectory() as folder, open_binary(source) as remote:
        path = Path(folder) / PurePosixPath(source).name
        with path.open("wb") as file:
            while block := remote.read(COPIED):
                file.write(block)
        yield path
