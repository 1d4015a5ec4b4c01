"""What a run records after each epoch: a CSV file and TensorBoard events."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from eval.history import HISTORY_FILE

Row = dict[str, float]


def write_history(run_dir: Path, rows: list[Row]) -> None:
    """Replace ``history.csv`` by these rows, in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({k: f"{v:.7g}" for k, v in row.items()} for row in rows)
    partial = run_dir / f"{HISTORY_FILE}.partial"
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(run_dir / HISTORY_FILE)


class TensorBoard:
    """Scalars of each epoch for ``tensorboard --logdir``."""

    def __init__(self, run_dir: Path, first_epoch: int):
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(run_dir / "tensorboard"), purge_step=first_epoch)

    def add(self, row: Row) -> None:
        for key, value in row.items():
            if key != "epoch":
                self.writer.add_scalar(key, value, int(row["epoch"]))
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
