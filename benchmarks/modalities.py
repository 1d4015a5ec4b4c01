"""Milliseconds that a window of each modality but the face takes on one thread.

    python -m benchmarks.modalities --out reports/speed/modalities.json

voice: two seconds of sound through the network on ONNX Runtime, its front end included. text: a
line of 15 words, its n-grams included. fusion: cross-modal attention on eight tokens each of a face
and a voice, on ONNX Runtime. experts: the product of both posteriors, with what each moved. The
median of rounds, and between which times nine in ten rounds lie.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks import report
from eval.records import record
from fer_cbam.deploy.fusion import LOGITS, PARTS, build_fusion
from fer_cbam.labels import LABEL_SETS
from fer_cbam.modalities import Reading, join
from fer_cbam.models.fusion import CrossModalAttention
from fer_cbam.models.prosody import LABELS
from fer_cbam.onnx_session import open_session
from fer_cbam.text import DEFAULT_TEXT, TextReader
from fer_cbam.voice import DEFAULT_VOICE, WINDOW, Voice

ROUNDS, WARM = 200, 20
WIDTHS = {"face": 336, "voice": 96}
TOKENS = 8
LINE = "I can't believe you came all this way, it is so good to see you!"


def voice_window(weights: str) -> Callable[[], object]:
    voice = Voice.from_pretrained(weights)
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, WINDOW)).astype(np.float32)
    return lambda: voice.forward(samples)


def text_line(weights: str) -> Callable[[], object]:
    reader = TextReader.from_pretrained(weights)
    return lambda: reader.logits([LINE])


def fusion_window() -> Callable[[], object]:
    network = CrossModalAttention(WIDTHS, 8)
    session = open_session(build_fusion(network).SerializeToString())
    feeds: dict[str, np.ndarray] = {}
    for name, width in WIDTHS.items():
        values = (np.ones((1, TOKENS, width), np.float32), np.zeros((1, TOKENS), np.float32),
                  np.ones((1, TOKENS), bool))  # fmt: skip
        feeds |= {f"{name}_{part}": v for part, v in zip(PARTS, values, strict=True)}
    return lambda: session.run([LOGITS], feeds)


def experts_window() -> Callable[[], object]:
    moment, none = np.array([[0.0, 1.0]]), np.zeros((1, 0), np.float32)
    rng = np.random.default_rng(0)
    faces = LABEL_SETS["ferplus"]
    readings = [
        Reading(name, labels, moment, rng.standard_normal((1, len(labels))), none)
        for name, labels in (("face", faces), ("voice", LABELS))
    ]
    return lambda: join(readings, [0.5])


def timed(call: Callable[[], object]) -> np.ndarray:
    """Milliseconds of each round."""
    found = []
    for number in range(WARM + ROUNDS):
        start = perf_counter()
        call()
        if number >= WARM:
            found.append(1000 * (perf_counter() - start))
    return np.array(found)


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--voice", default=DEFAULT_VOICE, help="weights for voices")
    parser.add_argument("--text", default=DEFAULT_TEXT, help="weights for text")
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT.json")
    args = parser.parse_args(arguments)
    calls = {"voice": voice_window(args.voice), "text": text_line(args.text),
             "fusion": fusion_window(), "experts": experts_window()}  # fmt: skip
    found = []
    for name, call in calls.items():
        times = timed(call)
        low, high = np.percentile(times, [5, 95])
        found.append(record("milliseconds", np.median(times), option="onnx", condition=name,
                            low=low, high=high, n=ROUNDS))  # fmt: skip
        print(f"{name:8} {np.median(times):.2f} ms ({low:.2f} to {high:.2f})")
    report.write(args.out, "modalities", "benchmarks.modalities", arguments, found)


if __name__ == "__main__":
    main()
