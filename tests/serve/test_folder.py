"""The folder of uploads, in every way to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_cbam.serve import folder

APP = """
import sys, time
from fer_cbam.serve.folder import upload_folder
with upload_folder() as uploads:
    (uploads / "photo.jpg").write_bytes(b"a visitor")
    print(uploads, flush=True)
    if sys.argv[1] == "fails":
        raise RuntimeError("inside")
    if sys.argv[1] == "swallows":
        try:
            time.sleep(60)
        except BaseException:
            pass
    time.sleep(60)
"""


@pytest.fixture
def started(tmp_path):
    """Start an app whose folder for uploads lies in tmp_path; ends what is still running."""
    running = []

    def start(how: str = "waits", *before: str) -> tuple[subprocess.Popen, Path]:
        process = subprocess.Popen(
            [*before, sys.executable, "-c", APP, how], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.PIPE, cwd=Path(__file__).parents[2],
            env=os.environ | {"TMPDIR": str(tmp_path), "TEMP": str(tmp_path)},
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        uploads = Path(process.stdout.readline().strip())
        assert uploads.is_relative_to(tmp_path)
        return process, uploads

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent in another way there")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_leave_nothing(started, tmp_path, number):
    process, _ = started()
    process.send_signal(getattr(signal, number))
    if number != "SIGINT":  # Python's own handling, which a second Ctrl-C cuts short
        process.send_signal(getattr(signal, number))  # as a closing terminal may
    _, errors = process.communicate(timeout=10)
    assert list(tmp_path.iterdir()) == []
    if number != "SIGINT":
        assert process.returncode == 0 and errors == ""


@pytest.mark.skipif(os.name != "posix", reason="no timers there")
def test_a_signal_that_is_swallowed_ends_the_app_all_the_same(started, tmp_path):
    process, _ = started("swallows")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert list(tmp_path.iterdir()) == []
    assert process.returncode == 0 and errors == ""


def test_an_error_leaves_nothing(started, tmp_path):
    process, _ = started("fails")
    assert "RuntimeError: inside" in process.communicate(timeout=10)[1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="nohup")
def test_nohup_is_respected(started):
    process, uploads = started("waits", "nohup")
    assert (uploads / "photo.jpg").is_file()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None and uploads.is_dir()


def test_the_next_app_removes_what_a_killed_one_left_and_nothing_else(
    started, tmp_path, monkeypatch
):
    monkeypatch.setattr(folder, "YOUNG", 0.0)
    killed, left = started()
    alive, used = started()
    killed.kill()
    killed.communicate()
    other = tmp_path / "fer-cbam-made-by-hand"
    other.mkdir()
    (tmp_path / "fer-cbam-file").touch()
    (tmp_path / "fer-cbam-link").symlink_to(left.parent, target_is_directory=True)
    assert left.is_dir()
    folder.remove_orphans(tmp_path)
    assert not left.parent.exists() and other.is_dir()
    assert alive.poll() is None and (used / "photo.jpg").is_file()


def test_a_folder_that_is_being_made_is_left_alone(tmp_path):
    young = tmp_path / "fer-cbam-young"
    young.mkdir()
    (young / folder.LOCK).touch()
    folder.remove_orphans(tmp_path)
    assert young.is_dir()
    old = time.time() - 2 * folder.YOUNG
    os.utime(young / folder.LOCK, (old, old))
    folder.remove_orphans(tmp_path)
    assert not young.exists()
