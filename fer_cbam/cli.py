"""The ``fer-cbam`` command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.backends.base import BACKENDS
from fer_cbam.errors import BackendError, FerError

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.deploy.export import Exported
    from fer_cbam.types import Prediction, Recognition


JSON_DIGITS = 4  # decimals of a probability


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command.

    Returns the exit status: 0, or 1 if the weights or any photo could not be read, or an
    explanation could not be written. Wrong arguments leave through argparse, with 2.
    """
    parser = argparse.ArgumentParser(prog="fer-cbam", description="Emotions from faces, and why.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser("predict", help="recognise the faces of photographs")
    predict.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    predict.add_argument(
        "--json", action="store_true", help="one JSON object a line for each photo"
    )
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
    predict.set_defaults(run=run_predict)
    export = commands.add_parser("export", help="write weights as a folder that needs no torch")
    export.add_argument(
        "--weights", required=True, help="<arch>.<tag>, a folder, or hf-hub:user/name"
    )
    export.add_argument("--format", choices=["onnx"], default="onnx")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.add_argument(
        "--data", type=Path, metavar="FER2013", help="measure accuracy, and make an int8 network"
    )
    export.add_argument("--votes", type=Path, help="fer2013new.csv, for FER+ labels")
    export.set_defaults(run=run_export)
    push = commands.add_parser("push", help="put weights on a hub")
    push.add_argument("source", metavar="DIR", help="a folder of weights, or <arch>.<tag>")
    push.add_argument("repo_id", metavar="USER/NAME")
    push.add_argument("--private", action="store_true", help="readable with a token only")
    push.add_argument("--revision", metavar="TAG", help="a new tag (default: v1, v2, ...)")
    push.set_defaults(run=run_push)
    pull = commands.add_parser("pull", help="fetch weights from a hub, and check them")
    pull.add_argument("repo", metavar="USER/NAME[@REVISION]")
    pull.add_argument("folder", metavar="DIR", type=Path)
    pull.set_defaults(run=run_pull)
    args = parser.parse_args(argv)
    _print_any_name()
    try:
        return int(args.run(args))
    except (FerError, OSError) as error:
        print(f"fer-cbam: {error}", file=sys.stderr)
        return 1


def _print_any_name() -> None:
    """Let no file name end a run: what a terminal cannot show is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_predict(args: argparse.Namespace) -> int:
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


def _named(photo: Path, error: Exception) -> str:
    """What went wrong, with the photo it went wrong with."""
    said = str(error) or type(error).__name__
    return said if str(photo) in said else f"{photo}: {said}"


def run_export(args: argparse.Namespace) -> int:
    """Write the folder, then say of each way to run it how good, how large and how fast it is."""
    try:
        import torch

        from fer_cbam.deploy.export import export
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "timm", "onnx", "onnxruntime"):
            raise
        raise BackendError(
            f"export needs {error.name}, which is not installed; "
            "expected: pip install 'fer-cbam[export]'"
        ) from error
    from fer_cbam import data

    torch.set_num_threads(1)  # times are of one thread
    dataset = data.load(args.data, votes=args.votes) if args.data else None
    print(export_table(export(args.weights, args.out, dataset)))
    return 0


def export_table(exported: Exported) -> str:
    """Accuracy, size and latency side by side; below, what became of int8."""
    lines = [f"{'':10} {'accuracy':>9} {'size':>10} {'one face, one thread':>21}"]
    for v in exported.variants:
        accuracy = "-" if v.accuracy is None else f"{100 * v.accuracy:.2f} %"
        lines.append(
            f"{v.name:10} {accuracy:>9} {v.size / 1e6:>7.2f} MB {v.milliseconds:>18.2f} ms"
        )
    names = {v.name: v for v in exported.variants}
    if "onnx-int8" in names:
        loss = 100 * ((names["onnx"].accuracy or 0) - (names["onnx-int8"].accuracy or 0))
        fate = "kept" if exported.int8 else "removed: more than half a point"
        lines.append(f"int8 loses {loss:.2f} points on PublicTest; {fate}")
    return "\n".join([*lines, f"written to {exported.folder}"])


def run_push(args: argparse.Namespace) -> int:
    """Say where the weights are now, and how to ask for exactly these."""
    from fer_cbam.hub import push

    pushed = push(args.source, args.repo_id, args.private, args.revision)
    print(f"{pushed.url}: {pushed.repo_id}@{pushed.revision}, commit {pushed.commit}")
    return 0


def run_pull(args: argparse.Namespace) -> int:
    """Say where the weights lie."""
    from fer_cbam.hub import pull

    print(f"{args.repo}: pulled to {pull(args.repo, args.folder)}")
    return 0


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
    from fer_cbam.render import annotate, overlay

    image = decode_image(photo)  # once more: of many photos only the faces were kept
    for number, recognition in enumerate(recognitions, 1):
        for saliency in recognition.saliencies:
            picture = annotate(overlay(image, recognition, saliency), [recognition])
            Image.fromarray(picture).save(folder / f"{name}.face{number}.{saliency.kind}.png")


def _unused(stem: str, names: set[str]) -> str:
    """The stem, or stem-2, ...: two photos of one name in different folders keep their own."""
    name, number = stem, 1
    while name in names:
        number += 1
        name = f"{stem}-{number}"
    names.add(name)
    return name


if __name__ == "__main__":
    sys.exit(main())
