"""How fast the webcam tab is: frames shown a second and latency, against the plainest echo apps.

    python -m benchmarks.app [--visitors 1 4] [--seconds 15] [--rounds 4] [--before ../before]
        [--report reports/speed/app.json]

The fake camera plays the example photograph with a number drawn into each frame. A script in the
page reads that number in the camera's own picture and in the picture that is shown; the time
between the two is the latency as a visitor has it: camera, encoding, network, server, drawing.
Browser and servers share this machine. Apps take turns within a round, so that a machine whose
speed drifts treats all alike. Explanations are on: each frame of ours is shown with its own.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import report
from eval.records import Record, metric_records
from fer_cbam.hub import DEFAULT_WEIGHTS
from tests.browser.conftest import (
    ROOT,
    astronaut_frames,
    launch_browser,
    running_server,
    write_mjpeg,
)

CELLS, SIDE, ROW = 12, 24, 440  # bits, pixels of one, upper edge; benchmarks/counter.js reads them
FRAMES = 600
COUNTER = Path(__file__).with_name("counter.js")
WARM_UP = 4  # seconds before anything is counted
FIRST = 2.0  # seconds of a first round, which is not counted: caches fill
OURS, ECHO = "app", "echo, gr.HTML"

Rounds = Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]  # app -> rounds -> visitors


@dataclass(frozen=True)
class App:
    """A page to measure: how to start it, in which tree, and where it shows its picture."""

    name: str
    arguments: list[str]
    start: tuple[str, ...]  # selectors to click, one after another
    shown: str
    mirrored: bool
    tree: Path = ROOT


def apps(weights: str, before: Path | None) -> list[App]:
    image = ('[title="grant webcam access"] button', "button.capture-button")
    echo = ["-m", "benchmarks.echo_app"]
    trees = {OURS: ROOT} | ({"app before": before} if before else {})
    return [
        *(App(name, ["app.py", "--weights", weights], ('[data-do="start"]',), ".fer-plain", True,
              tree) for name, tree in trees.items()),
        App(ECHO, [*echo, "html"], ("button:text-is('Start')",), "img.echo", False),
        App("echo, gr.Image", [*echo, "image"], image, ".echo img", True),
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
            page.evaluate("counter.shown.length = 0")
        time.sleep(seconds)
        seen = [page.evaluate("({...counter, video: 0, now: performance.now()})") for page in pages]
    return [
        {
            "fps": len(one["shown"]) / seconds,
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
    page.evaluate(
        "([selector, mirrored]) => counter.watch(selector, mirrored)", [app.shown, app.mirrored]
    )
    try:
        yield page
    finally:
        context.close()


def summary(rounds: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Of all visitors of all rounds together; ``least_share`` is the slowest visitor's frames over
    a fair share of its round."""
    everyone = [visitor for one in rounds for visitor in one]
    times = np.concatenate([visitor["latencies"] for visitor in everyone])
    shares = [min(v["fps"] for v in one) / max(1e-9, fps(one)) for one in rounds]
    return {
        "fps": fps(everyone),
        "camera_fps": float(np.mean([v["camera_fps"] for v in everyone])),
        "p50_milliseconds": float(np.percentile(times, 50)) if times.size else None,
        "p95_milliseconds": float(np.percentile(times, 95)) if times.size else None,
        "least_share": float(min(shares)),
    }


def fps(visitors: Sequence[Mapping[str, Any]]) -> float:
    """The mean of all visitors."""
    return float(np.mean([visitor["fps"] for visitor in visitors]))


def of_echo(rounds: Rounds, name: str) -> dict[str, float]:
    """Frames shown, as a share of the echo's in the same round: median and quartiles."""
    shares = [fps(a) / fps(b) for a, b in zip(rounds[name], rounds[ECHO], strict=True)]
    low, value, high = statistics.quantiles(shares, n=4, method="inclusive")
    return {"value": value, "low": low, "high": high}


def records(weights: str, visitors: int, rounds: Rounds) -> list[Record]:
    """Records of the apps for one number of visitors at once."""
    return [
        one
        for name, seen in rounds.items()
        for one in metric_records(
            summary(seen) | {"of_echo": of_echo(rounds, name)}, option=name, n=len(seen),
            condition=f"{visitors} visitors", weights=weights if name.startswith(OURS) else None,
        )
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--before", type=Path, help="a tree of the earlier version")
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=4, help="at least 2")
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    print(f"{'visitors':>8} {'app':16} {'fps each':>9} {'p50':>7} {'p95 ms':>7} "
          f"{'least share':>11} {'of the echo':>11}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        camera = write_mjpeg(Path(folder) / "camera.mjpeg", numbered_frames())
        browser = launch_browser(playwright, camera)
        found = run(browser, Path(folder), args)
        version = browser.version
        browser.close()
    if args.report:
        report.write_in_browser(args.report, "app", "benchmarks.app", arguments, found, version)


def show(visitors: int, rounds: Rounds) -> None:
    for name, seen in rounds.items():
        row, share = summary(seen), of_echo(rounds, name)["value"]
        p50, p95 = (row[f"p{n}_milliseconds"] or float("nan") for n in (50, 95))
        print(f"{visitors:8} {name:16} {row['fps']:9.1f} {p50:7.0f} "
              f"{p95:7.0f} {row['least_share']:11.2f} {share:11.2f}", flush=True)  # fmt: skip


def run(browser: Browser, folder: Path, args: argparse.Namespace) -> list[Record]:
    """Start all apps, and look at each with so many visitors as are asked for, in turn."""
    measured = apps(args.weights, args.before)
    found: list[Record] = []
    with ExitStack() as stack:
        addresses = {}
        for number, app in enumerate(measured):
            temporary = folder / str(number)
            temporary.mkdir()
            server = stack.enter_context(running_server(app.arguments, temporary, app.tree))
            addresses[app.name] = server[0]
        for visitors in args.visitors:
            rounds: dict[str, list[list[dict]]] = {name: [] for name in addresses}
            for turn in range(args.rounds + 1):
                seconds = args.seconds if turn else FIRST
                for app in measured:
                    seen = measure(browser, app, addresses[app.name], visitors, seconds)
                    if turn:
                        rounds[app.name].append(seen)
            show(visitors, rounds)
            found += records(args.weights, visitors, rounds)
    return found


if __name__ == "__main__":
    main()
