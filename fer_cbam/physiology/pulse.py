"""Heart rate from the colour of a face: POS, "plane orthogonal to skin".

Wang, den Brinker, Stuijk and de Haan, "Algorithmic Principles of Remote PPG", IEEE TBME 2017,
https://doi.org/10.1109/TBME.2016.2609282, section IV. How sure it is: the power at the rate and its
first harmonic against the rest of the band, as in de Haan and Jeanne 2013,
https://doi.org/10.1109/TBME.2013.2266196. Below ``QUIET`` no rate is given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WINDOW = 1.6  # seconds of POS's own window
LONGEST = 20.0  # seconds that a rate is of
SHORTEST = 8.0  # seconds; a rate of 60 then has eight beats
LOWEST_RATE = 12.0  # frames a second
LONGEST_GAP = 0.5  # seconds without the face
BAND = (0.7, 3.0)  # hertz: 42 to 180 beats a minute
HALF_WIDTH = 0.1  # hertz on either side of the rate, and of its harmonic, that count as the pulse
QUIET = 3.0  # dB, see `Pulse.quality`: twice the power of all else
STEP = 5.0  # seconds from rate to rate
MOST = 720  # rates that are kept of a face: an hour's
CAUTION = ("A pulse from a picture: an estimate that light, motion and the coding of a clip "
           "disturb; no medical device.")  # fmt: skip


@dataclass(frozen=True)
class Pulse:
    """time: the middle, seconds. bpm: beats a minute, or None where it cannot be told. quality: in
    dB, power of the pulse over that of the rest of the band. reason: in words, why there is no
    rate."""

    time: float
    bpm: float | None
    quality: float | None = None
    reason: str = ""


class PulseFinder:
    """The heart rate of one face over time: a rate each ``STEP`` seconds, from up to ``LONGEST``
    seconds before. Memory does not grow with the clip: the first ``MOST`` rates are kept."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Floats]] = deque()
        self._found: list[Pulse] = []
        self._next: float | None = None  # when a rate is due

    def add(self, time: float, colour: Floats | None) -> None:
        """time: seconds, not running backwards. colour: of :func:`skin_colour`."""
        if colour is None or len(self._found) >= MOST:
            return
        if self._seen and time - self._seen[-1][0] > LONGEST_GAP:
            # What lies before a loss cannot be joined to what comes after it.
            self._finish()
            self._seen.clear()
            self._next = None
        if self._next is None:
            self._next = time + LONGEST
        self._seen.append((time, colour))
        if time >= self._next:
            self._ask()
            self._next += STEP
        while self._seen[0][0] < time - LONGEST:
            self._seen.popleft()

    def pulses(self) -> list[Pulse]:
        """What was found. A stretch too short for a rate each ``STEP`` seconds gives one, and one
        that is too short for any says so."""
        self._finish()
        return list(self._found)

    def _finish(self) -> None:
        """A stretch that ends before its first rate was due gives what it can."""
        if self._seen and self._next is not None and not self._asked_in_stretch():
            self._ask()

    def _asked_in_stretch(self) -> bool:
        return bool(self._found) and self._found[-1].time >= self._seen[0][0]

    def _ask(self) -> None:
        times, colours = zip(*self._seen, strict=True)
        self._found.append(pulse_of(times, np.stack(colours)))


def skin_colour(image: np.ndarray, landmarks: np.ndarray) -> Floats | None:
    """Mean red, green and blue of both cheeks and the forehead, float64 ``(3,)``.

    image: RGB uint8 ``(H, W, 3)``. landmarks: ``(5, 2)``, right and left eye, nose, corners of the
    mouth, in pixels. None where there are too few pixels that are neither black nor burnt out.
    """
    eyes, mouth = landmarks[:2].astype(float), landmarks[3:].astype(float)
    across = eyes[1] - eyes[0]
    down = mouth.mean(0) - eyes.mean(0)
    mask = np.zeros(image.shape[:2], np.uint8)
    for corner, side in ((mouth[0], eyes[0]), (mouth[1], eyes[1])):
        outward = 0.12 * across * (1 if side is eyes[1] else -1)
        middle = side + 0.55 * (corner - side) + outward
        _box(mask, middle, 0.32 * across, 0.3 * down)
    _box(mask, eyes.mean(0) - 0.62 * down, 0.8 * across, 0.28 * down)
    rows, columns = np.nonzero(mask)
    pixels = image[rows, columns]
    good = (pixels.max(1) < 250) & (pixels.min(1) > 15)
    if good.sum() < 50:
        return None
    return np.asarray(pixels[good].mean(0), np.float64)


def pulse_of(times: npt.ArrayLike, colours: npt.ArrayLike) -> Pulse:
    """The heart rate in a stretch of up to ``LONGEST`` seconds.

    times: seconds ``(N,)``, in order. colours: ``(N, 3)``, of :func:`skin_colour`, NaN where there
    was none.
    """
    when, rgb = np.asarray(times, np.float64), np.asarray(colours, np.float64)
    whole = np.isfinite(rgb).all(1) if rgb.ndim == 2 else np.zeros(0, bool)
    when, rgb = when[whole], rgb[whole]
    middle = float((when[0] + when[-1]) / 2) if len(when) else 0.0
    reason = _unfit(when)
    if reason:
        return Pulse(middle, None, None, reason)
    rate = min(30.0, float(1 / np.median(np.diff(when))))
    grid = np.arange(when[0], when[-1], 1 / rate)
    even = np.stack([np.interp(grid, when, rgb[:, c]) for c in range(3)], 1)
    bpm, quality = spectral_peak(pos(even, rate), rate)
    if quality < QUIET:
        return Pulse(middle, None, quality, "no clear pulse: too dark, too much motion, or too "
                     "strongly compressed")  # fmt: skip
    return Pulse(middle, bpm, quality)


def pos(rgb: Floats, rate: float) -> Floats:
    """Colours ``(N, 3)`` at a steady rate -> the pulse wave ``(N,)``, of no unit."""
    size = max(4, round(WINDOW * rate))
    found = np.zeros(len(rgb))
    for start in range(len(rgb) - size + 1):
        part = rgb[start : start + size]
        scaled = part / part.mean(0)
        first = scaled[:, 1] - scaled[:, 2]
        second = scaled[:, 1] + scaled[:, 2] - 2 * scaled[:, 0]
        wave = first + first.std() / max(second.std(), 1e-12) * second
        found[start : start + size] += wave - wave.mean()
    return found


def spectral_peak(wave: Floats, rate: float) -> tuple[float, float]:
    """Beats a minute of the strongest rhythm of ``BAND``, and its quality in dB."""
    count = 1 << max(12, int(np.ceil(np.log2(len(wave)))) + 2)
    power = np.abs(np.fft.rfft((wave - wave.mean()) * np.hanning(len(wave)), count)) ** 2
    hertz = np.fft.rfftfreq(count, 1 / rate)
    band = (hertz >= BAND[0]) & (hertz <= BAND[1])
    if not power[band].any():
        return float("nan"), -np.inf
    peak = hertz[band][power[band].argmax()]
    near = np.abs(hertz - peak) <= HALF_WIDTH
    near |= np.abs(hertz - 2 * peak) <= 2 * HALF_WIDTH
    # The harmonic may lie above the band: both are compared up to twice its end.
    wide = (hertz >= BAND[0]) & (hertz <= min(2 * BAND[1], rate / 2))
    signal, noise = power[near & wide].sum(), power[~near & wide].sum()
    return float(60 * peak), float(10 * np.log10(signal / max(noise, 1e-30)))


def _unfit(times: Floats) -> str:
    if len(times) < 2 or times[-1] - times[0] < SHORTEST:
        seconds = times[-1] - times[0] if len(times) else 0.0
        return f"{seconds:.1f} s of a face; expected at least {SHORTEST:g} s"
    steps = np.diff(times)
    if 1 / np.median(steps) < LOWEST_RATE:
        return (f"{1 / np.median(steps):.0f} frames a second; expected at least "
                f"{LOWEST_RATE:g}")  # fmt: skip
    if steps.max() > LONGEST_GAP:
        return f"the face was lost for {steps.max():.1f} s"
    return ""


def _box(mask: np.ndarray, middle: Floats, across: Floats, down: Floats) -> None:
    """Fill a slanted box around its middle."""
    corners = [middle - across / 2 - down / 2, middle + across / 2 - down / 2,
               middle + across / 2 + down / 2, middle - across / 2 + down / 2]  # fmt: skip
    cv2.fillConvexPoly(mask, np.rint(corners).astype(np.int32), 1)
