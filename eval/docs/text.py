"""The table of how well lines of English are read."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs.markdown import DASH, NOT_YET, cell, table
from eval.docs.records import select
from eval.text import ALL, MIXED, NEUTRAL, PLAIN, SINGLE

COLUMNS = (
    ("GoEmotions: accuracy", "goemotions", SINGLE, "accuracy"),
    ("macro F1", "goemotions", SINGLE, "macro_f1"),
    ("ECE", "goemotions", SINGLE, "ece"),
    ("macro F1, all lines", "goemotions", ALL, "macro_f1"),
    ("MELD: accuracy", "meld", SINGLE, "accuracy"),
    ("macro F1", "meld", SINGLE, "macro_f1"),
    ("ECE", "meld", SINGLE, "ece"),
)
# BERT on GoEmotions in Ekman's grouping (Demszky et al. 2020).
PUBLISHED = ["BERT, published", *3 * [DASH], "64", *3 * [DASH]]


def reading(records: pd.DataFrame) -> str:
    """The network, a plain classifier, and what was published."""
    own = select(records, study="text")
    if not len(own):
        return NOT_YET
    networks = sorted({name for name in own["weights"] if name.startswith("fer_cbam")})
    titles = {name: f"`{name}`" if MIXED not in name else f"the same, {MIXED}" for name in networks}
    titles |= {PLAIN: PLAIN, NEUTRAL: NEUTRAL}
    rows = [
        [title,
         *(cell(own, ".1p", "" if metric == "ece" else "interval", weights=weights, data=data,
                protocol=protocol, metric=metric) for _, data, protocol, metric in COLUMNS)]
        for weights, title in titles.items()
    ]  # fmt: skip
    return table(("%", *(title for title, *_ in COLUMNS)), [*rows, PUBLISHED])


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {"text": reading}
