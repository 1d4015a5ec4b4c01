"""The configuration of docs/deploy.md, in front of the app, with nginx itself."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("gradio")

import httpx

import app
from tests.browser.conftest import running_server
from tests.serve.test_start import PHOTO, free_port, upload_and_ask

PAGE = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def block(language: str) -> str:
    return re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[1]


def configuration(folder: Path, port: int, app_port: str) -> Path:
    """The documented server, without its certificate, and what it needs to run as anybody."""
    server = re.sub(r"^ *ssl_.*\n", "", block("nginx"), flags=re.MULTILINE)
    server = server.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    server = server.replace("127.0.0.1:7860", f"127.0.0.1:{app_port}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{paths}{server}}}\n"
    )
    return file


@pytest.mark.slow
@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_below_a_path(tmp_path):
    port = free_port("127.0.0.1")
    temporary = tmp_path / "app"
    temporary.mkdir()
    arguments = ["app.py", "--backend", "onnx", "--root-path", "/faces"]
    with running_server(arguments, temporary) as (own, _):
        file = configuration(tmp_path, port, own.rpartition(":")[2])
        nginx = subprocess.Popen([NGINX, "-e", f"{tmp_path}/error.log", "-c", str(file)])
        try:
            url = f"http://127.0.0.1:{port}/faces/"
            with httpx.Client(trust_env=False, timeout=60) as client:
                for _ in range(100):
                    try:
                        assert client.get(url + "healthz").json()["status"] == "ok"
                        break
                    except httpx.ConnectError:
                        time.sleep(0.1)
                moved = client.get(url.rstrip("/"))
                assert (moved.status_code, moved.headers["location"]) == (301, url)
                config = client.get(url + "config").json()
                assert config["root"] == url.rstrip("/")
                module = client.get(url + "fer-cbam/photo.mjs")
                assert module.headers["content-type"].startswith("text/javascript")
                assert client.get(url + "fer-cbam/cards/fer_cbam_base.ferplus").is_success
                large = PHOTO.read_bytes() * 40  # more than nginx allows by itself
                assert len(large) > 1e6
                sent = client.post(url + "gradio_api/upload", files={"files": ("a.jpg", large)})
                assert sent.status_code == 200
            assert '"label": "happiness"' in upload_and_ask(url)
        finally:
            nginx.terminate()
            nginx.wait(timeout=30)


def test_the_unit_of_systemd_starts_the_app_with_options_that_exist():
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str
    unit.read_string(block("ini"))
    python, script, *options = shlex.split(unit["Service"]["ExecStart"])
    assert Path(python).is_relative_to(unit["Service"]["WorkingDirectory"])
    assert script == "app.py"
    args = app.parse_args(options)
    assert (args.backend, args.port, args.root_path) == ("onnx", 7860, "/faces")
