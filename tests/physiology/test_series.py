"""Signals with their rate and unit; what is wrong with one is named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_cbam.errors import SignalError
from fer_cbam.physiology import read_series
from fer_cbam.physiology.series import regular_rate, series

TIMES = np.arange(100, 140, 0.25)
LEVEL = 2 + 0.1 * np.sin(TIMES)


def table(path, times=TIMES, values=LEVEL, header="time,eda"):
    cells = ("" if np.isnan(value) else str(value) for value in values)
    rows = [header, *(f"{t},{cell}" for t, cell in zip(times, cells, strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_csv_and_a_parquet_say_the_same(tmp_path):
    got = read_series(table(tmp_path / "a.csv"), "eda", "uS")
    assert got.rate == pytest.approx(4) and got.start == 100 and got.seconds == 40
    np.testing.assert_allclose(got.values, LEVEL)
    pq.write_table(pa.table({"time": TIMES, "skin": LEVEL * 1000}), tmp_path / "a.parquet")
    other = read_series(tmp_path / "a.parquet", "eda", "nS", value="skin")
    np.testing.assert_allclose(other.values, LEVEL)


def test_units_become_the_first():
    wave = np.sin(np.arange(0, 20, 0.01) * 7)
    np.testing.assert_allclose(series("ecg", wave * 1000, 100, "uV").values, wave)
    np.testing.assert_allclose(series("ecg", wave / 1000, 100, "V").values, wave)


@pytest.mark.parametrize(
    ("times", "values", "kind", "words"),
    [
        (np.delete(TIMES, [50, 51]), np.delete(LEVEL, [50, 51]), "gap", "a gap of 0.75 s at 112"),
        (TIMES, np.where(TIMES == 110, np.nan, LEVEL), "gap", "1 of 160 samples are missing"),
        (TIMES[::-1], LEVEL, "order", "time of sample 1 is not after"),
        (TIMES + 0.1 * (np.arange(160) % 2), LEVEL, "irregular", "expected regular"),
        (TIMES, LEVEL * 1000, "unit", "its level would be 2e[+]03 uS"),
        (TIMES * 10, LEVEL, "rate", "eda at 0.4 samples a second; expected at least 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, times, values, kind, words):
    with pytest.raises(SignalError, match=words) as caught:
        read_series(table(tmp_path / "a.csv", times, values), "eda", "uS")
    assert caught.value.kind == kind


def test_files_that_are_none(tmp_path):
    path = table(tmp_path / "a.csv", header="t,eda")
    with pytest.raises(SignalError, match="no column time; expected time and eda, found t, eda"):
        read_series(path, "eda", "uS")
    path.write_text("time,eda\n0,1\n1\n")
    with pytest.raises(SignalError, match="line 3: 1 fields; expected 2"):
        read_series(path, "eda", "uS")
    path.write_text("time,eda\n0,one\n1,two\n")
    with pytest.raises(SignalError, match="expected numbers"):
        read_series(path, "eda", "uS")
    path.write_bytes(b"\xff\xfe\0\xd8")
    with pytest.raises(SignalError, match="not text"):
        read_series(path, "eda", "uS")
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(SignalError, match="expected Parquet"):
        read_series(tmp_path / "a.parquet", "eda", "uS")
    with pytest.raises(SignalError, match="no such file"):
        read_series(tmp_path / "b.csv", "eda", "uS")


def test_kinds_and_units_that_are_not_known():
    for kind, unit in (("emg", "mV"), ("eda", "mV")):
        with pytest.raises(SignalError, match=f"{kind} in {unit}; expected ecg in mV, uV, V"):
            series(kind, np.ones(9), 100, unit)
    with pytest.raises(SignalError, match=r"shape \(2, 2\)"):
        series("eda", np.ones((2, 2)), 4, "uS")
    # An ECG that was given in microvolts and called millivolts.
    with pytest.raises(SignalError, match="Is it in another unit"):
        series("ecg", 800 * np.sin(np.arange(999)), 100, "mV")


def test_a_rate_is_not_misled_by_rounded_times():
    times = np.round(np.arange(0, 60, 1 / 64), 2)
    assert regular_rate(np.round(np.arange(0, 60, 1 / 64), 4), "x") == pytest.approx(64, rel=1e-3)
    with pytest.raises(SignalError, match="regular"):
        regular_rate(times, "x")  # rounded to more than half a step
