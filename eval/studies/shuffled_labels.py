"""FER2013 with the labels of its training faces dealt out anew, for the label randomisation test.

    python -m eval.studies.shuffled_labels --data fer2013.csv.zip --out runs/shuffled.csv
    python -m train --config eval/studies/shuffled_labels.yaml --data runs/shuffled.csv \
        --protocol public --out runs/shuffled
    python -m eval trust ... --shuffled-labels runs/shuffled/public

A network that learnt such labels by heart knows nothing of expressions. A map of it that looks like
that of the real network shows the picture, and not what was learnt (Adebayo et al., NeurIPS 2018,
https://arxiv.org/abs/1810.03292, section 4.2). Few faces are kept, so that they are learnt by heart
in minutes. Some of PublicTest stay as they are, to show that nothing was learnt.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_cbam import data
from fer_cbam.data.base import Dataset
from fer_cbam.data.fer2013 import COLUMNS
from fer_cbam.errors import DataError, FerError
from fer_cbam.labels import FER2013_CODES
from fer_cbam.types import Sample

FACES, WATCHED = 256, 50  # that are trained on, and that are watched


def shuffled(dataset: Dataset, count: int = FACES, seed: int = 0) -> list[tuple[Sample, str]]:
    """Faces and the labels they are given: ``count`` of Training, each with the label of another
    one drawn at random, and `WATCHED` of PublicTest with their own.

    Raises:
        DataError: fewer faces of Training than that.
    """
    training = [sample for sample in dataset.samples if sample.split == "Training"]
    if len(training) < count:
        raise DataError(f"{dataset.name}: {len(training)} faces of Training; expected at least "
                        f"{count}")  # fmt: skip
    rng = np.random.default_rng(seed)
    kept = [training[i] for i in np.sort(rng.permutation(len(training))[:count])]
    labels = [kept[i].label for i in rng.permutation(count)]
    public = [(sample, sample.label) for sample in dataset.samples if sample.split == "PublicTest"]
    return [*zip(kept, labels, strict=True), *public[:WATCHED]]


def write(rows: Sequence[tuple[Sample, str]], path: Path) -> None:
    """As a CSV with FER2013's columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for sample, label in rows:
            pixels = " ".join(map(str, sample.pixels.ravel()))
            lines.writerow([FER2013_CODES.index(label), pixels, sample.split])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.studies.shuffled_labels",
        description=(__doc__ or "").partition("\n")[0],
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="FER2013")
    add("--faces", type=int, default=FACES, help="of Training (default: %(default)s)")
    add("--out", type=Path, required=True, help="CSV to write")
    args = parser.parse_args(argv)
    try:
        write(shuffled(data.load(args.data), args.faces), args.out)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


if __name__ == "__main__":
    main()
