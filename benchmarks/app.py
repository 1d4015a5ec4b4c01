"""How fast the webcam tab is: frames shown a second and latency, against the plainest echo apps.

    python -m benchmarks.app [--visitors 1 2 4] [--seconds 20] [--rounds 2] [--json FILE]

The fake camera plays the example photograph with a number drawn into each frame. A script in the
page reads that number in the camera's own picture and in the picture that is shown; the time
between the two is the latency as a visitor has it: camera, encoding, network, server, drawing.
Browser and servers share this machine. Apps take turns within a round, so that a machine whose
speed drifts treats all alike. Explanations are on; how many of them are drawn is shown beside.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from fer_cbam.hub import DEFAULT_WEIGHTS
from tests.browser.conftest import astronaut_frames, launch_browser, running_server, write_mjpeg

CELLS, SIDE, ROW = 12, 24, 440  # bits, pixels of one, upper edge; benchmarks/counter.js reads them
FRAMES = 600
COUNTER = Path(__file__).with_name("counter.js")
WARM_UP = 4  # seconds before anything is counted


@dataclass(frozen=True)
class App:
    """A page to measure: how to start it, and where it shows its picture."""

    name: str
    arguments: list[str]
    start: tuple[str, ...]  # selectors to click, one after another
    shown: str
    mirrored: bool
    explained: str = ""


def apps(weights: str) -> list[App]:
    image = ('[title="grant webcam access"] button', "button.capture-button")
    echo = ["-m", "benchmarks.echo_app"]
    return [
        App("ours", ["app.py", "--weights", weights], ('[data-do="start"]',), ".fer-plain", True,
            ".fer-plain"),
        App("echo, gr.Image", [*echo, "image"], image, ".echo img", True),
        App("echo, gr.HTML", [*echo, "html"], ("button:text-is('Start')",), "img.echo", False),
    ]  # fmt: skip


def numbered_frames() -> list[np.ndarray]:
    """640x480 BGR with the frame's number in the lower left: white, its bits, black."""
    still = astronaut_frames(30)
    frames = []
    for number in range(FRAMES):
        frame = still[number % len(still)].copy()
        bits = [1, *((number >> (CELLS - 1 - i)) & 1 for i in range(CELLS)), 0]
        for cell, bit in enumerate(bits):
            frame[ROW : ROW + SIDE, cell * SIDE : (cell + 1) * SIDE] = 255 * bit
        frames.append(frame)
    return frames


def latencies(camera: list[list[float]], shown: list[list[float]]) -> np.ndarray:
    """Milliseconds from when the camera's picture had a number to when the page showed it.

    camera, shown: pairs of number and time in ms. Numbers come round again: the last time before.
    """
    times: dict[int, list[float]] = {}
    for number, at in camera:
        times.setdefault(int(number), []).append(at)
    found = []
    for number, at in shown:
        known = times.get(int(number), [])
        before = bisect_right(known, at)
        if before:
            found.append(at - known[before - 1])
    return np.array(found)


def measure(browser: Browser, app: App, address: str, visitors: int, seconds: float) -> list[dict]:
    """What each of some visitors at once sees, in ``seconds`` after a warm-up."""
    with ExitStack() as stack:
        pages = [stack.enter_context(open_page(browser, app, address)) for _ in range(visitors)]
        time.sleep(WARM_UP)
        for page in pages:
            page.evaluate("['shown', 'explained'].forEach((list) => (counter[list].length = 0))")
        time.sleep(seconds)
        seen = [page.evaluate("({...counter, video: 0, now: performance.now()})") for page in pages]
    return [
        {
            "fps": len(one["shown"]) / seconds,
            "explained_fps": len(one["explained"]) / seconds,
            "camera_fps": len(
                {tuple(c) for c in one["camera"] if c[1] > one["now"] - 1e3 * seconds}
            )
            / seconds,
            "latencies": latencies(one["camera"], one["shown"]).tolist(),
        }
        for one in seen
    ]


@contextmanager
def open_page(browser: Browser, app: App, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(path=COUNTER)
    page.goto(address)
    for selector in app.start:
        page.click(selector)
    watched = [(app.shown, "shown"), (app.explained, "explained")]
    for selector, name in watched:
        if selector:
            page.evaluate(
                "([selector, mirrored, list]) => counter.watch(selector, mirrored, list)",
                [selector, app.mirrored, name],
            )
    try:
        yield page
    finally:
        context.close()


def summary(rounds: list[list[dict]]) -> dict[str, Any]:
    """Of all visitors of all rounds together; ``least_share`` is the slowest visitor's frames over
    a fair share of its round."""
    everyone = [visitor for one in rounds for visitor in one]
    times = np.concatenate([visitor["latencies"] for visitor in everyone])
    shares = [
        min(v["fps"] for v in one) / max(1e-9, np.mean([v["fps"] for v in one])) for one in rounds
    ]
    return {
        "fps": float(np.mean([v["fps"] for v in everyone])),
        "explained_fps": float(np.mean([v["explained_fps"] for v in everyone])),
        "camera_fps": float(np.mean([v["camera_fps"] for v in everyone])),
        "p50_ms": float(np.percentile(times, 50)) if times.size else None,
        "p95_ms": float(np.percentile(times, 95)) if times.size else None,
        "least_share": float(min(shares)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    results = run(args)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")
    print(f"{'visitors':>8} {'app':16} {'fps each':>9} {'explained':>9} {'p50':>7} {'p95 ms':>7} "
          f"{'least share':>11}")  # fmt: skip
    for row in results:
        p50, p95 = (f"{v:.0f}" if v is not None else "-" for v in (row["p50_ms"], row["p95_ms"]))
        print(f"{row['visitors']:8} {row['app']:16} {row['fps']:9.1f} {row['explained_fps']:9.1f} "
              f"{p50:>7} {p95:>7} {row['least_share']:11.2f}")  # fmt: skip


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        playwright = stack.enter_context(sync_playwright())
        camera = write_mjpeg(folder / "camera.mjpeg", numbered_frames())
        browser = launch_browser(playwright, camera)
        stack.callback(browser.close)
        addresses = {}
        for number, app in enumerate(apps(args.weights)):
            temporary = folder / str(number)
            temporary.mkdir()
            server = stack.enter_context(running_server(app.arguments, temporary))
            addresses[app.name] = server[0]
        results = []
        for visitors in args.visitors:
            rounds: dict[str, list[list[dict]]] = {name: [] for name in addresses}
            for _ in range(args.rounds):
                for app in apps(args.weights):
                    seen = measure(browser, app, addresses[app.name], visitors, args.seconds)
                    rounds[app.name].append(seen)
            results += [
                {"visitors": visitors, "app": name, **summary(seen)}
                for name, seen in rounds.items()
            ]
    return results


if __name__ == "__main__":
    main()
