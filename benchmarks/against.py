"""What a frame costs now, as a share of what it cost in an earlier version, in one run.

    git worktree add ../before COMMIT
    python -m benchmarks.against --before ../before [--int8 onnx/] [--litert litert/]
        [--rounds 30] [--report reports/speed/against.json]

Two processes, one with each version's package, take turns, so that a machine whose speed drifts
treats both alike. A share is the median of the shares of all rounds; its spread is from the lower
to the upper quartile. One thread each. What is timed:

- ``1 face``, ``20 faces``: pixels to label, 640x480, with the same backend (ONNX Runtime) in both
  versions, and with the backend that each version's app takes by itself where torch and ONNX
  Runtime are installed. With --int8 and --litert, folders of ``fer-cbam export``, also those
  networks now, against the earlier version on ONNX Runtime.
- ``align``: cutting the 20 faces out.
- ``draw``: heatmap, box and caption of 20 faces on 1920x1080.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WARM_UP = 2
ROWS, COLUMNS = 4, 5
FACE = 110  # pixels of the astronaut's face


class Timer:
    """A process that serves times, in an environment of its own. command: how it is started.
    variables: its environment."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(variables),
            cwd="/",
        )
        self.names: list[str] = json.loads(self._line())

    def milliseconds(self, name: str) -> float:
        assert self.process.stdin
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended with status {self.process.wait()}")
        return line

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def version(tree: Path, weights: str, networks: Sequence[str]) -> Timer:
    """A process with the package of one source tree. networks: ``backend=folder``."""
    variables = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    return Timer([sys.executable, __file__, "--serve", weights, *networks], variables)


def serve(jobs: Mapping[str, Callable[[], object]]) -> None:
    """In such a process: say what can be timed, and time what is asked for."""
    print(json.dumps(list(jobs)), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        jobs[line.strip()]()
        print(1e3 * (time.perf_counter() - started), flush=True)


def made_jobs(weights: str, networks: dict[str, str]) -> dict[str, Callable[[], object]]:
    """Name -> what is timed, by the package that is imported here."""
    import cv2
    import numpy as np

    from fer_cbam import EmotionRecognizer
    from fer_cbam.backends import open as backends
    from fer_cbam.detect import face_detector

    cv2.setNumThreads(1)
    fastest = getattr(backends, "fastest_backend", None)
    own = fastest(weights) if fastest else backends.default_backend()
    sources = {"onnx": weights, **networks}
    if own not in sources:
        sources[own] = weights
    recognizers = {
        backend: EmotionRecognizer.from_pretrained(
            source, face_detector(backend, 320), backend, device="cpu"
        )
        for backend, source in sources.items()
    }
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    for recognizer in recognizers.values():
        if hasattr(recognizer.backend, "_threads"):
            recognizer.backend._threads = 1
    single, many = crowd(np, cv2, 640, 480, 1, 1), crowd(np, cv2, 640, 480, ROWS, COLUMNS)
    large = crowd(np, cv2, 1920, 1080, ROWS, COLUMNS)
    first = recognizers["onnx"]
    faces = first.detector.detect(many)
    shown = first.recognize(large, first.detector.detect(large), explain=False)
    if (len(first.detector.detect(single)), len(faces), len(shown)) != (1, 20, 20):
        raise SystemExit(f"{len(faces)} and {len(shown)} faces found; expected 20")
    jobs: dict[str, Callable[[], object]] = {"align": lambda: first.align(many, faces)}
    for backend, recognizer in [*recognizers.items(), ("own", recognizers[own])]:
        jobs[f"1 face, {backend}"] = lambda r=recognizer: r(single)  # type: ignore[misc]
        jobs[f"20 faces, {backend}"] = lambda r=recognizer: r(many)  # type: ignore[misc]
    jobs["draw"] = drawing(large, shown)
    return jobs


def drawing(image: Any, shown: Sequence[Any]) -> Callable[[], object]:
    """Heatmaps, boxes and captions as the marked clip has them, on a frame of its own."""
    from inspect import signature

    from fer_cbam import render

    maps = [recognition.saliency() for recognition in shown]
    if "saliencies" in signature(render.annotate).parameters:
        frame = image.copy()
        return lambda: render.annotate(frame, shown, None, maps, in_place=True)

    def one_by_one() -> object:
        picture = image
        for recognition, saliency in zip(shown, maps, strict=True):
            picture = render.overlay(picture, recognition, saliency)
        return render.annotate(picture, shown)

    return one_by_one


def crowd(np: Any, cv2: Any, width: int, height: int, rows: int, columns: int) -> Any:
    """The astronaut's head once in each cell of a grey picture."""
    from fer_cbam.images import decode_image

    photo = decode_image(ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg")
    side = round(min(width / columns, height / rows, 2 * FACE))
    head = cv2.resize(photo[20:220, 124:324], (side, side), interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), 128, np.uint8)
    for row in range(rows):
        for column in range(columns):
            y = round((row + 0.5) * height / rows - side / 2)
            x = round((column + 0.5) * width / columns - side / 2)
            canvas[y : y + side, x : x + side] = head
    return canvas


def pairs(before: Timer, now: Timer) -> list[tuple[str, str]]:
    """What is compared with what."""
    found = [(name, name) for name in now.names if name in before.names]
    for name in now.names:
        count, _, backend = name.partition(", ")
        if name not in before.names and backend != "own":
            found.append((f"{count}, onnx", name))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    from benchmarks import report
    from eval.records import record
    from fer_cbam.hub import DEFAULT_WEIGHTS

    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, required=True, help="a tree of the earlier version")
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--int8", type=Path, help="folder of fer-cbam export --data")
    parser.add_argument("--litert", type=Path, help="folder of fer-cbam export --format litert")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    folders = {"onnx-int8": args.int8, "litert": args.litert}
    networks = [f"{name}={folder.resolve()}" for name, folder in folders.items() if folder]
    before = version(args.before.resolve(), args.weights, [])
    now = version(ROOT, args.weights, networks)
    wanted = pairs(before, now)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for _, name in wanted}
    for turn in range(args.rounds + WARM_UP):
        for old, new in wanted:
            both = before.milliseconds(old), now.milliseconds(new)
            if turn >= WARM_UP:
                taken[new].append(both)
    before.close()
    now.close()
    print("| what | before, ms | now, ms | share | from | to |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    records = []
    for name, times in taken.items():
        low, share, high = statistics.quantiles([new / old for old, new in times], n=4)
        old, new = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {name} | {old:.2f} | {new:.2f} | {share:.2f} | {low:.2f} | {high:.2f} |")
        fields = {"weights": args.weights, "condition": name, "n": args.rounds}
        records += [
            record("share", share, **fields, low=low, high=high),
            record("before_milliseconds", old, **fields),
            record("now_milliseconds", new, **fields),
        ]
    if args.report:
        report.write(args.report, "against", "benchmarks.against", arguments, records)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.path.pop(0)  # this folder
        serve(made_jobs(sys.argv[2], dict(pair.split("=", 1) for pair in sys.argv[3:])))
    else:
        main()
