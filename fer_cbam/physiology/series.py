"""A body signal as a regular series of samples, held to account for gaps, rate and unit."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_cbam.errors import SignalError

Floats = npt.NDArray[np.float64]

#: kind -> unit -> factor to the first unit, which the package works in.
UNITS: dict[str, dict[str, float]] = {
    "ecg": {"mV": 1.0, "uV": 1e-3, "V": 1e3},
    "ppg": {"a.u.": 1.0},
    "eda": {"uS": 1.0, "nS": 1e-3, "mS": 1e3, "S": 1e6},
}
#: kind -> least and largest that a body can give, in that unit. A spread between two percentiles
#: for ECG, whose level says nothing; a level for skin conductance; a blood volume pulse has none.
PLAUSIBLE = {"ecg": (0.05, 20.0), "eda": (0.01, 100.0)}
LOWEST_RATE = {"ecg": 100.0, "ppg": 20.0, "eda": 1.0}  # samples a second
JITTER = 0.2  # of a step; times may be rounded
GAP = 1.5  # steps


@dataclass(frozen=True, eq=False)
class Series:
    """kind: of ``UNITS``. values: float64 ``(N,)`` in its first unit. rate: samples a second.
    start: seconds of the first, on whatever clock the recording has."""

    kind: str
    values: Floats
    rate: float
    start: float = 0.0

    @property
    def seconds(self) -> float:
        return len(self.values) / self.rate


def series(
    kind: str, values: npt.ArrayLike, rate: float, unit: str, name: str = "signal",
    start: float = 0.0,
) -> Series:  # fmt: skip
    """Samples of one kind, in one of its units.

    Raises:
        SignalError: another kind or unit, samples that are missing or not finite, a rate that is
            too low for the kind, or numbers that no body gives in that unit.
    """
    if kind not in UNITS or unit not in UNITS[kind]:
        known = "; ".join(f"{k} in {', '.join(units)}" for k, units in UNITS.items())
        raise SignalError(f"{name}: {kind} in {unit}; expected {known}", "unit")
    array = np.asarray(values, np.float64) * UNITS[kind][unit]
    if array.ndim != 1 or not array.size:
        raise SignalError(f"{name}: samples of shape {array.shape}; expected one row", "empty")
    if not np.isfinite(array).all():
        lost = int((~np.isfinite(array)).sum())
        raise SignalError(f"{name}: {lost} of {array.size} samples are missing; expected a whole "
                          "stretch", "gap")  # fmt: skip
    if not math.isfinite(rate) or rate < LOWEST_RATE[kind]:
        raise SignalError(f"{name}: {kind} at {rate:g} samples a second; expected at least "
                          f"{LOWEST_RATE[kind]:g}", "rate")  # fmt: skip
    _check_unit(kind, array, unit, name)
    return Series(kind, array, float(rate), float(start))


def read_series(
    path: str | Path, kind: str, unit: str, time: str = "time", value: str | None = None
) -> Series:
    """A column of a CSV or Parquet table with its times in seconds.

    time, value: names of the columns; the value's is that of the kind by default.

    Raises:
        SignalError: no such file or column, times that are not regular, that run backwards or have
            gaps, or what :func:`series` refuses.
        ImportError: Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise SignalError(f"{path}: no such file; expected a CSV or Parquet table", "missing")
    value = value or kind
    columns = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    missing = [name for name in (time, value) if name not in columns]
    if missing:
        raise SignalError(f"{path.name}: no column {', '.join(missing)}; expected {time} and "
                          f"{value}, found {', '.join(columns)}", "column")  # fmt: skip
    times = _numbers(columns[time], f"{path.name}, {time}")
    rate = regular_rate(times, path.name)
    values = _numbers(columns[value], f"{path.name}, {value}")
    return series(kind, values, rate, unit, path.name, float(times[0]))


def regular_rate(times: Floats, name: str) -> float:
    """Samples a second of times in seconds.

    Raises:
        SignalError: fewer than two, out of order, a gap, or steps that vary.
    """
    if len(times) < 2 or not np.isfinite(times).all():
        raise SignalError(f"{name}: {len(times)} times; expected two or more finite ones", "empty")
    steps = np.diff(times)
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0)) + 1
        raise SignalError(f"{name}: the time of sample {at} is not after the one before; expected "
                          "times in order", "order")  # fmt: skip
    step = float(np.median(steps))
    if (steps > GAP * step).any():
        at = int(np.argmax(steps > GAP * step))
        raise SignalError(
            f"{name}: a gap of {steps[at]:.3g} s at {times[at]:.3f} s, where a step is "
            f"{step:.3g} s; expected a whole stretch", "gap",
        )  # fmt: skip
    # The mean over the whole is exact to a step; the largest drift from it shows a wrong clock.
    grid = times[0] + np.arange(len(times)) * (times[-1] - times[0]) / (len(times) - 1)
    if np.abs(np.diff(times - grid)).max() > JITTER * step:
        raise SignalError(f"{name}: steps from {steps.min():.3g} to {steps.max():.3g} s; expected "
                          "regular ones", "irregular")  # fmt: skip
    return float((len(times) - 1) / (times[-1] - times[0]))


def _check_unit(kind: str, values: Floats, unit: str, name: str) -> None:
    if kind not in PLAUSIBLE:
        return
    low, high = PLAUSIBLE[kind]
    base = next(iter(UNITS[kind]))
    if kind == "ecg":
        found = float(np.subtract(*np.percentile(values, (99.5, 0.5))))
        what = "its waves"
    else:
        found = float(np.median(values))
        what = "its level"
    if not low <= found <= high:
        raise SignalError(
            f"{name}: {kind} in {unit}: {what} would be {found:.3g} {base}; expected {low:g} to "
            f"{high:g} {base}. Is it in another unit?", "unit",
        )  # fmt: skip


def _csv(path: Path) -> dict[str, Any]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except UnicodeDecodeError as error:
        raise SignalError(f"{path.name}: not text; expected CSV in UTF-8", "not text") from error
    short = next((n for n, row in enumerate(rows, 2) if len(row) != len(header)), None)
    if short is not None:
        raise SignalError(f"{path.name}, line {short}: {len(rows[short - 2])} fields; expected "
                          f"{len(header)}", "column")  # fmt: skip
    names = [name.strip() for name in header]
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(
        names, ()
    )  # fmt: skip


def _parquet(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise SignalError(f"{path.name}: {error}; expected Parquet", "damaged") from error
    return {name: table[name].to_pylist() for name in table.column_names}


def _numbers(column: Any, name: str) -> Floats:
    """Empty fields and nulls are missing samples."""
    try:
        return np.array([math.nan if v is None or v == "" else float(v) for v in column])
    except (TypeError, ValueError) as error:
        raise SignalError(f"{name}: {error}; expected numbers", "column") from error
