"""A photograph with 12 faces and the maps of all their labels: asked for one by one, and at once.

    python -m benchmarks.photo [--weights NAME] [--rounds 5]

One by one is what the photo page did: the network classifies all faces in one call, and is then
asked for the Grad-CAM of each label of each face, in a call of its own. At once is what it does
now: one call gives all of them. Both end with a map of the size of the crop for every face and
label, the same ones, which is checked. Calls of the network are counted, and the ways take turns,
so that a machine whose speed drifts treats all alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from benchmarks.frame import PHOTO
from fer_cbam import EmotionRecognizer
from fer_cbam.backends.base import Forward
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.images import decode_image
from fer_cbam.saliency import attention_maps, saliency_maps
from fer_cbam.types import Face

ROWS, COLUMNS, SIDE = 3, 4, 160
Maps = dict[str, list[np.ndarray]]  # label -> a map for each face


def picture() -> np.ndarray:
    """The astronaut's face, 12 times."""
    face = cv2.resize(decode_image(PHOTO)[20:220, 124:324], (SIDE, SIDE))
    return np.tile(face, (ROWS, COLUMNS, 1))


class Counted:
    """A recogniser whose network calls are counted."""

    def __init__(self, recognizer: EmotionRecognizer):
        self.recognizer, self.calls = recognizer, 0
        self._forward = recognizer.backend.forward
        setattr(recognizer.backend, "forward", self._counted)  # noqa: B010

    def _counted(self, x: np.ndarray) -> Forward:
        self.calls += 1
        return self._forward(x)

    def one_by_one(self, image: np.ndarray, faces: Sequence[Face]) -> Maps:
        found = self.recognizer.recognize(image, faces, explain=True)
        return {
            label: [self._asked(recognition.crop, k) for recognition in found]
            for k, label in enumerate(self.recognizer.label_names)
        }

    def _asked(self, crop: np.ndarray, k: int) -> np.ndarray:
        """What a call for one label of one crop did; the attention came with it."""
        size = self.recognizer.preprocess.input_size[1:]
        forward = self.recognizer.backend.forward(self.recognizer.preprocess([crop]))
        if forward.attention is not None:
            attention_maps(forward.attention[0, 0], size)
        return saliency_maps(forward.class_maps[0, k], size)

    def at_once(self, image: np.ndarray, faces: Sequence[Face]) -> Maps:
        found = self.recognizer.recognize(image, faces, explain=True)
        return {
            label: [recognition.saliency(label).values for recognition in found]
            for label in self.recognizer.label_names
        }


def measure(
    counted: Counted, image: np.ndarray, faces: Sequence[Face], rounds: int
) -> dict[str, tuple[int, float]]:
    """Way -> calls of the network, and median milliseconds."""
    ways: dict[str, Callable[[np.ndarray, Sequence[Face]], Maps]] = {
        "one by one": counted.one_by_one,
        "at once": counted.at_once,
    }
    calls: dict[str, int] = {}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        maps = {}
        for name, way in ways.items():
            counted.calls, started = 0, time.perf_counter()
            maps[name] = way(image, faces)
            if turn > 0:  # the first warms up
                seconds[name].append(time.perf_counter() - started)
            calls[name] = counted.calls
        for label, expected in maps["one by one"].items():
            np.testing.assert_allclose(maps["at once"][label], expected, atol=1e-3)
    return {name: (calls[name], 1e3 * statistics.median(s)) for name, s in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    image = picture()
    print(f"{args.weights}, {ROWS * COLUMNS} faces, median of {args.rounds} rounds")
    print("| backend | way | network calls | ms |\n| --- | --- | ---: | ---: |")
    for backend in ("torch", "onnx"):
        recognizer = EmotionRecognizer.from_pretrained(args.weights, backend=backend, device="cpu")
        faces = recognizer.detector.detect(image)
        if len(faces) != ROWS * COLUMNS:
            raise SystemExit(f"{len(faces)} faces found; expected {ROWS * COLUMNS}")
        result = measure(Counted(recognizer), image, faces, args.rounds)
        for way, (calls, ms) in result.items():
            print(f"| {backend} | {way} | {calls} | {ms:.1f} |")
        ratio = result["one by one"][1] / result["at once"][1]
        print(f"| {backend} | **times faster** | | {ratio:.1f} |")


if __name__ == "__main__":
    main()
