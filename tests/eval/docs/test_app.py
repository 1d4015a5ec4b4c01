"""The tables of the app's speed and of its soak, from made-up records."""

from __future__ import annotations

import pytest

from eval.docs.app import install, live, soak
from eval.docs.markdown import NOT_YET
from eval.records import record
from fer_cbam.errors import DataError

SOAKED = {
    "minutes": 20.1, "growth_mb": 12.4, "last_mb": 301.6, "frames": 12_345, "photos": 250,
    "costly_clips": 7, "photo_wait_median_seconds": 0.456, "photo_wait_longest_seconds": 1.234,
    "frame_wait_longest_seconds": 0.987, "files_left": 0, "errors": 0, "load": 1.96,
}  # fmt: skip


def seen(visitors: int, app: str, fps: float, share: float) -> list:
    fields = {"option": app, "condition": f"{visitors} visitors", "n": 4}
    return [
        record("fps", fps, **fields),
        record("p50_milliseconds", 1000 / fps, **fields),
        record("p95_milliseconds", 2000 / fps, **fields),
        record("of_echo", share, low=share - 0.02, high=share + 0.03, **fields),
    ]


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()]


def test_a_row_for_each_app_and_number_of_visitors(loaded):
    apps = [*seen(4, "app", 5.0, 0.95), *seen(4, "echo, gr.HTML", 5.25, 1.0),
            *seen(1, "app", 20.0, 0.91), *seen(1, "echo, gr.HTML", 22.0, 1.0)]  # fmt: skip
    header, _, *rows = rows_of(live(loaded(app=apps)))
    assert [row[1] for row in rows] == ["1", "1", "4", "4"]
    assert rows[0] == ["FER-CBAM", "1", "20.0", "50", "100", "91 % (89\u201394)"]
    assert len(header) == len(rows[0])


def test_a_soak(loaded):
    table = rows_of(soak(loaded(soak=[record(name, value) for name, value in SOAKED.items()])))
    found = dict(table[2:])
    assert table[0][0] == "20 minutes, all at once"
    assert found["memory: growth after two minutes"] == "+12 MB"
    assert found["wait for a photo: median, longest"] == "0.46 s, 1.23 s"
    assert found["wait for a live frame: longest"] == "0.99 s"
    assert found["live frames answered"] == "12,345"


def test_what_is_installed(loaded):
    made = [
        record(f"{name}_{unit}", value, option="requirements-app.txt")
        for name, unit, value in (
            ("downloaded", "bytes", 21e7), ("installed", "bytes", 62e7),
            ("installing", "seconds", 40.2), ("first_frame", "seconds", 46.7),
        )
    ]  # fmt: skip
    made.append(record("installed_bytes", 6e9, option="requirements.txt"))
    _, _, light, whole = rows_of(install(loaded(install=made)))
    assert light == ["`requirements-app.txt`", "0.21", "0.62", "40", "47"]
    assert whole == ["`requirements.txt`", "\u2013", "6.00", "\u2013", "\u2013"]


def test_without_reports_and_with_half_of_one(loaded, tmp_path):
    assert {live(loaded()), soak(loaded()), install(loaded())} == {NOT_YET}
    with pytest.raises(DataError):
        soak(loaded(soak=[record("minutes", 20)]))
