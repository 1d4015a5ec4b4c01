"""Find the near-identical images of FER2013, in which one photograph stands more than once.

    python -m eval.studies.twins --data fer2013.csv.zip --out fer_cbam/data/fer2013_twins.json \
        --report reports/fer2013/twins.json

Two steps. A perceptual hash (DCT, 63 bits; Zauner 2010, https://www.phash.org/docs/pubs/
thesis_zauner.pdf) of each image in full is held against that of all others, cut at nine places two
pixels apart: a copy that was cut elsewhere would change too many bits. Pairs of hashes that differ
in few bits are then compared by pixels: the correlation of their details, after a high-pass that
takes away light and shade, in the best of all shifts up to `MAX_SHIFT` pixels. Correlation does not
see brightness and contrast, and the high-pass keeps two faces that are merely lit and placed alike
from passing: with it the pairs fall into two heaps, with the fewest between 0.55 and 0.6.

Mirror images count: training mirrors half of what it sees, so a mirrored copy of a test image is
that image to it. Copies at another zoom, turned, or under a large watermark may score below
`MIN_CORRELATION` and are then missed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from eval.records import dumps, metric_records, provenance, write_report
from fer_cbam import data
from fer_cbam.data import Dataset
from fer_cbam.data.fer2013 import SPLITS
from fer_cbam.errors import DataError, FerError

HASH_SIDE = 8  # lowest frequencies a side; without the mean, 63 bits
MAX_BITS = 10  # that may differ
STEP = 2  # pixels between the places at which the other image is cut
MARGIN = 6  # pixels at each edge that a shift may take; the details of what is left are compared
MAX_SHIFT = MARGIN
SIGMA = 2.0  # of the Gaussian that is taken away, in pixels
# Chosen by looking at pairs: of forty drawn from 0.65 to 0.7 all show one photograph twice, of
# forty from 0.6 to 0.65 two do not, from 0.5 to 0.55 about half.
MIN_CORRELATION = 0.65
MIN_DETAIL = 1.0  # standard deviation, in grey values, below which an image has no details
CHUNK = 2048


def hash_bits(pixels: np.ndarray) -> np.ndarray:
    """Perceptual hashes ``(N, 63)`` of grey images ``(N, H, W)``, as -1 and 1."""
    from scipy.fft import dctn

    low = dctn(pixels.astype(np.float32), axes=(1, 2), norm="ortho")[:, :HASH_SIDE, :HASH_SIDE]
    low = low.reshape(len(pixels), -1)[:, 1:]  # without the mean: brightness
    return np.where(low > np.median(low, axis=1, keepdims=True), 1, -1).astype(np.float32)


def windows(pixels: np.ndarray) -> Iterable[np.ndarray]:
    """The images cut at nine places, each ``(N, H - 4, W - 4)``; the middle first."""
    height, width = (side - 2 * STEP for side in pixels.shape[1:])
    middle = (STEP, STEP)
    corners = range(0, 2 * STEP + 1, STEP)
    around = [(y, x) for y in corners for x in corners if (y, x) != middle]
    for y, x in [middle, *around]:
        yield pixels[:, y : y + height, x : x + width]


def candidates(pixels: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pairs ``(P, 2)`` of positions i < j whose hashes are close: of pixels[i] and other[j].

    pixels, other: uint8 ``(N, H, W)``, the same images, or other their mirror images.
    """
    first = hash_bits(next(iter(windows(pixels))))
    found = []
    for cut in tqdm(list(windows(other)), desc="hashes", disable=None):
        second = hash_bits(cut)
        for start in range(0, len(first), CHUNK):
            # Of b bits that agree and 63 - b that do not, the product is 2 b - 63.
            close = first[start : start + CHUNK] @ second.T >= first.shape[1] - 2 * MAX_BITS
            i, j = np.nonzero(close)
            pairs = np.stack([i + start, j], axis=1)
            found.append(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def details(pixels: np.ndarray) -> np.ndarray:
    """What a Gaussian of `SIGMA` takes away from images, float32 ``(N, H, W)``."""
    faces = pixels.astype(np.float32)
    return faces - np.stack([cv2.GaussianBlur(face, (0, 0), SIGMA) for face in faces])


def best_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation ``(P,)`` of the inner part of each a with b at the best of all shifts.

    a, b: details, float32 ``(P, H, W)``. 0 where either part is flat.
    """
    inner = torch.from_numpy(a)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    other = torch.from_numpy(b)
    area = inner[0].numel()
    centred = inner - inner.mean((1, 2), keepdim=True)
    length = centred.square().sum((1, 2)).sqrt()
    # One convolution of each pair gives the products at all shifts.
    product = F.conv2d(other[None], centred[:, None], groups=len(other))[0]
    total, squares = (
        F.avg_pool2d(part[:, None], inner.shape[1:], 1)[:, 0] * area
        for part in (other, other.square())
    )
    other_length = (squares - total.square() / area).clamp(min=0).sqrt()
    flat = (length[:, None, None] < MIN_DETAIL * area**0.5) | (
        other_length < MIN_DETAIL * area**0.5
    )
    correlation = product / (length[:, None, None] * other_length).clamp(min=1e-6)
    return correlation.masked_fill(flat, 0.0).amax((1, 2)).numpy()


def correlations(pixels: np.ndarray, other: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """`best_correlation` of pixels[i] and other[j] for pairs ``(P, 2)``, float32 ``(P,)``."""
    a, b = details(pixels), details(other)
    found = [
        best_correlation(a[part[:, 0]], b[part[:, 1]])
        for part in tqdm(np.split(pairs, range(CHUNK, len(pairs), CHUNK)), "pixels", disable=None)
        if len(part)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def equal_images(pixels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of equal images: each with the first of its kind. Finds those without details."""
    first: dict[bytes, int] = {}
    pairs = []
    for i, image in enumerate(pixels):
        j = first.setdefault(image.tobytes(), i)
        if j != i:
            pairs.append((j, i))
    return pairs


def twin_pairs(pixels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs i < j of images, uint8 ``(N, H, W)``, that show one photograph, mirrored or not."""
    pairs = equal_images(pixels)
    for other in (pixels, pixels[:, :, ::-1]):
        close = candidates(pixels, other)
        same = close[correlations(pixels, other, close) >= MIN_CORRELATION]
        pairs += [(int(i), int(j)) for i, j in same]
    return sorted(set(pairs))


def group(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of what is linked by pairs, directly or over others; sorted, as their members are."""
    leader: dict[int, int] = {}

    def find(i: int) -> int:
        while leader.setdefault(i, i) != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for i, j in pairs:
        a, b = sorted((find(i), find(j)))
        leader[b] = a
    members: dict[int, list[int]] = {}
    for i in sorted(leader):
        members.setdefault(find(i), []).append(i)
    return sorted(members.values())


def count(dataset: Dataset, groups: Sequence[Sequence[int]]) -> dict[str, float]:
    """What the groups mean for training and testing, and what they tell of the labels.

    label_agreement: share of pairs of twins whose labels agree, over all pairs of a group.
    """
    splits = [sample.split for sample in dataset.samples]
    labels = [sample.label for sample in dataset.samples]
    pairs = agree = 0
    leaks: Counter[str] = Counter()
    for rows in groups:
        counts = Counter(labels[row] for row in rows)
        pairs += len(rows) * (len(rows) - 1) // 2
        agree += sum(n * (n - 1) // 2 for n in counts.values())
        within = Counter(splits[row] for row in rows)
        if within["Training"] and len(within) > 1:
            leaks.update({str(split): n for split, n in within.items()})
    return {
        "groups": len(groups),
        "images": sum(len(rows) for rows in groups),
        "largest_group": max(map(len, groups), default=0),
        "training_images_with_twin_in_test": leaks["Training"],
        "public_images_with_twin_in_training": leaks["PublicTest"],
        "private_images_with_twin_in_training": leaks["PrivateTest"],
        "label_agreement": agree / pairs if pairs else float("nan"),
    }


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.twins", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", required=True, help="fer2013.csv, or a zip of it")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the groups")
    parser.add_argument("--report", type=Path, help="JSON file for what they amount to")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parse_arguments(arguments)
    try:
        dataset = data.load(args.data)
        if dataset.name != "fer2013" or any(s.split not in SPLITS for s in dataset.samples):
            raise DataError(f"{args.data}: {dataset.name}; expected FER2013 with its splits")
        groups = group(twin_pairs(dataset.pixels()))
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    counts = count(dataset, groups)
    args.out.write_text(dumps({"rows": len(dataset), "groups": groups}), encoding="utf-8")
    if args.report:
        records = metric_records(counts, data=dataset.name, n=len(dataset))
        command = provenance("eval.studies.twins", arguments)
        write_report(args.report, "twins", command, records)
    for name, value in counts.items():
        print(f"{name:38} {value:,.4g}" if isinstance(value, float) else f"{name:38} {value:,}")


if __name__ == "__main__":
    main()
