"""What dependencies find in the environment when they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from fer_cbam.environment import prepare
from tests.conftest import files_under

PHOTO = Path(__file__).parents[1] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"


@pytest.mark.parametrize(
    ("given", "found"),
    [("2.5", "3"), ("10", "10"), ("0.2", "1"), (" 4 ", "4"), ("1e1", "10"), (None, None)],
)
@pytest.mark.parametrize("name", ["HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"])
def test_seconds_are_whole(monkeypatch, recwarn, name, given, found):
    monkeypatch.setenv(name, given or "")
    if given is None:
        monkeypatch.delenv(name)
    prepare()
    assert os.environ.get(name) == found
    assert not recwarn.list


@pytest.mark.parametrize("given", ["soon", "nan", "inf", "5s"])
def test_what_is_no_number_of_seconds_is_left_out_and_said(monkeypatch, given):
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", given)
    with pytest.warns(UserWarning, match=f"HF_HUB_ETAG_TIMEOUT='{given}' is left out"):
        prepare()
    assert "HF_HUB_ETAG_TIMEOUT" not in os.environ


# Nothing but this: what a name server is asked, from Python; ONNX Runtime asks from C++, some
# seconds after it has written its device id, which is seen in the home folder.
PREDICT = """
import sys
def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        print("ASKED", event, args)
sys.addaudithook(watch)
from fer_cbam.cli import main
sys.exit(main(["predict", "--backend", sys.argv[1], sys.argv[2]]))
"""


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_one_photo_leaves_nothing_at_home_and_asks_nobody(tmp_path, backend):
    if find_spec("onnxruntime" if backend == "onnx" else "torch") is None:
        pytest.skip(f"{backend} is not installed")
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    # Dependencies are quieter where they see a test run, and where a variable of ours is inherited.
    kept = ("PATH", "LANG", "SYSTEMROOT", "OMP_NUM_THREADS", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(temporary),
        "HF_HUB_ETAG_TIMEOUT": "2.5", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PHOTO.parents[3]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, backend, str(PHOTO)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 face" in done.stdout and "ASKED" not in done.stdout
    assert list(home.iterdir()) == []
    assert files_under(tmp_path) == []  # torch leaves an empty folder
