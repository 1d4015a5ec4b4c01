"""``fer-cbam predict``: the faces of photographs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.backends.base import BACKENDS
from fer_cbam.errors import FerError

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.recognizer import EmotionRecognizer
    from fer_cbam.types import Prediction, Recognition


JSON_DIGITS = 4  # decimals of a probability


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    predict = commands.add_parser("predict", help="recognise the faces of photographs")
    predict.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    predict.add_argument(
        "--json", action="store_true", help="one JSON object a line for each photo"
    )
    predict.add_argument(
        "--audio", action="store_true",
        help="of clips and sounds instead of photos, the voice beside the faces"
    )  # fmt: skip
    predict.add_argument("--voice", metavar="SOURCE", help="weights for voices, for --audio")
    predict.add_argument(
        "--explain", type=Path, metavar="DIR", help="write pictures of the evidence there"
    )
    predict.add_argument("--weights", help="<arch>.<tag>, a folder, or hf-hub:user/name")
    predict.add_argument(
        "--backend", choices=BACKENDS, help="what runs the network; default: torch if installed"
    )
    predict.add_argument(
        "--prior", metavar="MIX", help="the expressions you expect: training, uniform, a number "
        "between (0 to 1), or anger=0.1,... for each label"
    )  # fmt: skip
    predict.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer each photo on stdout; say on stderr what could not be read or written."""
    from fer_cbam.hub import DEFAULT_WEIGHTS
    from fer_cbam.prior import read_prior
    from fer_cbam.recognizer import EmotionRecognizer

    if args.explain:
        args.explain.mkdir(parents=True, exist_ok=True)
    recognizer = EmotionRecognizer.from_pretrained(
        DEFAULT_WEIGHTS if args.weights is None else args.weights, backend=args.backend,
        prior=None if args.prior is None else read_prior(args.prior),
    )  # fmt: skip
    if args.audio:
        return _heard(args, recognizer)
    status = 0
    names: set[str] = set()
    # One by one: an answer is there as soon as its photo is read.
    results = recognizer.recognize_many(args.photos, 1, bool(args.explain))
    for photo, result in zip(args.photos, results, strict=True):
        if args.json:
            print(json.dumps({"photo": str(photo), **result.to_dict(JSON_DIGITS)}))
        if result.error is not None:  # the other photos are still worth reading
            print(f"fer-cbam: {_named(photo, result.error)}", file=sys.stderr)
            status = 1
            continue
        if not args.json:
            print(as_text(photo, result.recognitions))
        if args.explain:
            name = _unused(photo.stem, names)
            try:
                write_explanations(args.explain, name, photo, result.recognitions)
            except (FerError, OSError) as error:
                print(f"fer-cbam: no explanation: {_named(photo, error)}", file=sys.stderr)
                status = 1
    return status


def _heard(args: argparse.Namespace, recognizer: EmotionRecognizer) -> int:
    """The same of clips and sounds."""
    from fer_cbam.commands.heard import answer
    from fer_cbam.voice import DEFAULT_VOICE

    status = 0
    for path in args.photos:
        try:
            answer(path, recognizer, args.voice or DEFAULT_VOICE, args.json, JSON_DIGITS)
        except FerError as error:  # the others are still worth hearing
            print(f"fer-cbam: {_named(path, error)}", file=sys.stderr)
            status = 1
    return status


def _named(photo: Path, error: Exception) -> str:
    """What went wrong, with the photo it went wrong with."""
    said = str(error) or type(error).__name__
    return said if str(photo) in said else f"{photo}: {said}"


def as_text(photo: Path, recognitions: Sequence[Recognition]) -> str:
    """A line for the photo and one for each face, with its three most probable emotions."""
    if not recognitions:
        return f"{photo}: no face found"
    lines = [f"{photo}: {len(recognitions)} face{'s' if len(recognitions) > 1 else ''}"]
    for number, recognition in enumerate(recognitions, 1):
        prediction = recognition.prediction
        box = ", ".join(f"{v:.0f}" for v in recognition.face.box)
        lines.append(f"  {number}  box {box}  {answer_in_words(prediction)}")
    return "\n".join(lines)


def answer_in_words(prediction: Prediction) -> str:
    """``happiness 0.97, neutral 0.02, surprise 0.01``: what is said, then what else is most
    probable; ``(uncertain)`` behind it, or ``no face``."""
    if prediction.no_face:
        return prediction.said
    ranked = sorted((name != prediction.label, -prob, name)
                    for name, prob in prediction.probs.items())  # fmt: skip
    shown = ", ".join(f"{name} {-prob:.2f}" for _, prob, name in ranked[:3])
    return f"{shown} (uncertain)" if prediction.uncertain else shown


def write_explanations(
    folder: Path, name: str, photo: Path, recognitions: Sequence[Recognition]
) -> None:
    """For each face and map a PNG ``<name>.face<n>.<map>.png``: the photo, the map, the caption."""
    from PIL import Image

    from fer_cbam.images import decode_image
    from fer_cbam.render import annotate

    image = decode_image(photo)  # once more: of many photos only the faces were kept
    for number, recognition in enumerate(recognitions, 1):
        for saliency in recognition.saliencies:
            picture = annotate(image, [recognition], saliencies=[saliency])
            Image.fromarray(picture).save(folder / f"{name}.face{number}.{saliency.kind}.png")


def _unused(stem: str, names: set[str]) -> str:
    """The stem, or stem-2, ...: two photos of one name in different folders keep their own."""
    name, number = stem, 1
    while name in names:
        number += 1
        name = f"{stem}-{number}"
    names.add(name)
    return name
