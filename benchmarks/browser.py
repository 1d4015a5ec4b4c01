"""From a canvas of 640x480 to the label of its face in a browser, ours and others, on one thread.

    npm install --prefix PEERS onnxruntime-web @vladmandic/human @vladmandic/face-api \\
        @tensorflow/tfjs-backend-wasm
    python -m benchmarks.browser PEERS [--rounds 40] [--report reports/speed/browser.json]

In one page of one Chromium, each round times every way once, in turn, so that a machine whose speed
drifts treats all alike. Ours is the kernel of ``web/``; beside it the same steps with ONNX Runtime
for both networks; ``human`` and ``face-api`` with no more than their face detector and their
network of expressions, on their WebAssembly backend. How many times as fast is the median of the
rounds' ratios, with a 95 % interval from resampling the rounds. Each way must find the smile of the
picture: what is timed is an answer. Needs Chromium, torch and onnx.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks import frame, report
from eval.records import Record, provenance, record, write_report
from fer_cbam import pretrained
from fer_cbam.backends.names import EMBEDDING, INPUT, LOGITS
from fer_cbam.deploy.graph import build
from fer_cbam.detect.yunet import MODEL_FILE
from fer_cbam.hub import load_model
from tests.browser.conftest import chromium_path

ROOT = Path(__file__).parents[1]
WEIGHTS = {"tiny": "fer_cbam_tiny.ferplus", "base": "fer_cbam_base.ferplus"}
PEERS = ("onnxruntime-web", "@vladmandic/human", "@vladmandic/face-api")
WARM_UP = 5
EXPECTED = {"happiness", "happy"}
PAGE = "<!doctype html><title>benchmark</title><p>benchmark"


class Handler(SimpleHTTPRequestHandler):
    """Files of several folders, each below a name of its own."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript", ".wasm": "application/wasm",
    }  # fmt: skip

    def __init__(self, *args: Any, folders: Mapping[str, Path], **kwargs: Any):
        self.folders = folders
        super().__init__(*args, **kwargs)

    def translate_path(self, path: str) -> str:
        _, name, *rest = path.partition("?")[0].split("/")
        return str(self.folders.get(name, ROOT / "nowhere").joinpath(*rest))

    def do_GET(self) -> None:
        if self.path != "/":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *args: Any) -> None: ...


@contextmanager
def served(folders: Mapping[str, Path]) -> Iterator[str]:
    """The address of a server of those folders."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, folders=folders))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def write_files(folder: Path) -> None:
    """The picture, and the networks as ONNX Runtime takes them."""
    Image.fromarray(frame.frame()).save(folder / "frame.png")
    for size, weights in WEIGHTS.items():
        onnx.save(build(load_model(weights)), folder / f"{size}.onnx")
    detector = onnx.load(MODEL_FILE)
    for axis, name in ((2, "h"), (3, "w")):
        detector.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    onnx.save(detector, folder / "yunet.onnx")


def ways() -> dict[str, dict[str, Any]]:
    """Name of a way, with the weights behind it where it runs ours -> what ``browser.mjs`` needs to
    know of it."""
    names = {"input": INPUT, "logits": LOGITS, "embedding": EMBEDDING}
    found: dict[str, dict[str, Any]] = {}
    for size, weights in WEIGHTS.items():
        found[f"kernel {weights}"] = {"kind": "ours", "weights": weights}
        found[f"onnxruntime-web {weights}"] = {
            "kind": "onnxRuntime", "weights": weights, "network": f"/made/{size}.onnx",
            "names": names,
        }  # fmt: skip
    return found | {"human": {"kind": "human"}, "face-api": {"kind": "faceApi"}}


def timed(page: Page, rounds: int) -> dict[str, np.ndarray]:
    """Way -> milliseconds of each round.

    Raises:
        SystemExit: a way that does not see the smile.
    """
    module = 'await import("/benchmarks/browser.mjs")'
    prepare = f'async (ways) => (({module}).prepare("/made/frame.png", ways))'
    page.evaluate(prepare, ways())
    times: dict[str, list[float]] = {name: [] for name in ways()}
    for number in range(-WARM_UP, rounds):
        for name, answer in page.evaluate(f"async () => ({module}).round()").items():
            if answer.get("label") not in EXPECTED:
                raise SystemExit(f"{name}: answers {answer}; expected a smile")
            if number >= 0:
                times[name].append(answer["milliseconds"])
    return {name: np.array(each) for name, each in times.items()}


def median(values: np.ndarray) -> dict[str, float]:
    """Of rounds, with a 95 % interval from resampling them."""
    rng = np.random.default_rng(0)
    drawn = np.median(rng.choice(values, (2000, len(values))), axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": float(np.median(values)), "low": float(low), "high": float(high)}


def records(times: Mapping[str, np.ndarray]) -> Iterator[Record]:
    """Milliseconds of each way, and how many times as fast as each other way ours is."""
    same = {"condition": "640x480 canvas to label", "n": len(next(iter(times.values())))}
    for name, each in times.items():
        option, _, weights = name.partition(" ")
        yield record("milliseconds", **median(each), option=option, weights=weights or None, **same)
    for weights in WEIGHTS.values():
        for name in (f"onnxruntime-web {weights}", "human", "face-api"):
            ratio = median(times[name] / times[f"kernel {weights}"])
            option = name.partition(" ")[0]
            yield record("times_as_fast", **ratio, weights=weights, option=option, **same)


def versions(peers: Path) -> dict[str, str]:
    """Of the packages that ours is compared with."""
    read = (json.loads((peers / name / "package.json").read_text()) for name in PEERS)
    return {package["name"]: package["version"] for package in read}


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("peers", type=Path, help="folder that npm has installed the others into")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    packages = args.peers / "node_modules"
    found = versions(packages)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        write_files(Path(made))
        folders = {
            "web": ROOT / "web", "benchmarks": ROOT / "benchmarks", "peers": packages,
            "made": Path(made), "weights": pretrained.EMBEDDED, "detector": MODEL_FILE.parent,
        }  # fmt: skip
        browser = playwright.chromium.launch(executable_path=chromium_path())
        with served(folders) as address:
            page = browser.new_page()
            page.goto(address)
            times = timed(page, args.rounds)
        chromium = browser.version
        browser.close()
    for entry in records(times):
        name = f"{entry.get('weights', '')} {entry['option']}"
        print(f"{entry['metric']:14} {name:48} {entry['value']:7.2f} "
              f"({entry['low']:.2f} to {entry['high']:.2f})")  # fmt: skip
    if args.report:
        command = provenance("benchmarks.browser", arguments)
        command["versions"] |= {"chromium": chromium, **found}
        write_report(args.report, "browser", command, records(times),
                     processor=report.processor(), threads=1)  # fmt: skip


if __name__ == "__main__":
    main()
