"""From the sources to the first labelled frame: seconds, and bytes downloaded and installed.

    python -m benchmarks.install [--report reports/speed/install.json]

Makes an environment in an empty folder and installs there what the first command of the README
does, from archives that are downloaded first, so that they can be weighed. Starts the app there,
and asks it for a webcam frame with its explanation. What requirements.txt installs, PyTorch with
it, is counted in the environment that this runs in.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import report
from eval.records import record
from tests.browser.conftest import ASTRONAUT, ROOT, running_server

LIGHT, WHOLE = "requirements-app.txt", "requirements.txt"
MOST_BYTES = 0.7e9
REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")


def folder_bytes(folder: Path) -> int:
    """Of all files below a folder; one that is there under several names counts once."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(Path(where) / name)
            found[status.st_dev, status.st_ino] = status.st_size
    return sum(found.values())


def first_frame(address: str) -> dict[str, Any]:
    """The answer to a webcam frame, asked for as the page does it."""
    with urllib.request.urlopen(f"{address}/config") as response:
        parts = json.load(response)["components"]
    (part,) = (p["id"] for p in parts if "frame" in (p["props"].get("server_fns") or ()))
    image = "data:image/jpeg;base64," + base64.b64encode(ASTRONAUT.read_bytes()).decode()
    question = {"data": {"image": image, "time": 0.0, "map": "gradcam"},
                "fn_name": "frame", "component_id": part, "session_hash": "install"}  # fmt: skip
    asked = urllib.request.Request(
        f"{address}/gradio_api/component_server/", json.dumps(question).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(asked) as response:
        answer: dict[str, Any] = json.load(response)
    (face,) = answer["faces"]
    assert face["label"] and face["layer"], answer
    return answer


def set_up(folder: Path) -> dict[str, float]:
    """Seconds and bytes of the README's first command, and the seconds to an answer."""
    archives, environment, temporary = (
        folder / name for name in ("archives", "environment", "app")
    )
    temporary.mkdir()
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    before = folder_bytes(environment)
    pip, wanted = [python, "-m", "pip"], ["-q", "-r", ROOT / LIGHT]
    subprocess.run([*pip, "download", "--no-cache-dir", "-d", archives, *wanted], check=True)
    local = ["--no-index", "--find-links", archives]
    subprocess.run([*pip, "install", *local, *wanted], check=True)
    installed = time.monotonic()
    downloaded, whole = folder_bytes(archives), folder_bytes(environment)
    with running_server(["app.py"], temporary, python=python) as (address, _):
        first_frame(address)
        answered = time.monotonic()
    return {
        "installing_seconds": installed - started,
        "first_frame_seconds": answered - started,
        "downloaded_bytes": downloaded,
        "installed_bytes": whole - before,
    }


def closure(requirements: Path) -> set[str]:
    """Names of the packages that a file asks for, and of those that they need, as installed here.

    Which extras and markers apply is what pip decided when it installed them: what is not here does
    not count.
    """
    waiting, found = list(_asked(requirements)), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            needs = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        for need in needs:
            if "extra ==" not in need and (match := REQUIREMENT.match(need)):
                waiting.append(match[0])
    return found


def _asked(requirements: Path) -> Sequence[str]:
    names: list[str] = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r"):
            names += _asked(requirements.parent / line[2:].strip())
        elif match := REQUIREMENT.match(line):
            names.append(match[0])
    return names


def installed_bytes(names: set[str]) -> int:
    """Of the files of these packages in this environment."""
    files = {Path(str(f.locate())) for name in names for f in metadata.files(name) or ()}
    return sum(file.stat().st_size for file in files if file.is_file())


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        numbers = {LIGHT: set_up(Path(folder))}
    numbers[WHOLE] = {"installed_bytes": installed_bytes(closure(ROOT / WHOLE))}
    for name, found in numbers.items():
        print(name, *(f"{metric}: {value:,.1f}" for metric, value in found.items()), sep="\n  ")
    if args.report:
        records = [
            record(metric, value, option=name, n=1)
            for name, found in numbers.items()
            for metric, value in found.items()
        ]
        report.write(args.report, "install", "benchmarks.install", arguments, records)
    return int(numbers[LIGHT]["installed_bytes"] >= MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
