"""Evaluate weights on a data set: predictions, metrics with intervals, figures.

    python -m eval --weights fer_cbam_base.ferplus --data fer2013.csv --votes fer2013new.csv \
        --protocol private --out reports/ferplus/private/fer_cbam_base.ferplus --figures

Writes ``metrics.json``, ``predictions.parquet`` (kept out of git) and the figures that are asked
for. ``--weights`` is the name of embedded weights, a folder of weights, a folder with one such
folder for each split, or ``hf-hub:user/name``. ``--backend onnx-int8`` takes a folder of
``fer-cbam export --data``. ``--protocol cross`` is for data sets that the weights never learnt, see
:mod:`eval.cross`, ``--protocol clips`` for answers over time, see :mod:`eval.clips.run`.
``python -m eval trust`` and ``python -m eval audit`` are other reports, see
:mod:`eval.trust.run` and :mod:`eval.audit`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from eval import audit, cross
from eval.clips import run as clips
from eval.faces import Faces, find_faces, in_words, of_found, trained_on_such
from eval.predict import OPTIONS, jobs, weight_sources
from eval.records import provenance
from eval.run import FIGURES, draw, evaluate, print_summary, write
from eval.trust import run as trust
from fer_cbam import data, pretrained
from fer_cbam.backends.base import BACKENDS
from fer_cbam.backends.open import default_backend
from fer_cbam.data.protocols import CROSS, protocol_name
from fer_cbam.detect import face_detector
from fer_cbam.errors import FerError
from fer_cbam.hub import resolve
from fer_cbam.preprocess import Preprocess
from fer_cbam.prior import read_prior

PUBLIC = [name for name in FIGURES if "images" not in name]


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["trust"]:
        return trust.main(arguments[1:])
    if arguments[:1] == [audit.STUDY]:
        return audit.main(arguments[1:])
    if ("--protocol", clips.PROTOCOL) in pairwise(arguments):
        return clips.main(arguments)
    args = parse_arguments(arguments)
    try:
        loaded = data.load(args.data, votes=args.votes, labels=args.labels)
        dataset = cross.named(loaded, args.data_name, args.split)
        sources = [args.weights, *args.ensemble]
        members = [
            jobs(source, dataset, args.protocol, args.backend, args.device) for source in sources
        ]
        if faces := _faces(args, dataset):
            dataset, members = faces.dataset, [of_found(pairs, faces) for pairs in members]
        prior = None if args.prior is None else read_prior(args.prior)
        evaluation = evaluate(members, dataset, args.protocol, args.option, args.name, prior)
        conditions = {}
        if args.protocol == CROSS:
            conditions = dict(cross.measured(evaluation, face_detector(args.backend)))
        more = cross.records(conditions, evaluation.result)
        write(evaluation, args.out, provenance("eval", arguments), args.backend, more)
        draw(evaluation, args.figures_to or args.out, args.figures)
    except (FerError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    print_summary(evaluation.result)
    cross.print_conditions(conditions)


def _faces(args: argparse.Namespace, dataset: data.Dataset) -> Faces | None:
    """The faces of the pictures, as in training, where the weights were trained on such; the
    protocol ``cross`` asks in several ways, and finds them itself."""
    config = pretrained.read_config(resolve(weight_sources(args.weights)[0]))
    if args.protocol == CROSS or not trained_on_such(config):
        return None
    faces = find_faces(dataset, Preprocess.from_config(config), face_detector(args.backend))
    print(in_words(faces), flush=True)
    return faces


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eval", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--weights", required=True, help="<arch.tag>, a folder, a folder of splits, or hf-hub:id")
    add("--data", type=Path, required=True, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    add("--labels", metavar="folders|FILE", help="for pictures of your own, as they were trained")
    add("--protocol", required=True, type=protocol_name, metavar="NAME",
        help="paper, subject10, public, private, cross, folds5, or clips, which has other options: "
        "python -m eval --protocol clips --help")  # fmt: skip
    add(
        "--split", nargs="+", default=[], metavar="NAME", help="only these of the data's own splits"
    )
    add("--data-name", help="name of the data in the report, for folders of class folders")
    add("--out", type=Path, required=True, help="folder for the report")
    add("--option", default="plain", choices=OPTIONS, help="views of a crop, see eval/predict.py")
    add("--ensemble", nargs="+", default=[], metavar="WEIGHTS", help="more, to be tested together")
    add("--backend", default=default_backend(), choices=BACKENDS, help="what runs the network")
    add("--device", choices=("cpu", "cuda"), help="default: cuda where torch finds it")
    add("--prior", metavar="MIX", help="expect this class mix: training, uniform, a number "
        "between (0 to 1), or anger=0.1,... for each label")  # fmt: skip
    add("--name", help="name of the weights in the report (default: architecture and data)")
    add("--figures", nargs="*", default=[], choices=FIGURES, metavar="NAME",
        help=f"{', '.join(FIGURES)}; without a name all but gallery_images, which shows faces of "
        "the data set: keep it private")  # fmt: skip
    add("--figures-to", type=Path, metavar="DIR", help="folder for them (default: that of --out)")
    args = parser.parse_args(argv)
    if "--figures" in argv and not args.figures:
        args.figures = PUBLIC
    if args.ensemble and not (args.name and args.option == "plain"):
        parser.error("--ensemble: expected a --name for it, and the option plain")
    return args


if __name__ == "__main__":
    main()
