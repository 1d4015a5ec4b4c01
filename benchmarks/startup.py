"""How long one waits: import, first answer, and the app's page, each in fresh processes.

    python -m benchmarks.startup [--python PATH] [--backends onnx torch] [--app] [--rounds 5]
    python -m benchmarks.startup --profile        # the slowest imports of a first answer

--python measures another environment, one without torch for instance, and the fer_cbam that is
installed there; this one measures these sources. Medians in seconds, process start included.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
FIRST_ANSWER = """
from fer_cbam import EmotionRecognizer
(found,) = EmotionRecognizer.from_pretrained(backend={backend!r})({photo!r}, explain=True)
assert found.prediction.confidence > 0
"""


def seconds(command: Sequence[str], rounds: int) -> float:
    """Median time from start to end of a process, after one that warms the file cache."""
    taken = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        # Not from the sources' folder, so that an environment's own package is measured.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def seconds_to_page(command: Sequence[str], port: int, patience: float = 120) -> float:
    """From the start of the app to its page's first answer; the app is ended afterwards."""
    started = time.perf_counter()
    app = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        while time.perf_counter() - started < patience:
            if app.poll() is not None:
                raise SystemExit(f"the app ended with status {app.returncode}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
                    page.read()
                    return time.perf_counter() - started
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.02)
    finally:
        app.terminate()
        app.wait()
    raise SystemExit(f"no page within {patience:.0f} s")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def slowest_imports(command: Sequence[str], count: int = 15) -> list[str]:
    """Lines of ``-X importtime``, by cumulative time."""
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    lines = [ln for ln in result.stderr.splitlines() if ln.startswith("import time:")][1:]
    return sorted(lines, key=lambda ln: -int(ln.split("|")[1]))[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--backends", nargs="+", default=["onnx", "torch"])
    parser.add_argument("--app", action="store_true", help="also python app.py to a page")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.python == sys.executable:
        os.environ["PYTHONPATH"] = str(ROOT)
    answers = {b: FIRST_ANSWER.format(backend=b, photo=str(PHOTO)) for b in args.backends}
    if args.profile:
        for backend, code in answers.items():
            print(
                backend, *slowest_imports([args.python, "-X", "importtime", "-c", code]), sep="\n"
            )
        return
    commands = {"python alone": "pass", "import fer_cbam": "import fer_cbam"}
    commands |= {f"first answer, {backend}": code for backend, code in answers.items()}
    for name, code in commands.items():
        print(f"{name:24} {seconds([args.python, '-c', code], args.rounds):6.2f} s", flush=True)
    for backend in args.backends if args.app else []:
        taken = []
        for _ in range(args.rounds):
            port = free_port()
            command = [args.python, "app.py", "--backend", backend, "--port", str(port)]
            taken.append(seconds_to_page(command, port))
        print(f"{'page of the app, ' + backend:24} {statistics.median(taken):6.2f} s", flush=True)


if __name__ == "__main__":
    main()
