"""Does the app stay as it is? A webcam, photos and clips for twenty minutes; memory, files and log
after.

    python -m benchmarks.soak [--minutes 20] [--warm-up 2] [--weights NAME]
        [--report reports/speed/soak.json]

One visitor sends clips that were made to cost much: one whose frames lie 40 s apart, one of 4K
with a crowd. Prints resident memory of the server, and the longest that the others have waited,
once a minute. Ends with 1 if memory grew by 50 MB or more after the warm-up, if somebody waited for
3 seconds or more, if a file is left, if the log or a page has an error, or if nothing was
answered. What else the machine does counts too: the load is written down.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import report
from eval.records import metric_records
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.serve.clips import LEFT_AFTER
from tests.browser.conftest import (
    ASTRONAUT,
    astronaut_frames,
    launch_browser,
    running_server,
    uploads_under,
    write_mjpeg,
)

MOST_GROWTH = 50.0  # MB
PHOTO_EVERY = 4.0  # seconds
RESTART_EVERY = 60.0  # seconds: the camera is stopped and started, as visitors do
LONGEST_WAIT = 3.0  # seconds

# The longest time between two answers of a live picture, in ms; it starts anew with the camera.
WATCH = """
window.longest = 0;
let last = null;
new MutationObserver((changes) => {
  const live = document.querySelector(".fer-webcam").dataset.state === "live";
  const answered = changes.some((change) => change.attributeName === "data-frames");
  const now = performance.now();
  if (live && answered && last !== null) window.longest = Math.max(window.longest, now - last);
  if (!live) last = null;
  else if (answered) last = now;
}).observe(document.querySelector(".fer-webcam"), { attributes: true });
"""


@dataclass
class Record:
    """What was seen: seconds and MB, answers, seconds that were waited for one, the load of the
    machine, and errors of pages."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    frames: int = 0
    photos: int = 0
    clips: int = 0
    photo_waits: list[float] = field(default_factory=list)
    live_wait: float = 0.0
    loads: list[float] = field(default_factory=list)
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


def open_tab(browser: Browser, address: str, record: Record) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(180_000)  # ms: the machine may be busy
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
    started = time.monotonic()
    page.set_input_files("#fer-file", ASTRONAUT)
    page.wait_for_selector('.fer-photo[data-state="done"]')
    record.photo_waits.append(time.monotonic() - started)
    record.photos += 1


def costly_clips(folder: Path) -> list[Path]:
    """Motion JPEG in AVI: frames 40 s apart, and a crowd in 4K."""
    still = astronaut_frames(1)[0]
    crowd = np.tile(cv2.resize(still, (640, 480)), (5, 6, 1))[:2160, :3840]
    clips = []
    for name, frame, fps, count in (("gaps", still, 1 / 40, 12), ("crowd", crowd, 12, 40)):
        path = folder / f"{name}.avi"
        size = (frame.shape[1], frame.shape[0])
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
        for _ in range(count):
            writer.write(frame)
        writer.release()
        clips.append(path)
    return clips


def send_clip(page: Page, record: Record, clips: list[Path]) -> None:
    """The next clip, if the last one is done."""
    state = page.get_attribute(".fer-video", "data-state")
    if state in ("uploading", "reading"):
        return
    record.clips += state == "done"
    page.set_input_files("#fer-clip", clips[record.clips % len(clips)])


def soak(browser: Browser, address: str, pid: int, seconds: float, clips: list[Path]) -> Record:
    record = Record()
    live, photo, video = (open_tab(browser, address, record) for _ in range(3))
    photo.get_by_role("tab", name="Photo").click()
    video.get_by_role("tab", name="Video").click()
    live.evaluate(WATCH)
    started = restarted = printed = time.monotonic()
    live.click('[data-do="start"]')
    while (now := time.monotonic()) - started < seconds:
        send_clip(video, record, clips)
        ask_photo(photo, record)
        record.memory.append((now - started, resident_mb(pid)))
        record.loads.append(os.getloadavg()[0])
        record.live_wait = live.evaluate("window.longest") / 1000
        if now - restarted > RESTART_EVERY:
            restarted = now
            live.click('[data-do="stop"]')
            live.click('.fer-webcam [data-do="start"]')
        if now - printed > 60:
            printed = now
            print(
                f"{(now - started) / 60:5.1f} min {record.memory[-1][1]:7.1f} MB, waited at most "
                f"{max(record.photo_waits):.2f} s for a photo, {record.live_wait:.2f} s for a "
                f"frame; load {record.loads[-1]:.1f}", flush=True,
            )  # fmt: skip
        time.sleep(PHOTO_EVERY)
    record.frames = int(live.get_attribute(".fer-webcam", "data-frames") or 0)
    return record


def left_behind(temporary: Path) -> list[Path]:
    """Files of visitors who have left, once the server has had the time to notice that."""
    deadline = time.monotonic() + 3 * LEFT_AFTER
    while (left := uploads_under(temporary)) and time.monotonic() < deadline:
        time.sleep(1)
    return left


def numbers(record: Record, warm_up: float) -> dict[str, float]:
    """Metric -> value; waits in seconds. warm_up: seconds before memory counts."""
    return {
        "minutes": record.memory[-1][0] / 60,
        "growth_mb": record.growth(warm_up),
        "last_mb": record.memory[-1][1],
        "frames": record.frames,
        "photos": record.photos,
        "costly_clips": record.clips,
        "photo_wait_median_seconds": float(np.median(record.photo_waits)),
        "photo_wait_longest_seconds": max(record.photo_waits),
        "frame_wait_longest_seconds": record.live_wait,
        "load": float(np.mean(record.loads)),
    }


def broken(found: dict[str, float]) -> list[str]:
    """The limits that a soak did not keep."""
    limits = {"growth_mb": MOST_GROWTH, "photo_wait_longest_seconds": LONGEST_WAIT,
              "frame_wait_longest_seconds": LONGEST_WAIT}  # fmt: skip
    wrong = [f"{name}: {found[name]:.2f}; expected less than {limit:g}"
             for name, limit in limits.items() if found[name] >= limit]  # fmt: skip
    kinds = ("frames", "photos", "costly_clips")
    return wrong + [f"{name}: none was answered" for name in kinds if not found[name]]


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--warm-up", type=float, default=2, help="minutes")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        temporary = Path(folder) / "app"
        temporary.mkdir()
        camera = write_mjpeg(Path(folder) / "camera.mjpeg", astronaut_frames())
        with running_server(["app.py", "--weights", args.weights], temporary) as (address, server):
            browser = launch_browser(playwright, camera)
            clips = costly_clips(Path(folder))
            record = soak(browser, address, server.pid, 60 * args.minutes, clips)
            version = browser.version
            browser.close()
            left = [f"left behind: {path.name}" for path in left_behind(temporary)]
        log = temporary.with_suffix(".log").read_text()
    errors = [line for line in log.splitlines() if "Traceback" in line or "ERROR" in line]
    errors += record.page_errors
    found = numbers(record, 60 * args.warm_up) | {"files_left": len(left), "errors": len(errors)}
    wrong = [*broken(found), *left, *errors]
    print(*(f"{name}: {value:.2f}" for name, value in found.items()), *wrong, sep="\n")
    if args.report:
        records = metric_records(found, weights=args.weights, n=1)
        report.write_in_browser(args.report, "soak", "benchmarks.soak", arguments, records, version)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
