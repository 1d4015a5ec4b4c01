"""The page for the visitor's own device: what a first visit sends, and whether memory stays flat.

    python -m benchmarks.device [--minutes 10] [--camera CLIP] [--report FILE]

A host that compresses what it sends counts the bytes of a first visit. Then the host is closed and
the network taken away, and the webcam runs with the explanation drawn. Memory is that of the page's
JavaScript after a collection, and the resident memory of the browser's process that holds page,
worker and WebAssembly, sampled each ten seconds (Linux). Beside it, in a browser of its own, runs a
page that does nothing but show the same camera on a canvas: what a browser's process grows by for a
camera alone. Ends with 1 if a limit is broken.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.report import processor
from eval.records import Record, provenance, record, write_report
from fer_cbam.device.site import write_site
from tests.browser.conftest import astronaut_frames, launch_browser, video_frames, write_mjpeg

TINY = "fer_cbam_tiny.ferplus"
READY = "Ready, also without a network."
MOST_BYTES = 1.3e6
MOST_GROWTH = 20.0  # MB
SAMPLE = 10.0  # seconds
CONTROL = """<!doctype html><title>camera</title><video muted playsinline hidden></video>
<canvas width="640" height="480"></canvas><script type="module">
const [video, canvas] = document.querySelectorAll("video, canvas");
video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
await video.play();
const pen = canvas.getContext("2d", { willReadFrequently: true });
document.body.dataset.frames = 0;
const draw = () => {
  pen.drawImage(video, 0, 0, 640, 480);
  pen.getImageData(0, 0, 640, 480);
  document.body.dataset.frames = Number(document.body.dataset.frames) + 1;
  video.requestVideoFrameCallback(draw);
};
draw();
</script>"""
MINUTE = 60.0


class Host(ThreadingHTTPServer):
    """Sends files gzipped, and counts their bytes. sent: path -> bytes."""

    def __init__(self, folder: Path) -> None:
        self.sent: dict[str, int] = {}
        host = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                path = Path(self.translate_path(self.path))
                file = path / "index.html" if path.is_dir() else path
                tag = f'"{file.stat().st_mtime_ns}"' if file.is_file() else ""
                if not tag or self.headers.get("If-None-Match") == tag:
                    self.send_response(304 if tag else 404)
                    self.end_headers()
                    return
                body = gzip.compress(file.read_bytes(), 9)
                host.sent[self.path] = host.sent.get(self.path, 0) + len(body)
                self.send_response(200)
                headers = {"Content-Type": self.guess_type(str(file)), "Content-Encoding": "gzip",
                           "Content-Length": str(len(body)), "ETag": tag}  # fmt: skip
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), partial(Handler, directory=folder))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def heap_mb(session: CDPSession) -> float:
    """The page's JavaScript after a collection."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


def resident_mb(browser: Browser) -> float:
    """Of the process that holds the page: the largest of those that hold pages."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = [_status_mb(process["id"]) for process in found if process["type"] == "renderer"]
    return max(sizes)


def _status_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def write_control(site: Path) -> str:
    """The name of the page that shows the camera alone, below the same host."""
    (site / "camera.html").write_text(CONTROL, encoding="utf-8")
    return "camera.html"


def frames(page: Page) -> int:
    return int(page.get_attribute(".fer-webcam", "data-frames") or 0)


def sampled(
    browser: Browser, page: Page, control: Browser, seconds: float
) -> Iterator[tuple[float, ...]]:
    """Seconds, heap and resident MB, and the control's resident MB, while the camera runs."""
    session = page.context.new_cdp_session(page)
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        yield passed, heap_mb(session), resident_mb(browser), resident_mb(control)
        page.wait_for_timeout(1000 * SAMPLE)


def growth(samples: Sequence[tuple[float, ...]], column: int) -> float:
    """MB from the mean of the second minute, when everything is warm, to that of the last."""
    end = samples[-1][0]
    first = [s[column] for s in samples if MINUTE <= s[0] < 2 * MINUTE]
    last = [s[column] for s in samples if s[0] >= end - MINUTE]
    return sum(last) / len(last) - sum(first) / len(first)


def measure(
    browser: Browser, control: Browser, site: Path, minutes: float
) -> tuple[dict[str, Any], list[str]]:
    """Numbers, and what the page said or asked for that it should not have."""
    wrong: list[str] = []
    host = Host(site)
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.goto(host.address)
    page.get_by_text(READY).wait_for()
    sent = dict(host.sent)
    camera = control.new_page()
    camera.goto(f"{host.address}{write_control(site)}")
    page.context.on("request", lambda r: wrong.append(f"asked for {r.url}"))
    page.context.set_offline(True)
    host.close()
    page.get_by_role("button", name="Start camera").click()
    samples = []
    for sample in sampled(browser, page, control, MINUTE * minutes):
        samples.append(sample)
        print(f"{sample[0] / 60:5.1f} min, heap {sample[1]:6.1f} MB, process {sample[2]:6.1f} MB, "
              f"camera alone {sample[3]:6.1f} MB, {frames(page)} frames, "
              f"{page.inner_text('.fer-rate')}", flush=True)  # fmt: skip
    numbers = {
        "first_visit_bytes": sum(sent.values()),
        "first_visit_files": len(sent),
        "weights_bytes": sum(size for path, size in sent.items() if "/weights/" in path),
        "live_minutes": minutes,
        "live_frames": frames(page),
        "heap_mb": samples[-1][1],
        "heap_growth_mb": growth(samples, 1),
        "resident_mb": samples[-1][2],
        "resident_growth_mb": growth(samples, 2),
        "control_frames": int(camera.get_attribute("body", "data-frames") or 0),
        "control_resident_growth_mb": growth(samples, 3),
    }
    page.context.close()
    return numbers, wrong


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--camera", type=Path, help="a clip; by default the example photograph")
    parser.add_argument("--report", type=Path)
    args = parser.parse_args(argv)
    if args.minutes < 2.5:
        parser.error(f"--minutes: got {args.minutes:g}; expected at least 2.5, to compare minutes")
    arguments = list(argv) if argv is not None else sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shown = video_frames(args.camera) if args.camera else astronaut_frames()
        camera = write_mjpeg(Path(folder) / "camera.mjpeg", shown)
        browser, control = (launch_browser(playwright, camera) for _ in range(2))
        site = write_site(Path(folder) / "page")
        numbers, wrong = measure(browser, control, site, args.minutes)
        version = browser.version
        for each in (browser, control):
            each.close()
    print(*(f"{name}: {value:.1f}" for name, value in numbers.items()), *wrong, sep="\n")
    if args.report:
        made = provenance("benchmarks.device", arguments)
        made["versions"]["chromium"] = version
        records: list[Record] = [
            record(name, value, weights=TINY, option="browser", n=1)
            for name, value in numbers.items()
        ]
        write_report(args.report, "device", made, records, processor=processor())
    grown = max(numbers["heap_growth_mb"], numbers["resident_growth_mb"])
    large = numbers["first_visit_bytes"] > MOST_BYTES
    return int(bool(wrong) or large or grown >= MOST_GROWTH or not numbers["live_frames"])


if __name__ == "__main__":
    sys.exit(main())
