"""What a run has recorded of its epochs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fer_cbam.errors import DataError

HISTORY_FILE = "history.csv"


def read_history(path: Path) -> pd.DataFrame:
    """A run's ``history.csv``.

    Raises:
        DataError: unreadable, or without epochs and their seconds.
    """
    try:
        history = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not {"epoch", "seconds"} <= set(history.columns):
        raise DataError(f"{path}: columns {list(history.columns)}; expected epoch and seconds "
                        "among them")  # fmt: skip
    return history


def run_history(run_dir: Path) -> pd.DataFrame | None:
    """The history in the folder of a run, None where there is none."""
    path = run_dir / HISTORY_FILE
    return read_history(path) if path.is_file() else None
