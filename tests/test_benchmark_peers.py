"""The comparison with fer, without fer."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.against import Timer

SLEEPER = """
import time
from benchmarks.against import serve
serve({"long": lambda: time.sleep(0.05), "short": lambda: None})
"""


def test_without_fer_that_is_said_and_nothing_is_written(tmp_path, capsys):
    report = tmp_path / "peers.json"
    for python in (sys.executable, tmp_path / "no such python"):
        peers.main(["--fer", str(python), "--report", str(report)])
        said = capsys.readouterr().out
        assert str(python) in said and "nothing is compared; expected the python" in said
    assert not report.exists()


def test_an_answer_has_to_be_right():
    peers.checked(lambda: "happy", "happy")()
    with pytest.raises(SystemExit, match="answers 'sad'; expected 'happy'"):
        peers.checked(lambda: "sad", "happy")()


def test_a_process_times_what_it_is_asked_for():
    timer = Timer([sys.executable, "-c", SLEEPER], {"PYTHONPATH": str(peers.ROOT)})
    assert timer.names == ["long", "short"]
    times = peers.timed([timer], rounds=3)
    timer.close()
    assert timer.process.returncode == 0
    assert len(times["long"]) == 3
    assert times["long"].min() >= 50 > times["short"].max()


def test_a_process_that_ends_is_told():
    with pytest.raises(SystemExit, match="ended with status 3"):
        Timer([sys.executable, "-c", "raise SystemExit(3)"], {})


def test_ratios_are_fer_s_time_by_ours():
    tiny, base = peers.WEIGHTS
    times = {"fer": np.array([80.0, 90.0, 100.0]), tiny: np.array([8.0, 10.0, 10.0]),
             base: np.array([20.0, 20.0, 25.0])}  # fmt: skip
    found = {(r["metric"], r.get("weights"), r["option"]): r["value"]
             for r in peers.records(times, "onnx")}  # fmt: skip
    assert found == {
        ("milliseconds", None, "fer"): 90, ("milliseconds", tiny, "onnx"): 10,
        ("milliseconds", base, "onnx"): 20, ("times_as_fast", tiny, "fer"): 10,
        ("times_as_fast", base, "fer"): 4,
    }  # fmt: skip
