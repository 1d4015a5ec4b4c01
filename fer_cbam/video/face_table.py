"""A CSV with a row for each frame and face.

Onset, apex and offset of an expression are known only when it is over. So rows are written as they
come, and completed when the file is closed, one after the other.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fer_cbam.modalities import Joined
from fer_cbam.physiology.pulse import LONGEST, Pulse
from fer_cbam.video.episodes import Episode, EpisodeFinder
from fer_cbam.video.together import FACE, probs_of
from fer_cbam.video.tracks import Tracked

COLUMNS = ("time_s", "frame", "track", "x1", "y1", "x2", "y2", "label", "confidence", "uncertain")
TOGETHER, DISAGREE, PULSE = "together", "disagree", "pulse_bpm"
EPISODE_COLUMNS = ("expression", "onset_s", "apex_s", "offset_s")


class FaceTable:
    """Rows of ``COLUMNS``, one probability for each label, and ``EPISODE_COLUMNS``: the expression
    that the face is in the middle of (:mod:`fer_cbam.video.episodes`), if any. Use it in a ``with``
    block.

    Boxes in pixels of the clip, times in seconds, probabilities smoothed, ``uncertain`` 0 or 1, no
    label for what is no face. The file appears under its name when it is complete; a block that is
    left by an exception leaves none.

    beside: names of other modalities. With any, each has columns such as ``voice_label`` and
    ``voice_anger`` (empty where it says nothing), as have all ``together``; ``face_moved`` and
    ``voice_moved`` say what each added to the log probability of ``together_label``, and
    ``disagree`` who is sure of what, where that differs.

    pulses: asks for a column ``pulse_bpm``, and is a face's number -> its rates, to be filled
    before the table is closed.
    """

    def __init__(
        self, path: str | Path, labels: Sequence[str], beside: Sequence[str] = (),
        pulses: Mapping[int, Sequence[Pulse]] | None = None,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self.labels = tuple(labels)
        self.beside = tuple(beside)
        self.pulses = pulses
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._file = self._part.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        others = [f"{name}_{column}" for name in (*self.beside, *([TOGETHER] if beside else []))
                  for column in ("label", *self.labels)]  # fmt: skip
        if beside:
            others += [*(f"{name}_moved" for name in (FACE, *self.beside)), DISAGREE]
        self._rows.writerow([*COLUMNS, *self.labels, *others])
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
        top = int(joined.probs[0].argmax())
        moved = (f"{joined.moved[name][0, top]:.4f}" for name in (FACE, *self.beside))
        return [*cells, *moved, joined.in_words(0) if joined.disagree[0] else ""]

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
            pulse = [] if self.pulses is None else [PULSE]
            written.writerow([*next(rows), *EPISODE_COLUMNS, *pulse])
            for row in rows:
                time = float(row[0])
                rate = (
                    [] if self.pulses is None else [_rate(self.pulses.get(int(row[2]), ()), time)]
                )
                written.writerow([*row, *_within(episodes[row[2]], time), *rate])


def _rate(pulses: Sequence[Pulse], time: float) -> str:
    """Of the stretch whose middle is nearest, where it reaches so far; empty where none was
    found."""
    near = min(pulses, key=lambda pulse: abs(pulse.time - time), default=None)
    if near is None or near.bpm is None or abs(near.time - time) > LONGEST / 2:
        return ""
    return f"{near.bpm:.1f}"


def _within(episodes: list[Episode], time: float) -> tuple[str, ...]:
    """The `EPISODE_COLUMNS` of a moment, seconds to a thousandth; empty between episodes."""
    half = 0.0005  # of the last digit that a row's time has
    for episode in episodes:
        if episode.onset - half <= time <= episode.offset + half:
            times = (episode.onset, episode.apex, episode.offset)
            return episode.label, *(f"{value:.3f}" for value in times)
    return ("",) * len(EPISODE_COLUMNS)
