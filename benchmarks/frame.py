"""What a 640x480 frame with one face costs, step by step, one thread.

    python -m benchmarks.frame [--weights SOURCE] [--backend onnx] [--max-side 320] [--rounds 100]
        [--report reports/speed/frame.json]

From pixels to label: detection, alignment, network. The network gives the maps as well; the
explanation is what it costs to turn two of them into pictures of the crop's size. Drawing is the
heatmap over the face, box and caption.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

import fer_cbam
from benchmarks import report
from eval.records import metric_records
from fer_cbam import EmotionRecognizer
from fer_cbam.backends.base import BACKENDS
from fer_cbam.detect import face_detector
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.images import decode_image
from fer_cbam.render import annotate, overlay

PHOTO = Path(fer_cbam.__file__).parent / "serve" / "assets" / "astronaut.jpg"
WIDTH, HEIGHT = 640, 480


class Clock:
    """Seconds of each step, one entry for each frame."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - started)

    def median(self, name: str) -> float:
        return 1e3 * statistics.median(self.seconds[name])


def frame() -> np.ndarray:
    """The astronaut, whose face is about a fifth of the height, on a grey 640x480 frame."""
    photo = decode_image(PHOTO)[:HEIGHT, :WIDTH]
    canvas = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    canvas[: photo.shape[0], : photo.shape[1]] = photo
    return canvas


def one_frame(recognizer: EmotionRecognizer, image: np.ndarray, clock: Clock) -> None:
    with clock.step("detection"):
        faces = recognizer.detector.detect(image)
    with clock.step("alignment"):
        crops = [recognizer.preprocess.align(image, face)[0] for face in faces]
        x = recognizer.preprocess(crops)
    with clock.step("network"):
        recognizer.backend.forward(x)
    with clock.step("pixels to label, whole"):
        recognizer(image)
    with clock.step("pixels to label and maps, whole"):
        recognitions = recognizer(image, explain=True)
    with clock.step("drawing"):
        picture = image
        for recognition in recognitions:
            picture = overlay(picture, recognition, recognition.saliencies[0])
        annotate(picture, recognitions)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--backend", choices=BACKENDS, default="onnx")
    parser.add_argument(
        "--max-side", type=int, default=320,
        help="finest search for faces: 320 as for the webcam, 4096 as for photographs",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    detector = face_detector(args.backend, args.max_side)
    recognizer = EmotionRecognizer.from_pretrained(args.weights, detector, args.backend)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    image = frame()
    found = len(detector.detect(image))
    if found != 1:
        raise SystemExit(f"{found} faces in the frame; expected 1")
    clock = Clock()
    for _ in range(3):  # warm up
        one_frame(recognizer, image, Clock())
    for _ in range(args.rounds):
        one_frame(recognizer, image, clock)
    print(f"{recognizer.name}, {args.backend}, search at {args.max_side}, "
          f"one thread, median of {args.rounds} frames")  # fmt: skip
    print(table(clock.median))
    if args.report:
        times = {f"{name.replace(' ', '_')}_milliseconds": ms
                 for name, ms in whole(clock.median).items()}  # fmt: skip
        records = metric_records(times, weights=recognizer.name, option=args.backend,
                                 condition=f"{WIDTH}x{HEIGHT}", n=args.rounds)  # fmt: skip
        report.write(args.report, "frame", "benchmarks.frame", arguments, records)


def whole(median: Callable[[str], float]) -> dict[str, float]:
    """What a frame costs as it is called."""
    explained = median("pixels to label and maps, whole")
    return {
        "label": median("pixels to label, whole"),
        "with explanation": explained,
        "with explanation drawn": explained + median("drawing"),
    }


def table(median: Callable[[str], float]) -> str:
    """Steps with their share of everything, then the whole as it is called."""
    steps = {name: median(name) for name in ("detection", "alignment", "network")}
    explained = median("pixels to label and maps, whole") - median("pixels to label, whole")
    steps["explanation"] = max(0.0, explained)
    steps["drawing"] = median("drawing")
    total = sum(steps.values())
    lines = ["| step | ms | share |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {ms:.2f} | {100 * ms / total:.0f} % |" for name, ms in steps.items()]
    lines += [f"| **{name}** | {ms:.2f} | |" for name, ms in whole(median).items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
