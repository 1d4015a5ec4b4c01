"""Do faces that are detected and cut out look like the crops the network was trained on?

    python -m eval.studies.alignment --data ckplus48.zip --protocol subject10 \
        --weights runs/ckplus48_subject10 --out alignment.json

Crops of the data set are pasted into larger pictures at several sizes and tilts, found again by the
face detector, cut out by :meth:`fer_cbam.preprocess.Preprocess.align` and held against what they
were: where the corners lie, how much the pixels differ and, given weights, how many emotions are
still recognised. Two ways to cut are compared, ``similarity`` (landmarks alone) and ``box``
(``crop_from_box``: angle from the landmarks, centre and side from the box), and ``true`` is the
crop cut where it was pasted: what resampling alone costs.

Geometry needs no labels. It is fitted on the train side of each split and scored on its test side;
the geometry that is printed, for ``fer_cbam/data/alignment.json``, is fitted on the train side of
the first split.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from eval.predict import Job, jobs, predict_labels
from eval.records import dumps, provenance
from fer_cbam import data
from fer_cbam.data import Dataset
from fer_cbam.data.protocols import PROTOCOLS, Split, protocol_splits
from fer_cbam.detect import FaceDetector, YuNetDetector
from fer_cbam.errors import DataError, FerError
from fer_cbam.preprocess import Preprocess, cut
from fer_cbam.types import Face

TILT_SIZE = 96  # pixels of the face in the tilted views
WAYS = ("true", "similarity", "box")


class View(NamedTuple):
    """How a crop is shown: the side it is resized to in pixels, and its tilt in degrees."""

    size: int
    tilt: float


class Found(NamedTuple):
    """A crop that was found again.

    sample: its index in the data set. truth: affine ``(2, 3)`` from the crop, its corners at 0 and
    1, to the pixels of the picture, counted by their centres.
    """

    sample: int
    view: View
    picture: np.ndarray
    truth: np.ndarray
    face: Face


def embed(crop: np.ndarray, view: View, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Show a crop in a larger picture of its mean grey, moved by up to a tenth of its side.

    Mean grey around a crop lets the detector find more of them than a repeated edge does. Returns
    the picture, uint8 with a side of 2 size, grey or RGB as the crop, and the truth of
    :class:`Found`.

    Raises:
        DataError: the crop is not square.
    """
    if crop.shape[0] != crop.shape[1]:
        raise DataError(f"crop of {crop.shape[1]}x{crop.shape[0]} pixels; expected a square")
    size = view.size
    face = np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC))
    corner = np.round(size / 2 + rng.uniform(-0.1, 0.1, 2) * size)
    centre = corner + (size - 1) / 2
    turn = cv2.getRotationMatrix2D((0, 0), view.tilt, 1)[:, :2]
    face_to_picture = np.column_stack([turn, centre - turn.sum(axis=1) * (size - 1) / 2])
    picture = cv2.warpAffine(
        face, face_to_picture, (2 * size, 2 * size), flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT, borderValue=[float(face.mean())] * 3,
    )  # fmt: skip
    linear = face_to_picture[:, :2] * size
    return picture, np.column_stack([linear, centre - linear @ (0.5, 0.5)])


def as_rgb(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture


def find(detector: FaceDetector, picture: np.ndarray, truth: np.ndarray, size: int) -> Face | None:
    """The best face whose box has its centre within a quarter of the crop from the crop's."""
    centre = truth @ (0.5, 0.5, 1)
    faces = [
        face
        for face in detector.detect(as_rgb(picture))
        if np.hypot(*(np.reshape(face.box, (2, 2)).mean(axis=0) - centre)) < size / 4
    ]
    return max(faces, key=lambda face: face.score, default=None)


def fit(found: Sequence[Found]) -> dict[str, list[Any]]:
    """Medians over crops that were found upright: ``landmarks`` and ``crop_from_box`` of
    config.json.

    Raises:
        DataError: no crop was found.
    """
    upright = [f for f in found if f.view.tilt == 0]
    if not upright:
        raise DataError("alignment: no crop was found again; expected some to fit the geometry to")
    landmarks, from_box = [], []
    for f in upright:
        landmarks.append((f.face.landmarks - f.truth[:, 2]) / f.view.size)
        x1, y1, x2, y2 = f.face.box
        unit = np.sqrt((x2 - x1) * (y2 - y1))
        offset = f.truth @ (0.5, 0.5, 1) + 0.5 - ((x1 + x2) / 2, (y1 + y2) / 2)
        from_box.append((f.view.size / unit, *(offset / unit)))
    return {
        "landmarks": np.median(landmarks, axis=0).round(4).tolist(),
        "crop_from_box": np.median(from_box, axis=0).round(4).tolist(),
    }


def cut_out(found: Found, preprocess: Preprocess, way: str) -> tuple[np.ndarray, np.ndarray]:
    """The crop that one of WAYS gives, and its affine to the picture."""
    if way == "true":
        side = preprocess.input_size[1]
        linear = found.truth[:, :2] / side
        to_picture = np.column_stack([linear, found.truth @ (0.5 / side, 0.5 / side, 1)])
        return cut(as_rgb(found.picture), to_picture, side), to_picture
    if way == "similarity":
        preprocess = dataclasses.replace(preprocess, crop_from_box=())
    return preprocess.align(as_rgb(found.picture), found.face)


def corner_error(found: Found, to_picture: np.ndarray, side: int) -> float:
    """Mean distance of the crop's corners from where they should be, in shares of its side."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    cut_at = (corners * side - 0.5) @ to_picture[:, :2].T + to_picture[:, 2]
    truth = corners @ found.truth[:, :2].T + found.truth[:, 2]
    return float(np.linalg.norm(cut_at - truth, axis=1).mean() / found.view.size)


def choose(splits: Sequence[Split], count: int, rng: np.random.Generator) -> np.ndarray:
    """Up to count images that some split tests, and up to count that all only train on."""
    test = np.unique(np.concatenate([split.test for split in splits]))
    train = np.setdiff1d(np.concatenate([split.train for split in splits]), test)
    parts = [rng.permutation(part)[:count] for part in (test, train)]
    return np.sort(np.concatenate(parts))


def find_again(
    detector: FaceDetector, dataset: Dataset, chosen: np.ndarray, views: Sequence[View],
    rng: np.random.Generator,
) -> list[Found]:  # fmt: skip
    """Show every chosen crop in every view, and keep those that the detector finds."""
    found = []
    for index in tqdm(chosen, desc="faces", disable=None):
        for view in views:
            picture, truth = embed(dataset.samples[index].pixels, view, rng)
            if face := find(detector, picture, truth, view.size):
                found.append(Found(int(index), view, picture, truth, face))
    return found


def score_split(
    dataset: Dataset, found: Sequence[Found], base: Preprocess, split: Split, job: Job | None
) -> list[dict[str, Any]]:
    """One row for each found crop of the test side and each of WAYS; the geometry is that of the
    train side."""
    train, test = set(split.train.tolist()), set(split.test.tolist())
    geometry = fit([f for f in found if f.sample in train])
    preprocess = dataclasses.replace(
        base,
        landmarks=tuple((x, y) for x, y in geometry["landmarks"]),
        crop_from_box=tuple(geometry["crop_from_box"]),
    )
    tested = [f for f in found if f.sample in test]
    crops = [dataset.samples[f.sample].pixels for f in tested]
    labels = [dataset.samples[f.sample].label for f in tested]
    right_before = correct(job, crops, labels)
    was = preprocess(crops)
    rows = []
    for way in WAYS:
        cuts = [cut_out(f, preprocess, way) for f in tested]
        again = [crop for crop, _ in cuts]
        now = preprocess(again)
        for i, right in enumerate(correct(job, again, labels)):
            rows.append({
                "view": tested[i].view, "way": way,
                "corner_error": corner_error(tested[i], cuts[i][1], base.input_size[1]),
                "pixel_error": float(np.abs(now[i] - was[i]).mean() * 255 * np.mean(base.std)),
                "correlation": correlation(now[i], was[i]),
                "accuracy": right, "accuracy_before": right_before[i],
            })  # fmt: skip
    return rows


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two inputs of the network; NaN where one is flat."""
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def correct(job: Job | None, crops: Sequence[np.ndarray], labels: Sequence[str]) -> list[float]:
    """1 where the network's first choice is the label, 0 where it is not, NaN without a network."""
    if job is None or not crops:
        return [float("nan")] * len(crops)
    top = predict_labels(job.backend, crops)
    names = job.backend.label_names
    return [float(names[i] == label) for i, label in zip(top, labels, strict=True)]


def summarise(rows: Sequence[dict[str, Any]], shown: int) -> list[dict[str, Any]]:
    """Means by view and way. found: share of the crops shown that the detector found."""
    result = []
    for view in sorted({row["view"] for row in rows}):
        for way in WAYS:
            group = [row for row in rows if row["view"] == view and row["way"] == way]
            means = {
                key: float(np.nanmean(values)) if not np.isnan(values).all() else None
                for key in ("corner_error", "pixel_error", "correlation", "accuracy",
                            "accuracy_before")
                if (values := np.array([row[key] for row in group])).size
            }  # fmt: skip
            result.append({**view._asdict(), "way": way, "found": len(group) / shown, **means})
    return result


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Everything that the command prints and writes.

    Raises:
        FerError: the data, the protocol or the weights do not fit.
    """
    dataset = data.load(args.data)
    pairs: list[Job] | None = None
    if args.weights:
        pairs = jobs(args.weights, dataset, args.protocol)
        splits = [job.split for job in pairs]
        base = pairs[0].backend.preprocess
    else:
        splits = list(protocol_splits(dataset, args.protocol))
        base = Preprocess()
    rng = np.random.default_rng(args.seed)
    chosen = choose(splits, args.count, rng)
    views = [View(size, 0) for size in args.sizes] + [View(TILT_SIZE, t) for t in args.tilts]
    found = find_again(YuNetDetector(), dataset, chosen, views, rng)
    rows = []
    for i, split in enumerate(splits):
        rows += score_split(dataset, found, base, split, pairs[i] if pairs else None)
    shown = sum(int(np.isin(split.test, chosen).sum()) for split in splits)
    train = set(splits[0].train.tolist())
    geometry = fit([f for f in found if f.sample in train])
    return {"data": dataset.name, "geometry": geometry, "tested": shown,
            "table": summarise(rows, shown)}  # fmt: skip


def print_result(result: dict[str, Any]) -> None:
    print(f"{result['data']}: {result['tested']} crops shown in each view; fitted geometry:")
    for key, value in result["geometry"].items():
        print(f"  {key}: {value}")
    print(f"{'size':>5} {'tilt':>5} {'found':>6} {'way':<10} {'corners':>8} {'pixels':>7} "
          f"{'corr.':>6} {'accuracy':>9} {'as it was':>9}")  # fmt: skip
    for row in result["table"]:
        acc = ["        -" if row[k] is None else f"{row[k]:9.4f}"
               for k in ("accuracy", "accuracy_before")]  # fmt: skip
        print(f"{row['size']:5d} {row['tilt']:5.0f} {row['found']:6.3f} {row['way']:<10} "
              f"{row['corner_error']:8.4f} {row['pixel_error']:7.2f} {row['correlation']:6.3f} "
              + " ".join(acc))  # fmt: skip


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.alignment", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--data", required=True, help="data set, as for python -m eval")
    add("--protocol", required=True, choices=PROTOCOLS)
    add("--weights", help="weights, or a folder with weights for each split")
    add("--count", type=int, default=400, help="crops of the test sides; as many of the others")
    add("--sizes", type=int, nargs="+", default=[24, 36, 48, 96, 240])
    add("--tilts", type=float, nargs="*", default=[20.0, -35.0], help="degrees")
    add("--seed", type=int, default=0)
    add("--out", type=Path, help="JSON file for the result")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        result = run(args)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    print_result(result)
    if args.out:
        content = {**provenance("eval.studies.alignment", arguments), **result}
        args.out.write_text(dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
