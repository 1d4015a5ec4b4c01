"""What one face and other modalities say together over a clip: a timeline, who moved it by how
much, and when who disagreed. In bounded space, as :mod:`fer_cbam.video.timeline`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_cbam.modalities import Joined
from fer_cbam.video.timeline import Timeline, TimelinePoint

PAUSE = 1.0  # seconds for which a disagreement may rest and go on as the same
MOST = 300  # disagreements that are kept with their times


@dataclass(frozen=True)
class JointPoint(TimelinePoint):
    """moved: of each modality, what it added to the log probability of the label that is most
    probable here: with it that label is ``exp(moved)`` times as probable as without it."""

    moved: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str | None:
        """The most probable label; None where the face was not seen."""
        return max(self.probs, key=self.probs.__getitem__) if self.probs else None


@dataclass(frozen=True)
class Disagreement:
    """said: who is sure of what, such as ``face: happiness, voice: sadness``. begin, end: the
    times of its first and last frame, in seconds."""

    said: str
    begin: float
    end: float


class Joint:
    """Collects :class:`Joined` moments of a face. max_points: of its timeline."""

    def __init__(self, max_points: int) -> None:
        self._probs = Timeline(max_points=max_points)
        self._moved = Timeline(max_points=max_points)
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._frames: Counter[str] = Counter()
        self._disagreed: list[Disagreement] = []

    def add(self, time: float, joined: Joined) -> None:
        """One row. time: seconds, not running backwards."""
        labels, probs = joined.label_names, joined.probs[0]
        self._probs.add(time, dict(zip(labels, probs.tolist(), strict=True)))
        self._moved.add(time, {
            _key(name, label): float(value)
            for name, moved in joined.moved.items()
            for label, value in zip(labels, moved[0], strict=True)
        })  # fmt: skip
        if sum(not np.isnan(said[0, 0]) for said in joined.said.values()) > 1:
            top = int(probs.argmax())
            for name, moved in joined.moved.items():
                self._sums[name] += abs(float(moved[0, top]))
        if joined.disagree[0]:
            self._note(time, joined.in_words(0))

    def points(self) -> list[JointPoint]:
        """The timeline: means of probabilities, and of what each modality added."""
        return [
            self._point(point, moved.probs)
            for point, moved in zip(self._probs.points(), self._moved.points(), strict=True)
        ]

    def influence(self) -> dict[str, float]:
        """Modality -> its share, in [0, 1], of what moved the joint answer where several spoke: the
        size of what it added to the log probability of that answer, over that of all. Empty where
        several never spoke, or nothing moved."""
        total = sum(self._sums.values())
        return {name: value / total for name, value in self._sums.items()} if total > 0 else {}

    def shares(self, frames: int) -> dict[str, float]:
        """Who was sure of what -> share of so many frames, the largest first."""
        return {said: count / frames for said, count in self._frames.most_common()}

    def disagreements(self) -> Sequence[Disagreement]:
        """In order of their begin, the first ``MOST``."""
        return tuple(self._disagreed)

    def _note(self, time: float, said: str) -> None:
        self._frames[said] += 1
        last = self._disagreed[-1] if self._disagreed else None
        if last is not None and last.said == said and time - last.end <= PAUSE:
            self._disagreed[-1] = Disagreement(said, last.begin, time)
        elif len(self._disagreed) < MOST:
            self._disagreed.append(Disagreement(said, time, time))

    @staticmethod
    def _point(point: TimelinePoint, moved: Mapping[str, float] | None) -> JointPoint:
        label = JointPoint(point.time, point.probs).label
        if label is None or moved is None:
            return JointPoint(point.time, None)
        suffix = _key("", label)
        added = {key.removesuffix(suffix): value
                 for key, value in moved.items() if key.endswith(suffix)}  # fmt: skip
        return JointPoint(point.time, point.probs, added)


def _key(name: str, label: str) -> str:
    """A modality and a label as one key: names of modalities hold no tab."""
    return f"{name}\t{label}"
