"""What answers over time cost: each step of a frame, twenty faces at once, an hour of webcam.

    python -m benchmarks.motion [--weights SOURCE] [--minutes 60]
        [--network FOLDER] [--report reports/speed/motion.json]

Of a 640x480 frame with one face: detection, alignment, the network that reads the face, its cues,
and the step of each smoother, one thread. Then made-up faces that move, come and go are followed at
15 frames a second of their own clock, as fast as it goes: as many minutes as asked for, the memory
of each frame kept as the app keeps it. Memory must not grow: it is taken after a tenth of the time,
and at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks import report
from benchmarks.frame import HEIGHT, WIDTH, Clock, frame
from eval.records import Record, record
from fer_cbam import EmotionRecognizer
from fer_cbam.detect import face_detector
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.serve.memories import Memories
from fer_cbam.smoothing.base import Seen, Smoother
from fer_cbam.smoothing.cues import cues
from fer_cbam.smoothing.recurrent import Recurrent
from fer_cbam.types import Face, Recognition
from fer_cbam.video.timeline import Timeline
from fer_cbam.video.tracks import Memory, follow

FPS = 15
STEPS = ("detection", "alignment", "network", "cues")
STEP_OF = {"network": "recurrent"}  # a step's name that is taken by the one that reads faces
LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def one_frame(
    recognizer: EmotionRecognizer, smoothers: Mapping[str, Smoother], image: np.ndarray,
    clock: Clock,
) -> None:  # fmt: skip
    with clock.step("detection"):
        (face,) = recognizer.detector.detect(image)
    with clock.step("alignment"):
        (aligned,) = recognizer.align(image, [face])
    with clock.step("network"):
        (recognition,) = recognizer.recognize_aligned([aligned])
    with clock.step("cues"):
        cues(face, aligned.crop)
    for name, smoother in smoothers.items():
        seen = Seen.of(recognition, smoother.needs_cues)
        _, state = smoother.step(seen, 0.0, None)
        with clock.step(STEP_OF.get(name, name)):
            smoother.step(seen, 1 / FPS, state)


class Crowd:
    """People who walk about and come and go, with what a network saw of one face. count: most at
    once."""

    def __init__(self, like: Recognition, count: int, seed: int = 0) -> None:
        self.like, self.rng = like, np.random.default_rng(seed)
        self.places = self.rng.uniform(0, 2000, (count, 2))
        self.there = np.ones(count, bool)

    def next(self) -> list[Recognition]:
        count = len(self.places)
        self.places += self.rng.normal(0, 4, (count, 2))
        self.there ^= self.rng.random(count) < 0.01
        return [self._face(place) for place in self.places[self.there]]

    def _face(self, place: np.ndarray) -> Recognition:
        x, y = place
        face = Face((x, y, x + 80, y + 100), 0.9, LANDMARKS * 80 + place.astype(np.float32))
        like = self.like
        assert like.embedding is not None
        seen = like.embedding + self.rng.normal(0, 0.05, like.embedding.shape).astype(np.float32)
        return Recognition(face, like.prediction, like.crop, like.affine, embedding=seen)


def followed(
    recognizer: EmotionRecognizer, smoother: Smoother, crowd: Crowd, frames: int
) -> tuple[float, float, int]:
    """Follow a crowd as the app does; milliseconds a frame, growth of memory in MB, tracks."""
    memories, memory, line = Memories(), Memory(), Timeline.live()
    ticket, before, spent = memories.put(memory), 0.0, 0.0
    for number in range(frames):
        if number == frames // 10:
            before = resident_mb()
        recognitions = crowd.next()
        started = time.perf_counter()
        tracked, memory = follow(
            memories.get(ticket), recognitions, number / FPS, recognizer.decision, smoother
        )
        spent += time.perf_counter() - started
        ticket = memories.put(memory)
        for face in tracked[:1]:
            line.add(number / FPS, face.recognition.prediction.probs)
    return 1e3 * spent / frames, resident_mb() - before, memory.next_track - 1


def resident_mb() -> float:
    """Of this process; Linux only."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--network", type=Path, help="folder of a recurrent network, not embedded")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    recognizer = EmotionRecognizer.from_pretrained(
        args.weights, face_detector("onnx", 320), backend="onnx"
    )
    smoothers = {name: recognizer.smoother(name) for name in recognizer.smoothers}
    if args.network:
        smoothers = {"network": Recurrent.load(args.network), **smoothers}
    image, clock = frame(), Clock()
    for _ in range(3):  # warm up
        one_frame(recognizer, smoothers, image, Clock())
    for _ in range(args.rounds):
        one_frame(recognizer, smoothers, image, clock)
    size = f"{WIDTH}x{HEIGHT}"
    records: list[Record] = [
        record("milliseconds", clock.median(name), weights=recognizer.name, option=name,
               condition=size, n=args.rounds)
        for name in (*STEPS, *(STEP_OF.get(name, name) for name in smoothers))
    ]  # fmt: skip
    (like,) = recognizer.recognize(image, recognizer.detector.detect(image))
    smoother = next(iter(smoothers.values()))
    for people, frames in ((20, 600), (1, round(args.minutes * 60 * FPS))):
        spent, growth, tracks = followed(recognizer, smoother, Crowd(like, people), frames)
        values = {"follow_milliseconds": spent, "growth_mb": growth, "tracks": tracks}
        records += [record(metric, value, weights=recognizer.name, option=smoother.name,
                           condition=f"{people} people", n=frames)
                    for metric, value in values.items()]  # fmt: skip
    for one in records:
        print(f"{one['option']:10} {one['condition']:10} {one['metric']:20} {one['value']:.3f}")
    if args.report:
        report.write(args.report, "motion", "benchmarks.motion", arguments, records)


if __name__ == "__main__":
    main()
