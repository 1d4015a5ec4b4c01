"""From a frame of 640x480 to the label of its face in Python, ours and fer's, on one core.

    python -m venv FER && FER/bin/pip install fer==25.10.3
    python -m benchmarks.peers --fer FER/bin/python [--rounds 60]
        [--report reports/speed/peers.json]

fer needs versions of its dependencies that do not go with ours, so it runs in an environment of its
own, as its README shows it: with OpenCV's face detector. Processes take turns, each kept to the
same core, so that a machine whose speed drifts treats all alike. How many times as fast is the
median of the rounds' ratios, with a 95 % interval from resampling the rounds. Each must find the
smile of the picture: what is timed is an answer. Without fer nothing is compared, which is said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.against import ROOT, Timer, serve

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = ("fer_cbam_tiny.ferplus", "fer_cbam_base.ferplus")
SIDE = 320  # pixels that a frame is searched at, as for the webcam
WARM_UP = 5
CONDITION = "640x480 frame to label"
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def version_of_fer(python: Path) -> str | None:
    """The version of fer that an interpreter imports, None where there is no such."""
    code = "from importlib.metadata import version; from fer.fer import FER; print(version('fer'))"
    try:
        run = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return run.stdout.split()[-1] if run.returncode == 0 else None


def jobs_of_fer(picture: str) -> dict[str, Callable[[], object]]:
    """In fer's own environment."""
    import cv2
    from fer.fer import FER

    cv2.setNumThreads(1)
    image, detector = cv2.imread(picture), FER()

    def label() -> str:
        (face,) = detector.detect_emotions(image)
        return str(max(face["emotions"], key=face["emotions"].get))

    return {"fer": checked(label, "happy")}


def jobs_of_ours(picture: str, backend: str) -> dict[str, Callable[[], object]]:
    """In this environment: both networks."""
    import cv2

    from fer_cbam import EmotionRecognizer
    from fer_cbam.detect import face_detector
    from fer_cbam.images import decode_image

    cv2.setNumThreads(1)
    image, found = decode_image(Path(picture)), {}
    for weights in WEIGHTS:
        detector = face_detector(backend, SIDE)
        recognizer = EmotionRecognizer.from_pretrained(weights, detector, backend, device="cpu")

        def label(recognizer: Any = recognizer) -> str:
            (face,) = recognizer(image)
            return str(face.prediction.label)

        found[weights] = checked(label, "happiness")
    return found


def checked(label: Callable[[], str], expected: str) -> Callable[[], object]:
    """What gives a label, which has to be right.

    Raises:
        SystemExit: it is not.
    """

    def run() -> None:
        if (said := label()) != expected:
            raise SystemExit(f"answers {said!r}; expected {expected!r}")

    return run


def timed(timers: Sequence[Timer], rounds: int) -> dict[str, np.ndarray]:
    """Name -> milliseconds of each round."""
    import numpy as np

    names = [(timer, name) for timer in timers for name in timer.names]
    taken: dict[str, list[float]] = {name: [] for _, name in names}
    for turn in range(rounds + WARM_UP):
        for timer, name in names:
            milliseconds = timer.milliseconds(name)
            if turn >= WARM_UP:
                taken[name].append(milliseconds)
    return {name: np.array(each) for name, each in taken.items()}


def records(times: Mapping[str, np.ndarray], backend: str) -> Iterator[Any]:
    """Milliseconds, and how many times as fast as fer each of ours is."""
    from benchmarks.browser import median
    from eval.records import record

    fields: dict[str, Any] = {"condition": CONDITION, "n": len(times["fer"])}
    yield record("milliseconds", **median(times["fer"]), option="fer", **fields)
    for weights in WEIGHTS:
        own = {**fields, "weights": weights}
        yield record("milliseconds", **median(times[weights]), option=backend, **own)
        ratio = median(times["fer"] / times[weights])
        yield record("times_as_fast", **ratio, option="fer", **own)


def measure(fer: Path, backend: str, rounds: int) -> dict[str, np.ndarray]:
    """Both processes on the picture."""
    from PIL import Image

    from benchmarks.frame import frame

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frame.png"
        Image.fromarray(frame()).save(picture)
        timers = [
            Timer(
                [str(python), __file__, "--serve", str(picture), *more],
                {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(ROOT)},
            )
            for python, more in ((fer, []), (sys.executable, [backend]))
        ]
        times = timed(timers, rounds)
        for timer in timers:
            timer.close()
    return times


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fer", type=Path, required=True, help="python of an environment with fer")
    parser.add_argument("--backend", default="onnx", help="of ours")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    version = version_of_fer(args.fer)
    if version is None:
        print(f"fer: {args.fer} does not import it, so nothing is compared; expected the python of "
              "an environment with fer==25.10.3")  # fmt: skip
        return
    from benchmarks import report
    from eval.records import provenance, write_report

    # Interpreters are links: resolved, they would leave their environment.
    found = list(records(measure(args.fer.absolute(), args.backend, args.rounds), args.backend))
    for entry in found:
        name = f"{entry.get('weights', '')} {entry['option']}"
        print(f"{entry['metric']:14} {name:32} {entry['value']:7.2f} "
              f"({entry['low']:.2f} to {entry['high']:.2f})")  # fmt: skip
    if args.report:
        command = provenance("benchmarks.peers", arguments)
        command["versions"]["fer"] = version
        write_report(args.report, "peers", command, found, processor=report.processor(), threads=1)


def serve_here(picture: str, backend: str | None) -> None:
    """In a process that takes turns, kept to one core. backend: of ours, None for fer's."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    out, sys.stdout = sys.stdout, sys.stderr  # fer prints
    jobs = jobs_of_ours(picture, backend) if backend else jobs_of_fer(picture)
    for job in jobs.values():
        job()
    sys.stdout = out
    serve(jobs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.path.pop(0)  # this folder, whose modules have names that others have too
        serve_here(sys.argv[2], next(iter(sys.argv[3:]), None))
    else:
        main()
