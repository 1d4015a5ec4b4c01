"""What happens in a clip that is made from stills, and what is true at each of its frames.

Some faces are held for a while one after the other: one replaces the other at once (a cut) or fades
into it. Meanwhile head and camera move, the light changes, something passes by in front of the
face, eyes blink, and frames are late or dropped. Everything is drawn from the generator that is
passed in, a clip in less than a millisecond.

Lengths are in sides of the crop that the recogniser would cut, so that they mean the same at every
size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRAME_RATES = (5.0, 8.0, 10.0, 12.0, 15.0, 25.0, 30.0, 60.0)
MAX_SECONDS, MAX_FRAMES = 5.0, 75
STILL_CLIPS = 0.25  # share of the clips in which one face is held throughout
SHORTEST_HOLD, MEAN_HOLD = 0.8, 2.0  # seconds
SAME_LABEL = 0.3  # share of the changes that lead to another face of the same label
CUTS = 0.35  # share of the changes that are cuts
FADES = (0.15, 0.8)  # seconds of the others


@dataclass(frozen=True, eq=False)
class Scene:
    """One clip of T frames that shows S stills.

    times: float64 ``(T,)``, seconds. stills: int ``(S,)``, positions of the stills, in the order in
    which they are shown. shares: float32 ``(T, S)``, of each in the picture, rows summing to 1.
    changes: float64 ``(S - 1,)``, seconds of the middle of each cut or fade.

    shift: ``(T, 2)``, of the face from the middle, right and down. scale, roll, yaw: ``(T,)``, a
    factor, radians, radians. smear: ``(T, 2)``, how far the face moves while the shutter is open.
    focus: ``(T,)``, standard deviation of the blur. light: ``(T,)``, a factor of the exposure.
    lids: ``(T,)``, how far the eyes are closed, in [0, 1]. cover: ``(T, 4)``, left, top, width and
    height of what passes by, from the middle of the picture; width 0 for nothing. cover_grey: its
    brightness, in [0, 255].

    size: pixels of the crop's side. photons: of a white pixel. quality: of JPEG.
    """

    times: np.ndarray
    stills: np.ndarray
    shares: np.ndarray
    changes: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    roll: np.ndarray
    yaw: np.ndarray
    smear: np.ndarray
    focus: np.ndarray
    light: np.ndarray
    lids: np.ndarray
    cover: np.ndarray
    cover_grey: float
    size: int
    photons: float
    quality: int

    def shown(self) -> np.ndarray:
        """Position in ``stills`` of the one that shows most at each frame, int ``(T,)``; in the
        very middle of a fade the new one."""
        found: np.ndarray = self.shares.shape[1] - 1 - self.shares[:, ::-1].argmax(axis=1)
        return found


def draw_scene(rng: np.random.Generator, labels: np.ndarray, weights: np.ndarray) -> Scene:
    """A clip of stills with these labels, int ``(N,)``; weights: how likely each is drawn."""
    times = frame_times(rng)
    starts = hold_starts(rng, times[-1])
    stills = draw_stills(rng, labels, weights, len(starts))
    shares = fade_shares(rng, times, starts)
    moved, smear = _movement(rng, times)
    bad = rng.random() < 0.3  # a camera that does everything worse
    return Scene(
        times, stills, shares, starts[1:],
        moved[:, :2], np.exp(moved[:, 2]) * np.exp(rng.normal(0, 0.05)), moved[:, 3],
        _turns(rng, times), smear,
        np.abs(wander(rng, times, 0.012 if bad else 0.006, 1.0)),
        np.exp(wander(rng, times, 0.2, 0.7)) * rng.choice([1.0, 1.0, 0.5, 0.25]),
        _blinks(rng, times), _passing(rng, times), rng.uniform(20, 200),
        int(np.exp(rng.uniform(np.log(44), np.log(96)))),
        float(np.exp(rng.uniform(np.log(150 if bad else 800), np.log(4000)))),
        int(rng.uniform(20, 60) if bad else rng.uniform(50, 95)),
    )  # fmt: skip


def frame_times(rng: np.random.Generator) -> np.ndarray:
    """Seconds of the frames of a clip, the first at 0: an uneven clock, single frames dropped, and
    now and then a gap."""
    rate = rng.choice(FRAME_RATES)
    n = int(min(MAX_SECONDS * rate, MAX_FRAMES))
    ticks = np.arange(n) / rate
    times = ticks + rng.uniform(-0.15, 0.15, n) / rate
    kept = rng.random(n) >= rng.choice([0.0, 0.0, 0.1, 0.25])
    if rng.random() < 0.25:
        start, length = rng.uniform(0, ticks[-1]), rng.uniform(0.2, 0.7)
        kept &= (ticks < start) | (ticks > start + length)
    kept[[0, -1]] = True
    chosen = times[kept]
    return np.asarray(chosen - chosen[0])


def hold_starts(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """When each face begins to be held, the first at 0."""
    starts = [0.0]
    if rng.random() >= STILL_CLIPS:
        while True:
            start = starts[-1] + SHORTEST_HOLD + rng.exponential(MEAN_HOLD - SHORTEST_HOLD)
            if start > seconds - SHORTEST_HOLD / 2:
                break
            starts.append(start)
    return np.array(starts)


def draw_stills(
    rng: np.random.Generator, labels: np.ndarray, weights: np.ndarray, count: int
) -> np.ndarray:
    """Positions of the faces that are shown one after the other, no two neighbours the same."""
    stills: list[int] = []
    for _ in range(count):
        allowed = np.ones(len(labels), bool)
        if stills:
            last = stills[-1]
            same = rng.random() < SAME_LABEL
            allowed = (labels == labels[last]) == same
            allowed[last] = False
            if not allowed.any():  # the only face of its label
                allowed = np.arange(len(labels)) != last
        share = np.where(allowed, weights, 0.0)
        stills.append(int(rng.choice(len(labels), p=share / share.sum())))
    return np.array(stills)


def fade_shares(rng: np.random.Generator, times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Share of each face in the picture, float32 ``(T, S)``."""
    arrived = [np.ones_like(times)]
    for i, change in enumerate(starts[1:], start=1):
        last = starts[i + 1] if i + 1 < len(starts) else np.inf
        room = 0.8 * min(change - starts[i - 1], last - change)  # fades do not overlap
        seconds = 0.0 if rng.random() < CUTS else min(rng.uniform(*FADES), room)
        passed = times - change
        arrived.append(
            np.clip(passed / seconds + 0.5, 0, 1) if seconds else (passed >= 0).astype(float)
        )
    gone = [*arrived[1:], np.zeros_like(times)]
    return np.stack(arrived, 1).astype(np.float32) - np.stack(gone, 1).astype(np.float32)


def wander(
    rng: np.random.Generator, times: np.ndarray, deviation: float, seconds: float
) -> np.ndarray:
    """A value that drifts about 0 and forgets itself in so many seconds: the Ornstein-Uhlenbeck
    process at these times, ``(T,)``."""
    kept = np.exp(-np.diff(times, prepend=times[0]) / seconds)
    noise = rng.normal(0, deviation, len(times))
    values = np.empty(len(times))
    value = noise[0]
    for i in range(len(times)):
        value = kept[i] * value + np.sqrt(1 - kept[i] ** 2) * noise[i] if i else value
        values[i] = value
    return values


def _movement(rng: np.random.Generator, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift, log scale and roll ``(T, 4)``, and the smear ``(T, 2)``."""
    shake = rng.choice([0.3, 1.0, 2.0])
    moved = np.stack([
        wander(rng, times, 0.04 * shake, 0.8), wander(rng, times, 0.03 * shake, 0.8),
        wander(rng, times, 0.03, 1.5), wander(rng, times, 0.09, 1.5),
    ], 1)  # fmt: skip
    moved[:, 3] += rng.normal(0, 0.06)
    speed = wander(rng, times, 1.0, 0.15), wander(rng, times, 1.0, 0.15)
    smear = np.stack(speed, 1) * 0.02 * shake
    for _ in range(rng.poisson(times[-1] / 5)):  # a jerk: much smear for a moment
        near = np.exp(-(((times - rng.uniform(0, times[-1])) / 0.12) ** 2))
        angle = rng.uniform(0, 2 * np.pi)
        direction = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.08, 0.25)
        smear += near[:, None] * direction
    return moved, smear


def _turns(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Radians by which the head is turned to a side ``(T,)``: a little always, now and then far."""
    yaw = wander(rng, times, 0.08, 1.5)
    for _ in range(rng.poisson(times[-1] / 6)):
        length = rng.uniform(0.3, 1.0)
        near = np.exp(-(((times - rng.uniform(0, times[-1])) / length) ** 2))
        yaw += near * rng.choice([-1, 1]) * rng.uniform(0.3, 0.75)
    return yaw


def _blinks(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """How far the eyes are closed: 15 blinks a minute of 0.1 to 0.3 seconds."""
    closed = np.zeros_like(times)
    for _ in range(rng.poisson(times[-1] / 4)):
        half = rng.uniform(0.05, 0.15)
        away = np.abs(times - rng.uniform(0, times[-1])) / half
        closed = np.maximum(closed, np.clip(1.5 - 1.5 * away, 0, 1))
    return closed


def _passing(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """What passes by in front of the face, ``(T, 4)``: in one clip of three something does."""
    cover = np.zeros((len(times), 4))
    if rng.random() < 0.33:
        size = rng.uniform(0.25, 0.7, 2)
        seconds, start = rng.uniform(0.4, 1.5), rng.uniform(0, times[-1])
        angle, aside = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        along = (times - start) / seconds * 2.4 - 1.2
        towards = np.array([np.cos(angle), np.sin(angle)])
        centre = along[:, None] * towards + aside * towards[::-1] * (1, -1)
        passing = np.abs(along) <= 1.2
        cover[passing, :2] = centre[passing] - size / 2
        cover[passing, 2:] = size
    return cover
