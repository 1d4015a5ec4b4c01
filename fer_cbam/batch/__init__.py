"""Many images: streamed, shared out over the cores or a cluster, and safe to be stopped.

For scripts::

    summary = recognize_dataset(["photos/", "shards/*.tar"], "results.parquet")
    print("\\n".join(summary.lines()))

The results are a folder of Parquet files that pandas, DuckDB and Ray read as one table; its columns
are those of :func:`fer_cbam.batch.rows.schema`. What a row says of an image depends on that image,
the weights and the settings alone: not on the images beside it, nor on the number of processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.errors import BackendError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.prior import Prior

if TYPE_CHECKING:
    from fer_cbam.batch.cluster import Cluster
    from fer_cbam.batch.run import Progress, Summary

__all__ = ["recognize_dataset"]


def recognize_dataset(
    inputs: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    weights: str | Path = DEFAULT_WEIGHTS,
    backend: str | None = None,
    device: str | None = None,
    prior: Prior | None = None,
    embedding: bool = False,
    video_every: float = 0.5,
    image_column: str | None = None,
    processes: int | None = None,
    ray: Cluster | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Summary:
    """Recognise the faces of many images, clips and archives, and write a table of them.

    A run that ended early, for whatever reason, is gone on with by the same call: what is written
    is not read again, unless its size or time is another than it was, or it could not be read.

    inputs: files, folders, patterns (``photos/**/*.jpg``), tar files, Parquet files with a column
    of images, CSV files with a column of paths, clips, ``-`` for a list on standard input; here, or
    at any URL that fsspec has a driver for. out: a folder here. weights, backend, device, prior: as
    in `EmotionRecognizer.from_pretrained`, but that ONNX Runtime is taken by default where there is
    no CUDA. embedding: add a column with it. video_every: seconds between two frames of a clip.
    image_column: name of the column of a Parquet or CSV file. processes: by default as many as this
    process may use cores. ray: the cluster to use in their place. report: called with progress.

    Returns counts of what this call has read.

    Raises:
        BatchError: the folder holds something else, the results of another job, or is in use; the
            disk is full; a driver is missing; workers do not work.
        WeightsError, BackendError, PriorError: as `EmotionRecognizer.from_pretrained`.
    """
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise BackendError(
            "results are written with pyarrow, which is not installed; "
            "expected: pip install 'fer-cbam[batch]'"
        ) from error
    from fer_cbam.batch import local
    from fer_cbam.batch.jobs import settings_of
    from fer_cbam.batch.run import run

    settings = settings_of(weights, backend, device, prior, embedding, video_every, image_column)
    names = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if ray is not None:
        from fer_cbam.batch import cluster

        engine = partial(cluster.answers, settings=settings, cluster=ray)
    else:
        engine = partial(local.answers, settings=settings, processes=processes or _cores())
    return run(names, out, settings, engine, report)


def _cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
