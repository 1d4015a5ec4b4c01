"""How well a heart rate is read from colours of skin that were made with a pulse of known rate.

    python -m eval.pulse --out reports/fusion/pulse.json

A trace is what :func:`fer_cbam.physiology.pulse.skin_colour` gives of each frame: skin in a light
that changes, a pulse, glints of a head that moves (white light, with each movement), and noise of
the mean. Nothing is chosen here. No camera, face or codec is in it, so it is a lower bound of what
goes wrong.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.records import provenance, record, write_report
from fer_cbam.physiology.pulse import QUIET, Pulse, pulse_of

RATE, SECONDS, TRIALS = 30.0, 20.0, 40
SKIN = np.array([180.0, 130.0, 110.0])
BLOOD = np.array([0.33, 0.77, 0.53])  # de Haan and van Leest 2014: how a pulse shows in R, G, B
FAR_OFF = 5.0  # beats a minute


@dataclass(frozen=True)
class Condition:
    """pulse: amplitude in green, share of the light. light: slow changes of it, a share. glint:
    white light that a moving head adds, a share. noise: of the mean colour, grey values."""

    name: str
    pulse: float
    light: float = 0.02
    glint: float = 0.0
    noise: float = 0.1


CONDITIONS = (
    Condition("at rest, pulse of 1 %", 0.01),
    Condition("at rest, pulse of 0.5 %", 0.005),
    Condition("at rest, pulse of 0.2 %", 0.002),
    Condition("at rest, pulse of 0.1 %", 0.001),
    Condition("light that changes by 10 %", 0.005, light=0.1),
    Condition("noise of 0.3 grey values", 0.005, noise=0.3),
    Condition("noise of 1 grey value", 0.005, noise=1.0),
    Condition("head moves a little", 0.005, glint=0.005),
    Condition("head moves", 0.005, glint=0.02),
    Condition("head moves much", 0.005, glint=0.05),
    Condition("no pulse", 0.0),
    Condition("no pulse, head moves", 0.0, glint=0.02),
)


def slow(rng: np.random.Generator, count: int, hertz: float) -> np.ndarray:
    """Noise of variance 1 without what is faster than a frequency, ``(count,)``."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum[np.fft.rfftfreq(count, 1 / RATE) > hertz] = 0
    found = np.fft.irfft(spectrum, count)
    return np.asarray(found / found.std())


def trace(condition: Condition, bpm: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Times ``(N,)`` in seconds and colours ``(N, 3)``."""
    rng = np.random.default_rng(seed)
    count = round(RATE * SECONDS)
    # A heart is no clock: its rate wavers by 2 %.
    phase = 2 * np.pi * np.cumsum(bpm / 60 * (1 + 0.02 * slow(rng, count, 0.3))) / RATE
    wave = condition.pulse / BLOOD[1] * (np.sin(phase) + 0.3 * np.sin(2 * phase + 0.8))
    light = 1 + condition.light * slow(rng, count, 0.5)
    glint = 255 * condition.glint * np.abs(slow(rng, count, 2.0))
    colours = SKIN * (1 + wave[:, None] * BLOOD) * light[:, None] + glint[:, None]
    return np.arange(count) / RATE, colours + rng.normal(0, condition.noise, (count, 3))


def trials(condition: Condition) -> list[tuple[float, Pulse]]:
    """The rate that was put in and what was found, for each seed."""
    found = []
    for seed in range(TRIALS):
        bpm = float(np.random.default_rng([seed, 1]).uniform(50, 120))
        found.append((bpm, pulse_of(*trace(condition, bpm, seed))))
    return found


def records(condition: Condition, own: list[tuple[float, Pulse]]) -> list[dict]:
    """Share with a rate, mean error of those, share of those far off, mean quality."""
    said = [(bpm, pulse.bpm) for bpm, pulse in own if pulse.bpm is not None]
    values = {"quality": np.mean([pulse.quality for _, pulse in own]),
              "answered": len(said) / len(own)}  # fmt: skip
    if condition.pulse and said:
        errors = np.array([abs(got - bpm) for bpm, got in said])
        values |= {"error": errors.mean(), "far off": (errors > FAR_OFF).mean()}
    return [
        record(metric, value, data="synthetic pulse", protocol="made-up colours", weights="POS",
               condition=condition.name, n=len(own))
        for metric, value in values.items()
    ]  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT.json")
    args = parser.parse_args(argv)
    entries = []
    for condition in CONDITIONS:
        entries += records(condition, trials(condition))
        values = [f"{e['metric']} {e['value']:.2f}" for e in entries
                  if e["condition"] == condition.name]  # fmt: skip
        print(f"{condition.name:28} {', '.join(values)}", flush=True)
    given = ["--out", str(args.out)]
    write_report(args.out, "fusion", provenance("eval.pulse", given), entries,
                 threshold_db=QUIET, seconds=SECONDS)  # fmt: skip


if __name__ == "__main__":
    main()
