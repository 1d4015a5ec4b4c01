"""A CSV with a row for each frame and face.

Onset, apex and offset of an expression are known only when it is over. So rows are written as they
come, and completed when the file is closed, one after the other.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fer_cbam.video.episodes import Episode, EpisodeFinder
from fer_cbam.video.tracks import Tracked

COLUMNS = ("time_s", "frame", "track", "x1", "y1", "x2", "y2", "label", "confidence", "uncertain")
EPISODE_COLUMNS = ("expression", "onset_s", "apex_s", "offset_s")


class FaceTable:
    """Rows of ``COLUMNS``, one probability for each label, and ``EPISODE_COLUMNS``: the expression
    that the face is in the middle of (:mod:`fer_cbam.video.episodes`), if any. Use it in a ``with``
    block.

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
        self._finders: dict[int, EpisodeFinder] = {}

    def write(self, frame: int, time: float, faces: Sequence[Tracked]) -> None:
        """frame: its number, from 0. time: seconds."""
        for tracked in faces:
            prediction = tracked.recognition.prediction
            finder = self._finders.setdefault(tracked.track, EpisodeFinder())
            finder.add(time, prediction.probs)
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
        whole = self._part.with_name(f"{self._part.name}.whole")
        try:
            if kind is None:
                self._complete(whole)
                whole.replace(self.path)
        finally:
            for left in (self._part, whole):
                with suppress(FileNotFoundError):
                    left.unlink()

    def _complete(self, path: Path) -> None:
        """Copy the rows with their episodes behind them."""
        episodes = {str(track): finder.episodes() for track, finder in self._finders.items()}
        with (
            self._part.open(newline="", encoding="utf-8") as file,
            path.open("w", newline="", encoding="utf-8") as out,
        ):
            rows, written = csv.reader(file), csv.writer(out)
            written.writerow([*next(rows), *EPISODE_COLUMNS])
            for row in rows:
                written.writerow([*row, *_within(episodes[row[2]], float(row[0]))])


def _within(episodes: list[Episode], time: float) -> tuple[str, ...]:
    """The `EPISODE_COLUMNS` of a moment, seconds to a thousandth; empty between episodes."""
    half = 0.0005  # of the last digit that a row's time has
    for episode in episodes:
        if episode.onset - half <= time <= episode.offset + half:
            times = (episode.onset, episode.apex, episode.offset)
            return episode.label, *(f"{value:.3f}" for value in times)
    return ("",) * len(EPISODE_COLUMNS)
