"""Whether every frame of a clip has to be searched for faces.

    python -m eval.studies.tracked_search CLIP... [--photos FOLDER] [--report FILE]

A frame in n is searched as live pictures are, at 320 pixels; in those between, each face is looked
for around where it was, on a square of twice its size shown at 160 pixels. What the search of every
frame finds is the reference: how many of its faces are lost, how far the landmarks lie apart (as a
share of the distance of the eyes), and what share of its time is left, frame by frame in one run.
Photographs are shown as a camera does that is held in a hand: half a second, moved by a few pixels
a frame.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from eval.records import Record, provenance, record, write_report
from fer_cbam.detect.yunet import AROUND, AROUND_SIDE
from fer_cbam.detect.yunet_onnx import OnnxYuNetDetector
from fer_cbam.images import decode_image
from fer_cbam.types import Face
from fer_cbam.video.clip import ClipReader

STUDY = "tracked_search"
SEARCH_SIDE = 320  # pixels, as for the webcam
STEPS = (2, 3)
SAME = 0.5  # intersection over union of two boxes of one face
SHAKE, FRAMES = 3.0, 12  # pixels a frame, and frames, that a photograph is moved for
LONGEST = 640  # pixels of a live frame

Detect = Callable[[np.ndarray], list[Face]]


def around(detector: OnnxYuNetDetector, image: np.ndarray, face: Face) -> Face | None:
    """The face again, near where it was; None where it is not."""
    x1, y1, x2, y2 = face.box
    centre, half = np.array([x1 + x2, y1 + y2]) / 2, AROUND * face.size / 2
    left, top = np.maximum(np.floor(centre - half), 0).astype(int)
    right, bottom = np.ceil(centre + half).astype(int)
    region = image[top:bottom, left:right]
    if not region.size:
        return None
    scale = AROUND_SIDE / max(region.shape[:2])
    shown = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows = detector.limited_to(AROUND_SIDE)._run(shown, 0, 0)
    found = [moved(row, scale, left, top) for row in rows]
    return max(found, key=lambda other: overlap(face, other), default=None)


def moved(row: np.ndarray, scale: float, left: int, top: int) -> Face:
    """A row of the detector on a region -> a face in pixels of the image."""
    x, y, w, h = row[:4] / scale
    points = row[4:14].reshape(5, 2) / scale + (left, top)
    box = (x + left, y + top, x + w + left, y + h + top)
    return Face(box, float(row[14]), points.astype(np.float32))


def overlap(a: Face, b: Face) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a.box[:2], b.box[:2]), np.minimum(a.box[2:], b.box[2:])
    common = float(np.prod(np.maximum(high - low, 0)))
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a.box, b.box)]
    return common / (sum(areas) - common)


def shaken(photo: np.ndarray) -> Iterator[np.ndarray]:
    """Frames of a photograph in a hand."""
    scale = min(1.0, LONGEST / max(photo.shape[:2]))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    steps = np.random.default_rng(0).normal(0, SHAKE, (FRAMES, 2))
    for dx, dy in np.cumsum(steps, axis=0) - steps[0]:
        move = np.array([[1, 0, dx], [0, 1, dy]])
        yield cv2.warpAffine(small, move, small.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def compared(detector: OnnxYuNetDetector, frames: Iterable[np.ndarray], step: int) -> np.ndarray:
    """Rows ``(faces, lost, landmarks apart, seconds of all, seconds of it)`` of each frame; the
    landmarks NaN where no face is in both."""
    last: list[Face] = []
    rows = []
    for number, image in enumerate(frames):
        started = time.perf_counter()
        reference = detector.detect(image)
        between = time.perf_counter()
        if number % step == 0:
            last, seconds = reference, between - started
        else:
            last = [found for face in last if (found := around(detector, image, face))]
            seconds = time.perf_counter() - between
        pairs = [(face, max(last, key=lambda o: overlap(face, o), default=None))
                 for face in reference]  # fmt: skip
        same = [(face, o) for face, o in pairs if o is not None and overlap(face, o) >= SAME]
        gap = np.median([apart(*pair) for pair in same]) if same and number % step else np.nan
        rows.append((len(reference), len(reference) - len(same), gap, between - started, seconds))
    return np.array(rows)


def apart(face: Face, other: Face) -> float:
    """Mean distance of the landmarks, as a share of that of the eyes."""
    gaps = np.linalg.norm(face.landmarks - other.landmarks, axis=1)
    eyes = np.linalg.norm(face.landmarks[0] - face.landmarks[1])
    return float(gaps.mean() / max(eyes, 1e-6))


def records(name: str, rows: np.ndarray, step: int) -> Iterator[Record]:
    faces, lost, gaps, whole, own = rows.T
    fields = {"data": name, "condition": f"every {step}", "n": len(rows)}
    yield record("faces", float(faces.sum()), **fields)
    yield record("lost", float(lost.sum()), **fields)
    yield record("landmarks_apart", float(np.nanmedian(gaps)), **fields)
    yield record("share_of_time", float(own.sum() / whole.sum()), **fields)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--photos", type=Path, help="a folder of photographs")
    parser.add_argument("--report", type=Path)
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    detector = OnnxYuNetDetector(max_side=SEARCH_SIDE)
    made: list[Record] = []
    for step in STEPS:
        sources = {clip.stem: [clip_rows(detector, clip, step)] for clip in args.clips}
        if args.photos:
            photos = sorted(path for path in args.photos.iterdir() if path.is_file())
            sources["photographs"] = [
                compared(detector, shaken(decode_image(path)), step) for path in photos
            ]
        for name, parts in sources.items():
            made += records(name, np.concatenate(parts), step)
    for entry in made:
        print(entry["data"], entry["condition"], entry["metric"], f"{entry['value']:.3f}")
    if args.report:
        write_report(args.report, STUDY, provenance("eval.studies.tracked_search", arguments), made)


def clip_rows(detector: OnnxYuNetDetector, path: Path, step: int) -> np.ndarray:
    with ClipReader(path) as reader:
        images = (frame.image for frame in reader.frames() if frame.image is not None)
        return compared(detector, images, step)


if __name__ == "__main__":
    main()
