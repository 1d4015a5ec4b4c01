"""What a run has recorded of its epochs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fer_cbam.errors import DataError

HISTORY_FILE = "history.csv"
WATCHED = "watched"  # folder of the run that a run with nothing held out repeats


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
    """The history in the folder of a run, None where there is none.

    Where the run repeats another one with nothing held out, the other's validation stands beside as
    watched_loss and watched_accuracy.
    """
    if not (run_dir / HISTORY_FILE).is_file():
        return None
    history = read_history(run_dir / HISTORY_FILE)
    if (run_dir / WATCHED / HISTORY_FILE).is_file():
        watched = read_history(run_dir / WATCHED / HISTORY_FILE)
        history["watched_loss"] = watched["val_loss"]
        history["watched_accuracy"] = watched["val_accuracy"]
    return history
