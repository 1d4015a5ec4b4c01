"""A CSV with a row for each frame and face."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fer_cbam.video.tracks import Tracked

COLUMNS = ("time_s", "frame", "track", "x1", "y1", "x2", "y2", "label", "confidence", "uncertain")


class FaceTable:
    """Rows of ``COLUMNS`` and one probability for each label. Use it in a ``with`` block.

    Boxes in pixels of the clip, times in seconds, probabilities smoothed, ``uncertain`` 0 or 1, no
    label for what is no face. The file appears under its name when it is complete; a block that is
    left by an exception leaves none.
    """

    def __init__(self, path: str | Path, labels: Sequence[str]) -> None:
        self.path = Path(path)
        self.labels = tuple(labels)
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._file = self._part.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow([*COLUMNS, *self.labels])

    def write(self, frame: int, time: float, faces: Sequence[Tracked]) -> None:
        """frame: its number, from 0. time: seconds."""
        for tracked in faces:
            prediction = tracked.recognition.prediction
            box = (f"{v:.1f}" for v in tracked.recognition.face.box)
            probs = (f"{prediction.probs[label]:.4f}" for label in self.labels)
            self._rows.writerow(
                [f"{time:.3f}", frame, tracked.track, *box,
                 "" if prediction.no_face else prediction.label,
                 f"{prediction.confidence:.4f}", int(prediction.uncertain), *probs]
            )  # fmt: skip

    def __enter__(self) -> FaceTable:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            with suppress(FileNotFoundError):
                self._part.unlink()
