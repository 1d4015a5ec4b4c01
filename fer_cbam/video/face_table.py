"""A CSV with a row for each frame and face.

Onset, apex and offset of an expression are known only when it is over. So rows are written as they
come, and completed when the file is closed, one after the other.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fer_cbam.modalities import Joined
from fer_cbam.video.episodes import Episode, EpisodeFinder
from fer_cbam.video.together import probs_of
from fer_cbam.video.tracks import Tracked

COLUMNS = ("time_s", "frame", "track", "x1", "y1", "x2", "y2", "label", "confidence", "uncertain")
TOGETHER, DISAGREE = "together", "disagree"
EPISODE_COLUMNS = ("expression", "onset_s", "apex_s", "offset_s")


class FaceTable:
    """Rows of ``COLUMNS``, one probability for each label, and ``EPISODE_COLUMNS``: the expression
    that the face is in the middle of (:mod:`fer_cbam.video.episodes`), if any. Use it in a ``with``
    block.

    Boxes in pixels of the clip, times in seconds, probabilities smoothed, ``uncertain`` 0 or 1, no
    label for what is no face. The file appears under its name when it is complete; a block that is
    left by an exception leaves none.

    beside: names of other modalities. With any, each has columns such as ``voice_label`` and
    ``voice_anger`` (empty where it says nothing), as have all ``together``, and ``disagree`` says
    who is sure of what, where that differs.
    """

    def __init__(self, path: str | Path, labels: Sequence[str], beside: Sequence[str] = ()) -> None:
        self.path = Path(path)
        self.labels = tuple(labels)
        self.beside = tuple(beside)
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._file = self._part.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        others = [f"{name}_{column}" for name in (*self.beside, *([TOGETHER] if beside else []))
                  for column in ("label", *self.labels)]  # fmt: skip
        self._rows.writerow([*COLUMNS, *self.labels, *others, *([DISAGREE] if beside else [])])
        self._finders: dict[int, EpisodeFinder] = {}

    def write(
        self, frame: int, time: float, faces: Sequence[Tracked], joined: Sequence[Joined] = ()
    ) -> None:
        """frame: its number, from 0. time: seconds. joined: of each face, with what others say."""
        for number, tracked in enumerate(faces):
            prediction = tracked.recognition.prediction
            finder = self._finders.setdefault(tracked.track, EpisodeFinder())
            finder.add(time, prediction.probs)
            box = (f"{v:.1f}" for v in tracked.recognition.face.box)
            probs = (f"{prediction.probs[label]:.4f}" for label in self.labels)
            self._rows.writerow(
                [f"{time:.3f}", frame, tracked.track, *box,
                 "" if prediction.no_face else prediction.label,
                 f"{prediction.confidence:.4f}", int(prediction.uncertain), *probs,
                 *(self._of_others(joined[number]) if joined else ())]
            )  # fmt: skip

    def _of_others(self, joined: Joined) -> list[str]:
        cells: list[str] = []
        for row in (*(joined.said[name][0] for name in self.beside), joined.probs[0]):
            probs = probs_of(joined.label_names, row)
            cells.append("" if probs is None else max(probs, key=probs.__getitem__))
            cells += [f"{probs[label]:.4f}" if probs else "" for label in self.labels]
        return [*cells, joined.in_words(0) if joined.disagree[0] else ""]

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
