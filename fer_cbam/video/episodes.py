"""When a face begins to show an expression, shows it most, and no longer shows it.

Onset, apex and offset are the first crossing, the maximum and the last crossing of a smoothed
probability. At the threshold of one half no two expressions are shown at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

THRESHOLD = 0.5
SHORTEST = 0.15  # seconds; what is shorter is no expression but a wrong frame or two
LONGEST_DIP = 0.25  # seconds below the threshold that do not end an expression
MOST = 200  # episodes of a face; of more, the longest stay


@dataclass(frozen=True)
class Episode:
    """One expression of a face. onset, apex, offset: seconds. intensity: the smoothed probability
    at the apex, in [0, 1]. A face that comes or goes with an expression has its onset or offset
    there."""

    label: str
    onset: float
    apex: float
    offset: float
    intensity: float

    def to_dict(self, digits: int = 4) -> dict[str, Any]:
        """Its fields as plain values, seconds to a thousandth. digits: decimals of intensity."""
        times = {name: round(getattr(self, name), 3) for name in ("onset", "apex", "offset")}
        return {"label": self.label, **times, "intensity": round(self.intensity, digits)}


class EpisodeFinder:
    """Finds the episodes of one face, frame by frame, in bounded space."""

    def __init__(self) -> None:
        self._closed: list[Episode] = []
        self._open: Episode | None = None
        self._last: tuple[float, Mapping[str, float]] | None = None

    def add(self, time: float, probs: Mapping[str, float]) -> None:
        """The next frame. time: seconds, not running backwards. probs: smoothed."""
        shown = self._open
        if shown is not None and probs[shown.label] < THRESHOLD:
            self._close(replace(shown, offset=self._crossing(shown.label, time, probs)))
            shown = None
        label = max(probs, key=lambda name: probs[name])
        if shown is None and probs[label] >= THRESHOLD:
            onset = self._crossing(label, time, probs)
            shown = Episode(label, onset, time, time, probs[label])
        if shown is not None:
            shown = replace(shown, offset=time)
            if probs[shown.label] > shown.intensity:
                shown = replace(shown, apex=time, intensity=probs[shown.label])
        self._open = shown
        self._last = (time, probs)

    def episodes(self) -> list[Episode]:
        """All so far, in order; one that lasts ends with the last frame."""
        found = [*self._closed]
        if self._open is not None:
            _append(found, self._open)
        return [e for e in found if not _is_short(e)]

    def _close(self, episode: Episode) -> None:
        _append(self._closed, episode)
        # The last one may still be joined with the next.
        if len(self._closed) > MOST:
            self._closed.remove(min(self._closed[:-1], key=lambda e: e.offset - e.onset))

    def _crossing(self, label: str, time: float, probs: Mapping[str, float]) -> float:
        """When the probability crossed the threshold on its way from the last frame to this one."""
        if self._last is None:
            return time
        before, old = self._last
        change = probs[label] - old[label]
        if change == 0:
            return time
        share = (THRESHOLD - old[label]) / change
        return before + min(max(share, 0.0), 1.0) * (time - before)


def _append(episodes: list[Episode], episode: Episode) -> None:
    """Add one, joined with the last of its label where only a dip lies between."""
    while episodes and episodes[-1].label != episode.label and _is_short(episodes[-1]):
        episodes.pop()
    last = episodes[-1] if episodes else None
    if last and last.label == episode.label and episode.onset - last.offset <= LONGEST_DIP:
        higher = max(last, episode, key=lambda e: e.intensity)
        episodes[-1] = replace(higher, onset=last.onset, offset=episode.offset)
    else:
        episodes.append(episode)


def _is_short(episode: Episode) -> bool:
    return episode.offset - episode.onset < SHORTEST
