"""Tables of what fusing modalities brings."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs.markdown import NOT_YET, cell, table
from eval.docs.records import select

METHODS = {
    "voice alone": "voice alone",
    "face alone": "face alone",
    "product of experts": "product of experts",
    "a number": "with a reliability for each modality",
    "one a label": "with one for each label",
    "a matrix": "with a matrix",
    "attention": "cross-modal attention",
}
# What bc-LSTM reached on the same features and split (Poria et al., ACL 2017, table 3).
PUBLISHED = {"text": "78.1", "audio": "60.3", "video": "55.8", "text+audio": "80.2",
             "text+video": "79.3", "audio+video": "62.1", "text+audio+video": "80.3"}  # fmt: skip


RUN_HERE = ("bc-LSTM", "bc-LSTM, standardised")


def people(records: pd.DataFrame) -> str:
    """From votes on voice and face, the votes on both (CREMA-D)."""
    own = select(records, study="fusion", data="crema_d")
    rows = []
    for method, title in METHODS.items():
        each = select(own, weights=method)
        if not len(each):
            return NOT_YET
        rows.append([
            title, cell(each, ".3f", "interval", metric="cross_entropy"),
            cell(each, "+.3f", "interval", metric="cross_entropy over the better alone"),
            cell(each, ".1p", "interval", metric="favourite"),
        ])  # fmt: skip
    return table(("predicted from", "cross-entropy, nats", "over the better alone",
                  "the favourite, %"), rows)  # fmt: skip


def sentiment(records: pd.DataFrame) -> str:
    """Accuracy on CMU-MOSI for each subset of modalities."""
    own = select(records, study="fusion", data="cmu_mosi")
    rows = [
        [names.replace("+", ", "), cell(own, ".1p", "sd", weights=names, condition="all"),
         *(cell(own, ".1p", "sd", weights=f"{title}, {names}") for title in RUN_HERE), known]
        for names, known in PUBLISHED.items()
    ]  # fmt: skip
    return table(("accuracy, %, learnt from", "attention", "bc-LSTM, run here",
                  "the same, audio and video standardised", "bc-LSTM, published"),
                 rows if len(own) else [])  # fmt: skip


def missing(records: pd.DataFrame) -> str:
    """The network that learnt all modalities, with some missing or noisy."""
    own = select(records, study="fusion", data="cmu_mosi", weights="text+audio+video")
    rows = [
        [condition, cell(own, ".1p", "sd", condition=condition)]
        for condition in dict.fromkeys(own["condition"])
    ]
    return table(("learnt from all, tried with", "accuracy, %"), rows)


def pulse(records: pd.DataFrame) -> str:
    """A heart rate read from a face that was given a pulse."""
    own = select(records, study="fusion", data="synthetic pulse")
    rows = []
    for condition in dict.fromkeys(own["condition"]):
        each = select(own, condition=condition)
        rows.append([
            condition, cell(each, ".1f", metric="quality"), cell(each, ".0p", metric="answered"),
            cell(each, ".1f", metric="error"), cell(each, ".0p", metric="far off"),
        ])  # fmt: skip
    return table(("face", "quality, dB", "a rate is given, %", "mean error, beats a minute",
                  "off by more than 5, %"), rows)  # fmt: skip


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "fusion-people": people,
    "fusion-sentiment": sentiment,
    "fusion-missing": missing,
    "fusion-pulse": pulse,
}
