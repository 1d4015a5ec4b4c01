"""Heart rate variability and skin conductance, cleaned and searched by NeuroKit2 (extra
``physiology``; Makowski et al. 2021, https://doi.org/10.3758/s13428-020-01516-y).

Heart rate variability after the Task Force of the ESC and NASPE, 1996,
https://doi.org/10.1161/01.CIR.93.5.1043; skin conductance after Boucsein 2012.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_cbam.errors import SignalError
from fer_cbam.physiology.series import Series

Floats = npt.NDArray[np.float64]

SHORTEST = {"ecg": 10.0, "ppg": 10.0, "eda": 20.0}  # seconds
TRUSTED = 60.0  # seconds below which the variability of a heart is cautioned about
SHORTEST_BEAT, LONGEST_BEAT = 0.3, 2.0  # seconds between two beats: 200 to 30 a minute
JUMP = 0.3  # of an interval; more than that from its neighbours' median is a beat missed or made up


@dataclass(frozen=True)
class HeartRate:
    """bpm: mean, beats a minute. sdnn, rmssd: milliseconds. pnn50: share in [0, 1] of successive
    intervals that differ by more than 50 ms. beats: used. left_out: share of intervals that were
    no heart's. cautions: in words."""

    bpm: float
    sdnn: float
    rmssd: float
    pnn50: float
    beats: int
    left_out: float
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class SkinConductance:
    """level: mean tonic level, microsiemens. responses: a minute. amplitude: mean of a response,
    microsiemens, 0 without one. times: seconds of the responses' peaks."""

    level: float
    responses: float
    amplitude: float
    times: Floats
    cautions: tuple[str, ...] = ()


def heart_rate(signal: Series) -> HeartRate:
    """Of an ECG or a blood volume pulse (PPG).

    Raises:
        SignalError: another kind, too short, or no heartbeat in it.
        ImportError: NeuroKit2 is not installed.
    """
    if signal.kind not in ("ecg", "ppg"):
        raise SignalError(f"{signal.kind}; expected ecg or ppg", "kind")
    _check_length(signal)
    nk = _neurokit()
    rate = signal.rate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if signal.kind == "ecg":
            clean = nk.ecg_clean(signal.values, sampling_rate=rate)
            peaks = nk.ecg_peaks(clean, sampling_rate=rate)[1]["ECG_R_Peaks"]
        else:
            clean = nk.ppg_clean(signal.values, sampling_rate=rate)
            peaks = nk.ppg_findpeaks(clean, sampling_rate=rate)["PPG_Peaks"]
    cautions = []
    if signal.kind == "ppg":
        cautions.append("From a pulse wave: its intervals vary a little more than a heart's.")
    return of_beats(np.asarray(peaks, np.float64) / rate, tuple(cautions))


def of_beats(times: npt.ArrayLike, cautions: tuple[str, ...] = ()) -> HeartRate:
    """Of the seconds at which a heart beat, in order.

    Raises:
        SignalError: fewer than five intervals that are a heart's.
    """
    intervals = np.diff(np.asarray(times, np.float64))
    good = _plausible(intervals)
    if good.sum() < 5:
        raise SignalError(f"{int(good.sum())} intervals between heartbeats; expected at least 5",
                          "no beat")  # fmt: skip
    kept = intervals[good] * 1000
    # Differences only of intervals that follow each other: one left out breaks the chain.
    follow = good[1:] & good[:-1]
    steps = (np.diff(intervals) * 1000)[follow]
    left_out = float(1 - good.mean())
    return HeartRate(
        float(60_000 / kept.mean()), float(kept.std(ddof=1)),
        float(np.sqrt(np.mean(steps**2))) if len(steps) else float("nan"),
        float(np.mean(np.abs(steps) > 50)) if len(steps) else float("nan"),
        int(good.sum()) + 1, left_out, (*cautions, *_heart_cautions(kept.sum() / 1000, left_out)),
    )  # fmt: skip


def skin_conductance(signal: Series) -> SkinConductance:
    """Level and responses of an electrodermal signal.

    Raises:
        SignalError: another kind, or too short.
        ImportError: NeuroKit2 is not installed.
    """
    if signal.kind != "eda":
        raise SignalError(f"{signal.kind}; expected eda", "kind")
    _check_length(signal)
    cautions = []
    if np.ptp(signal.values) < 1e-3:
        cautions.append("The signal does not move: is the sensor on the skin?")
        return SkinConductance(float(signal.values.mean()), 0.0, 0.0, np.empty(0), tuple(cautions))
    nk = _neurokit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, found = nk.eda_process(signal.values, sampling_rate=signal.rate)
    peaks = np.asarray(found["SCR_Peaks"], np.float64)
    amplitudes = np.asarray(found["SCR_Amplitude"], np.float64)
    whole = np.isfinite(amplitudes)
    times = signal.start + peaks[whole] / signal.rate
    return SkinConductance(
        float(table["EDA_Tonic"].mean()), 60 * len(times) / signal.seconds,
        float(amplitudes[whole].mean()) if whole.any() else 0.0, times, tuple(cautions),
    )  # fmt: skip


def _plausible(intervals: Floats) -> npt.NDArray[np.bool_]:
    """Which intervals are between two beats of a heart, ``(N,)``."""
    good = (intervals >= SHORTEST_BEAT) & (intervals <= LONGEST_BEAT)
    padded = np.pad(intervals, 2, mode="reflect") if len(intervals) > 2 else intervals
    if len(padded) == len(intervals):
        return good
    near = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.asarray(good & (np.abs(intervals - near) <= JUMP * near))


def _heart_cautions(seconds: float, left_out: float) -> Iterator[str]:
    if seconds < TRUSTED:
        yield f"Variability from {seconds:.0f} s: expected {TRUSTED:.0f} s or more to compare it."
    if left_out > 0.1:
        yield f"{left_out:.0%} of the intervals were left out: the signal is noisy."


def _check_length(signal: Series) -> None:
    least = SHORTEST[signal.kind]
    if signal.seconds < least:
        raise SignalError(f"{signal.seconds:.1f} s of {signal.kind}; expected at least {least:g} s",
                          "too short")  # fmt: skip


def _neurokit() -> Any:
    try:
        import neurokit2
    except ImportError as error:
        raise ImportError("body signals need NeuroKit2, which is not installed; expected: pip "
                          "install 'fer-cbam[physiology]'") from error  # fmt: skip
    return neurokit2
