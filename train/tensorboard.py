"""Event files for TensorBoard, where that is installed: ``tensorboard --logdir runs``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

#: What is written, of a row of the history, and the chart that it stands in.
CHARTS = {
    "train_loss": "loss/training",
    "val_loss": "loss/validation",
    "train_accuracy": "accuracy/training",
    "val_accuracy": "accuracy/validation",
    "lr": "learning rate",
}


@contextmanager
def event_files(
    folder: Path, epoch: int, wanted: bool = True
) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Gives what writes a row of the history; nothing is written without TensorBoard.

    epoch: that a run goes on after: what an earlier one wrote of later epochs is hidden.
    """
    if not wanted or find_spec("tensorboard") is None:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), purge_step=epoch + 1) as writer:

        def write(row: Mapping[str, float]) -> None:
            for name, chart in CHARTS.items():
                if name in row:
                    writer.add_scalar(chart, row[name], int(row["epoch"]))
            writer.flush()

        yield write
