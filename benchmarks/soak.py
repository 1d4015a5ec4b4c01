"""Does the app stay as it is? A webcam and photos for twenty minutes; memory, files and log after.

    python -m benchmarks.soak [--minutes 20] [--warm-up 2] [--weights NAME] [--json FILE]

Prints resident memory of the server once a minute. Ends with 1 if it grew by 50 MB or more after
the warm-up, if a file is left, if the log or a page has an error, or if nothing was answered.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from fer_cbam.hub import DEFAULT_WEIGHTS
from tests.browser.conftest import (
    ASTRONAUT,
    astronaut_frames,
    launch_browser,
    running_server,
    write_mjpeg,
)

MOST_GROWTH = 50.0  # MB
PHOTO_EVERY = 4.0  # seconds
RESTART_EVERY = 60.0  # seconds: the camera is stopped and started, as visitors do


@dataclass
class Record:
    """What was seen: seconds and MB, answers, and errors of pages."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    frames: int = 0
    photos: int = 0
    page_errors: list[str] = field(default_factory=list)

    def growth(self, warm_up: float) -> float:
        """MB from the mean of the minute after the warm-up to that of the last minute."""
        end = self.memory[-1][0]
        first = [mb for at, mb in self.memory if warm_up <= at < warm_up + 60]
        last = [mb for at, mb in self.memory if at >= max(warm_up, end - 60)]
        return sum(last) / len(last) - sum(first) / len(first)


def resident_mb(pid: int) -> float:
    """Resident memory of a process; Linux."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def open_tab(browser, address: str, record: Record) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: record.page_errors.append(str(error)))
    page.on(
        "console",
        lambda m: record.page_errors.append(m.text) if m.type == "error" else None,
    )
    page.goto(address)
    page.wait_for_selector(".fer-webcam")
    return page


def ask_photo(page: Page, record: Record) -> None:
    page.eval_on_selector(".fer-photo", "e => e.dataset.state = 'idle'")
    page.set_input_files("#fer-file", ASTRONAUT)
    page.wait_for_selector('.fer-photo[data-state="done"]')
    record.photos += 1


def soak(browser, address: str, pid: int, seconds: float) -> Record:
    record = Record()
    live, photo = (open_tab(browser, address, record) for _ in range(2))
    photo.get_by_role("tab", name="Photo").click()
    started = restarted = printed = time.monotonic()
    live.click('[data-do="start"]')
    while (now := time.monotonic()) - started < seconds:
        ask_photo(photo, record)
        record.memory.append((now - started, resident_mb(pid)))
        if now - restarted > RESTART_EVERY:
            restarted = now
            live.click('[data-do="stop"]')
            live.click('.fer-webcam [data-do="start"]')
        if now - printed > 60:
            printed = now
            print(f"{(now - started) / 60:5.1f} min {record.memory[-1][1]:7.1f} MB", flush=True)
        time.sleep(PHOTO_EVERY)
    record.frames = int(live.get_attribute(".fer-webcam", "data-frames") or 0)
    return record


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--warm-up", type=float, default=2, help="minutes")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        temporary = Path(folder) / "app"
        temporary.mkdir()
        camera = write_mjpeg(Path(folder) / "camera.mjpeg", astronaut_frames())
        with running_server(["app.py", "--weights", args.weights], temporary) as (address, server):
            browser = launch_browser(playwright, camera)
            record = soak(browser, address, server.pid, 60 * args.minutes)
            browser.close()
            left = [str(p) for p in temporary.rglob("*") if p.is_file()]
        log = temporary.with_suffix(".log").read_text()
    errors = [line for line in log.splitlines() if "Traceback" in line or "ERROR" in line]
    result = {
        "minutes": args.minutes,
        "growth_mb": round(record.growth(60 * args.warm_up), 1),
        "last_mb": round(record.memory[-1][1], 1),
        "frames": record.frames,
        "photos": record.photos,
        "files_left": left,
        "errors": errors + record.page_errors,
    }
    print(json.dumps(result, indent=2))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    answered = record.frames > 0 and record.photos > 0
    failed = result["growth_mb"] >= MOST_GROWTH or left or result["errors"] or not answered
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
