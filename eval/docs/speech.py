"""Tables of what a voice says, alone and beside a face."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs.markdown import NOT_YET, cell, table
from eval.docs.records import select

NETWORK = "fer_cbam_prosody"
SETS = {"ravdess": "RAVDESS", "emodb": "EmoDB", "ravdess+emodb": "both"}
PROTOCOLS = (
    ("ravdess", "speakers apart, 5 folds", "RAVDESS, 8 emotions, 5 folds by actor"),
    ("emodb", "one speaker left out", "EmoDB, 7 emotions, one speaker left out"),
    ("ravdess+emodb", "both sets, speakers apart, 5 folds", "both, the face's 7, 5 folds"),
    ("ravdess", "both sets, speakers apart, 5 folds", "RAVDESS among both"),
    ("emodb", "both sets, speakers apart, 5 folds", "EmoDB among both"),
    ("emodb", "from the other set", "EmoDB, 6 emotions, learnt on RAVDESS"),
    ("ravdess", "from the other set", "RAVDESS, 6 emotions, learnt on EmoDB"),
    ("ravdess", "random fifth", "RAVDESS, a random fifth (leaks)"),
    ("emodb", "random fifth", "EmoDB, a random fifth (leaks)"),
)
BASELINES = ("logistic regression", "support vector machine")
RECALL = "unweighted average recall"
PAIRS = {
    "face correct": "the face is right", "voice correct": "the voice is right",
    "together correct": "together right about the face's label",
    "face confidence": "confidence of the face", "together confidence": "confidence together",
    "surer": "surer together than the face alone", "reported": "a contradiction is reported",
    "reported, both right": "the same, where each is right by itself",
}  # fmt: skip


def speech(records: pd.DataFrame) -> str:
    """The network and two plain classifiers, speakers apart and not."""
    own = select(records, study="speech")
    if not len(own):
        return NOT_YET
    rows = []
    for data, protocol, title in PROTOCOLS:
        each = select(own, data=data, protocol=protocol)
        if len(each):
            network = select(each, weights=NETWORK, condition=None)
            rows.append([
                title, cell(network, ".1p", "interval", metric="accuracy"),
                cell(network, ".1p", "interval", metric=RECALL),
                *(cell(each, ".1p", weights=name, metric=RECALL) for name in BASELINES),
            ])  # fmt: skip
    header = ("", "accuracy, %", "unweighted average recall, %", *BASELINES)
    return table(header, rows)


def calibration(records: pd.DataFrame) -> str:
    """How far a window's confidence is from being right."""
    own = select(records, study="speech", data="ravdess+emodb")
    rows = [
        [condition, *(cell(select(own, condition=condition), ".1p", metric=metric)
                      for metric in ("window accuracy", "window confidence", "ece"))]
        for condition in ("as trained", "calibrated") if len(select(own, condition=condition))
    ]  # fmt: skip
    return table(("windows of speakers never heard", "right, %", "confidence, %", "ECE, %"), rows)


def made(records: pd.DataFrame) -> str:
    """Made clips: a face and a voice that agree or contradict each other."""
    own = select(records, study="made_clips")
    sides = [select(own, condition=name) for name in ("agree", "conflict")]
    rows = [
        [title, *(cell(side, ".1p", "interval", metric=metric) for side in sides)]
        for metric, title in PAIRS.items()
    ]
    rows += [
        [f"ECE of {title}", *(cell(side, ".1p", metric=f"{name} ece") for side in sides)]
        for name, title in (("face", "the face"), ("voice", "the voice"),
                            ("together", "both together"))
    ]  # fmt: skip
    return table(("%", "they agree", "they contradict"), rows if len(own) else [])


def speed(records: pd.DataFrame) -> str:
    """Milliseconds of each part."""
    own = select(records, study="modalities")
    names = {"voice": "voice: two seconds of sound", "text": "text: a line of 15 words",
             "fusion": "cross-modal attention, 16 tokens",
             "experts": "product of experts"}  # fmt: skip
    rows = [[title, cell(own, ".2f", "interval", condition=name)] for name, title in names.items()]
    return table(("a window, one thread", "ms"), rows if len(own) else [])


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "speech": speech,
    "speech-calibration": calibration,
    "made-clips": made,
    "modalities-speed": speed,
}
