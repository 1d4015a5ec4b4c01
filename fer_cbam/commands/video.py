"""``fer-cbam video``: the faces of a clip over time, as JSON, a table and a marked clip."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.backends.base import BACKENDS
from fer_cbam.commands.heard import in_words
from fer_cbam.smoothing import SMOOTHERS

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.video import Progress
    from fer_cbam.video.together import Beside


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    video = commands.add_parser("video", help="follow the faces of a clip over time")
    video.add_argument("clip", type=Path, metavar="CLIP")
    video.add_argument("--json", action="store_true", help="print all of it as one JSON object")
    video.add_argument("--table", type=Path, metavar="FILE.csv",
                       help="write a row for each frame and face")  # fmt: skip
    video.add_argument("--marked", type=Path, metavar="FILE.webm",
                       help="write the clip with its faces marked")  # fmt: skip
    video.add_argument("--explain", action="store_true", help="with the evidence, in --marked")
    video.add_argument("--audio", action="store_true", help="hear the voice beside the faces")
    video.add_argument("--voice", metavar="SOURCE", help="weights for voices, for --audio")
    video.add_argument("--transcript", type=Path, metavar="FILE",
                       help="what is said, as .srt, .vtt, or .txt with times")  # fmt: skip
    video.add_argument("--text", metavar="SOURCE", help="weights for words, for --transcript")
    video.add_argument("--every", type=int, default=1, metavar="N", help="look at each n-th frame")
    video.add_argument(
        "--smoothing", choices=SMOOTHERS,
        help="how frames are put together; default: the first of these that the weights have",
    )  # fmt: skip
    video.add_argument("--pulse", action="store_true",
                       help="the heart rate of each face, from its colour")  # fmt: skip
    video.add_argument("--weights", help="<arch>.<tag>, a folder, or hf-hub:user/name")
    video.add_argument(
        "--backend", choices=BACKENDS, help="what runs the network; default: torch if installed"
    )
    video.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """A line for each face; what was written, and what is not as one may expect, on stderr."""
    from fer_cbam import video
    from fer_cbam.hub import DEFAULT_WEIGHTS
    from fer_cbam.recognizer import EmotionRecognizer
    from fer_cbam.serve.clip_numbers import clip_numbers

    recognizer = EmotionRecognizer.from_pretrained(args.weights or DEFAULT_WEIGHTS,
                                                   backend=args.backend)  # fmt: skip
    steps = video.analyse(args.clip, recognizer, annotated=args.marked, explained=args.explain,
                          table=args.table, every=args.every, beside=beside(args),
                          smoother=args.smoothing, pulse=args.pulse)  # fmt: skip
    result = video.run(steps, progress if sys.stderr.isatty() else None)
    if sys.stderr.isatty():
        print(end="\r\033[K", file=sys.stderr)
    if args.json:
        numbers = clip_numbers(result, recognizer.name, recognizer.decision)
        print(json.dumps({"clip": str(args.clip), **numbers}))
    else:
        print("\n".join(in_words(args.clip, result, result.beside)))
    for note in result.notes:
        print(f"fer-cbam: {args.clip}: {note}", file=sys.stderr)
    for path in filter(None, (result.table, result.annotated)):
        print(f"fer-cbam: written: {path}", file=sys.stderr)
    return 0


def beside(args: argparse.Namespace) -> Beside:
    """The voice and the words of the clip, as far as they are asked for."""
    from fer_cbam.text import DEFAULT_TEXT
    from fer_cbam.video.together import Beside, hear, read
    from fer_cbam.voice import DEFAULT_VOICE

    # A transcript that cannot be read is said at once, and not when the clip has been heard.
    words = read(args.transcript, args.text or DEFAULT_TEXT) if args.transcript else Beside()
    voice = hear(args.clip, voice=args.voice or DEFAULT_VOICE) if args.audio else Beside()
    return voice.and_also(words)


def progress(step: Progress) -> None:
    """How far it is, on the line of a terminal."""
    share = "" if step.fraction is None else f" of the clip, {step.fraction:.0%}"
    print(end=f"\r{step.time:.1f} s{share}", file=sys.stderr, flush=True)
