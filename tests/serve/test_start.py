"""The whole app as a process of its own, in an environment that is against it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("gradio")

import httpx

from tests.conftest import files_under

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
HOSTILE = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "all_proxy": "socks://127.0.0.1:9",
    "HF_HUB_ETAG_TIMEOUT": "2.5",
    "LANG": "C",
}
# Says what a name server is asked, and to where connections are made, from Python.
WATCHED = """
import runpy, sys
def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        where = str(args[0] if event != "socket.connect" else args[1])
        if not any(own in where for own in ("::1", "127.0.0.1", "localhost")):
            print("ASKED", event, args, flush=True)
sys.addaudithook(watch)
sys.argv = ["app.py", *sys.argv[1:]]
runpy.run_path("app.py", run_name="__main__")
"""


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]


def upload_and_ask(url: str) -> str:
    """The event stream of the photo endpoint."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        sent = client.post(
            url + "gradio_api/upload", files={"files": ("a.jpg", PHOTO.read_bytes())}
        )
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        asked = client.post(url + "gradio_api/call/photo", json={"data": [file, ""]})
        return client.get(f"{url}gradio_api/call/photo/{asked.json()['event_id']}").text


@pytest.mark.skipif(os.name != "posix", reason="SIGHUP")
@pytest.mark.parametrize(("backend", "host"), [("onnx", "::1"), ("torch", "127.0.0.1")])
def test_it_starts_asks_nobody_and_leaves_nothing(tmp_path, backend, host):
    if find_spec("onnxruntime" if backend == "onnx" else "torch") is None:
        pytest.skip(f"{backend} is not installed")
    try:
        port = free_port(host)
    except OSError:
        pytest.skip(f"no {host} here")
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    # Dependencies are quieter where they see a test run.
    kept = ("PATH", "OMP_NUM_THREADS", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= HOSTILE | {
        "HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "--backend", backend, "--host", host, "--port", str(port)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    late = threading.Timer(240, process.kill)  # or a read would wait for ever
    late.start()
    try:
        assert process.stdout is not None
        url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        first = process.stdout.readline()
        assert first == "Loading weights fer_cbam_base.ferplus ...\n", first
        second = process.stdout.readline()  # said when all of it has started
        assert second.startswith(f"Open {url} "), second + process.communicate()[1]
        assert '"label": "happiness"' in upload_and_ask(url)
        assert [path.name for path in files_under(temporary) if path.name != "lock"]
        started = time.monotonic()
        process.send_signal(signal.SIGHUP)
        output, errors = process.communicate(timeout=30)
        seconds = time.monotonic() - started
    finally:
        late.cancel()
        process.kill()
        process.communicate()
    assert process.returncode == 0 and "Traceback" not in errors, errors
    assert "ASKED" not in first + output
    assert list(home.iterdir()) == []
    assert files_under(tmp_path) == []
    assert seconds < 10


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_it_ends_at_once_whatever_is_being_answered(tmp_path):
    """Here weights are asked of a hub that takes the question and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        hub = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = os.environ | {
            "TMPDIR": str(tmp_path),
            "HF_ENDPOINT": hub,
            "HOME": str(tmp_path),
        }
        port = free_port("127.0.0.1")
        process = subprocess.Popen(
            [sys.executable, "app.py", "--backend", "onnx", "--port", str(port)], cwd=ROOT,
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        late = threading.Timer(240, process.kill)
        late.start()
        try:
            assert process.stdout is not None
            process.stdout.readline(), process.stdout.readline()
            api = f"http://127.0.0.1:{port}/gradio_api"
            with httpx.Client(trust_env=False, timeout=60) as client:
                sent = client.post(api + "/upload", files={"files": ("a.jpg", PHOTO.read_bytes())})
                file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
                client.post(api + "/call/photo", json={"data": [file, "hf-hub:a/b"]})
            silent.settimeout(60)
            asked, _ = silent.accept()
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
            seconds = time.monotonic() - started
            asked.close()
        finally:
            late.cancel()
            process.kill()
            process.communicate()
    assert process.returncode == 0 and "Traceback" not in errors, errors
    assert not [path for path in files_under(tmp_path) if "fer-cbam-" in str(path)]
    assert seconds < 5  # a busy machine; 2 seconds are promised


def test_a_port_that_is_taken_is_a_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"app.py: cannot listen on 127.0.0.1, port {port}")
    assert "Traceback" not in done.stderr
