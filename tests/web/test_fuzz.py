"""Nothing that comes from outside can trap or hang the browser's recogniser."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fer_cbam.detect.yunet import MODEL_FILE
from fer_cbam.pretrained import embedded_dir
from tests.web.conftest import WEB

FUZZ = Path(__file__).with_name("fuzz.mjs")
ERRORS = Path(__file__).with_name("errors.test.mjs")
#: What at least one damaged case of each kind is refused for, and what can be answered too.
REFUSED = {"weights", "detector", "kernel", "config", "no image", "face"}
ANSWERED = {"weights", "detector", "config", "image", "face"}


def test_the_errors(node: str):
    done = subprocess.run(
        [node, "--test", str(ERRORS)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0 and "fail 0" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_and_strange_pictures(node: str, seed: int):
    asked = {"web": str(WEB), "detector": str(MODEL_FILE), "seed": seed, "cases": 25,
             "weights": str(embedded_dir("fer_cbam_tiny.ferplus"))}  # fmt: skip
    done = subprocess.run(
        [node, str(FUZZ)], input=json.dumps(asked), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {kind for kind, n in found["counts"].items() if n["refused"]} == REFUSED
    assert {kind for kind, n in found["counts"].items() if n["answered"]} == ANSWERED
    # What the largest picture needed, and no more however many follow.
    assert found["memory"] == found["later"] < 100e6
