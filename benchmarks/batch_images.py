"""Many small photographs for ``benchmarks.batch``: those of FER_CBAM_DATA and frames of its clips,
each time resized, cropped and compressed otherwise; some damaged, in ten ways.

::

    python -m benchmarks.batch_images --out FOLDER --count 100000 --damaged 100
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fer_cbam.video.clip import ClipReader

SIDES = (160, 192, 224, 256, 320)  # longest side in pixels
QUALITIES = (60, 70, 80, 90)
FRAMES_APART = 5  # of a clip
FOLDER_IMAGES = 1000


def sources() -> list[Image.Image]:
    """The photographs and the frames, at most 640 pixels wide or high."""
    folder = Path(os.environ["FER_CBAM_DATA"]) / "faces"
    found = [Image.open(path).convert("RGB") for path in sorted((folder / "photos").glob("*.jpg"))]
    for path in sorted((folder / "videos").glob("*.mp4")):
        with ClipReader(path) as reader:
            for frame in reader.frames(FRAMES_APART, all_images=False):
                if frame.image is not None:
                    found.append(Image.fromarray(frame.image))
    for image in found:
        image.thumbnail((640, 640))
    return found


def variant(image: Image.Image, rng: np.random.Generator) -> bytes:
    """A JPEG of it: perhaps mirrored, up to a tenth cut off each side, resized, compressed."""
    width, height = image.size
    left, top, right, bottom = rng.uniform(0, 0.1, 4)
    image = image.crop((
        int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height)
    ))  # fmt: skip
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = int(rng.choice(SIDES))
    scale = side / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.choice(QUALITIES)))
    return file.getvalue()


def _png_of_wrong_sum(data: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "PNG")
    png = bytearray(file.getvalue())
    png[len(png) // 2] ^= 0xFF
    return bytes(png)


def _without_tables(data: bytes) -> bytes:
    at = data.index(b"\xff\xdb")
    return data[:at] + data[at + 69 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "a third": lambda data: data[: len(data) // 3],
    "header alone": lambda data: data[:20],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"<html><body>404 Not Found</body></html>",
    "zeros in the middle": lambda data: data[:300] + bytes(len(data) - 300),
    "a PNG with a wrong byte": _png_of_wrong_sum,
    "HEIC": lambda data: b"\0\0\0\x18ftypheic" + data,
    "no quantisation tables": _without_tables,
    "a size of 60,000 x 60,000": lambda data: _with_size(data, 60_000),
}


def _with_size(data: bytes, side: int) -> bytes:
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: at + 5] + side.to_bytes(2, "big") * 2 + data[at + 9 :]


def make(folder: Path, count: int, damaged: int, seed: int = 0) -> None:
    """Write so many files; those of a smaller count are the first of a larger one, but for which
    are damaged."""
    images = sources()
    ways = list(DAMAGES.values())
    every = count // damaged if damaged else count + 1
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        data = variant(images[number % len(images)], rng)
        if number % every == every - 1:
            data = ways[number // every % len(ways)](data)
        path = folder / f"{number // FOLDER_IMAGES:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--damaged", type=int, default=100)
    args = parser.parse_args()
    make(args.out, args.count, args.damaged)


if __name__ == "__main__":
    main()
