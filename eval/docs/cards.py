"""The cards of the embedded weights, from their config.json and the records of all reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eval.docs.motion import card
from eval.docs.records import select
from eval.records import NAMES, NUMBERS
from fer_cbam import pretrained
from fer_cbam.hub.cards import CARD_FILE, HOME, compose


def records_of(records: pd.DataFrame, name: str) -> list[dict]:
    """What was measured of embedded weights, their home test first, without empty values."""
    home = HOME.get(name.partition(".")[2])
    found = select(records, study="evaluation", weights=name, option="plain")
    found = found.sort_values(
        ["data", "protocol"], key=lambda column: column != home, kind="stable"
    )
    return _rows(found)


def trust_of(records: pd.DataFrame, name: str) -> list[dict]:
    """What ``python -m eval trust`` measured of embedded weights, their own data first."""
    own = name.partition(".")[2]
    found = select(records, study="trust", weights=name)
    return _rows(found.sort_values("data", key=lambda data: data != own, kind="stable"))


def _rows(found: pd.DataFrame) -> list[dict]:
    rows = found[[*NAMES, *NUMBERS]].to_dict("records")
    kept = [{k: v for k, v in row.items() if pd.notna(v)} for row in rows]
    return [{**row, "n": int(row["n"])} if "n" in row else row for row in kept if "value" in row]


def cards(records: pd.DataFrame) -> dict[Path, str]:
    """File -> card of every set of embedded weights."""
    texts = {}
    for name in pretrained.embedded_names():
        folder = pretrained.embedded_dir(name)
        config = pretrained.read_config(folder)
        texts[folder / CARD_FILE] = compose(
            folder, config, name, records_of(records, name), trust_of(records, name)
        )
    texts |= {folder / CARD_FILE: card(folder, records) for folder in pretrained.recurrent_dirs()}
    return texts
