"""Tasks shared out over a Ray cluster by Ray Data, which repeats what a lost node had.

An actor holds a worker process with its recogniser. What travels are names of files and rows:
images are read where they are recognised, so the object store stays small. Inputs must be readable
by the same name on each node, and the weights must lie there too, as the embedded ones do.

Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018,
https://arxiv.org/abs/1712.05889.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from fer_cbam.batch.tasks import Answer, Settings, Task
from fer_cbam.batch.worker import Worker, as_answer, header_of
from fer_cbam.errors import BackendError, BatchError

if TYPE_CHECKING:
    import pyarrow as pa

ROUND_TASKS = 4096  # handed to Ray at once: their names are held in memory
STORE_BYTES = 256 << 20  # of the object store of a cluster that is started here


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster and what is asked of it.

    address: of a running one, ``"auto"`` for that of this machine; None starts one here that ends
    with the run. actors: recognisers; by default as many as there are cores, or GPUs where the
    network runs on CUDA. cpus, gpus: that Ray sets aside for each; a fraction shares a GPU. tasks:
    of one call of an actor.
    """

    address: str | None = None
    actors: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    tasks: int = 1


def answers(tasks: Iterator[Task], settings: Settings, cluster: Cluster) -> Iterator[Answer]:
    """The answers of all tasks, of different tasks in any order.

    Raises:
        BackendError: Ray is not installed.
        BatchError: an actor does not begin to work.
    """
    ray = _ray()
    started = not ray.is_initialized()
    if started:
        own = {} if cluster.address else {"object_store_memory": STORE_BYTES}
        ray.init(address=cluster.address, log_to_driver=False, logging_level="warning", **own)
    try:
        while round_tasks := [task.to_json() for task in islice(tasks, ROUND_TASKS)]:
            yield from _round(ray, round_tasks, settings, cluster)
    except ray.exceptions.RayError as error:
        raise BatchError(f"the cluster cannot go on: {error}") from error
    finally:
        if started:
            ray.shutdown()


def _ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read by the cluster that is started here
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise BackendError(
            "a cluster needs ray, which is not installed; expected: pip install 'fer-cbam[ray]'"
        ) from error
    return ray


def _round(ray: Any, tasks: list[str], settings: Settings, cluster: Cluster) -> Iterator[Answer]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    blocks = -(-len(tasks) // cluster.tasks)
    data = ray.data.from_items([{"task": task} for task in tasks], override_num_blocks=blocks)
    actors = cluster.actors or _room(ray, cluster)
    found = data.map_batches(
        TaskActor,
        fn_constructor_kwargs={"settings": settings.to_json()},
        batch_size=cluster.tasks,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
        num_cpus=cluster.cpus,
        num_gpus=cluster.gpus or None,
    )
    for batch in found.iter_batches(batch_size=None, batch_format="pyarrow"):
        for header, rows in zip(batch["header"], batch["rows"], strict=True):
            yield as_answer(json.loads(header.as_py()), rows.as_py())


def _room(ray: Any, cluster: Cluster) -> int:
    """How many actors the nodes have room for."""
    there = ray.cluster_resources()
    room = there.get("CPU", 1.0) / cluster.cpus
    if cluster.gpus:
        room = min(room, there.get("GPU", 0.0) / cluster.gpus)
    return max(1, int(room))


class TaskActor:
    """What Ray Data runs on a node: a batch of tasks -> their answers, a row each."""

    def __init__(self, settings: str) -> None:
        self._worker = Worker(Settings.from_json(settings))
        self._worker.start()

    def __call__(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        found: list[Answer] = []
        for text in batch["task"]:
            found += self._worker.answers(Task.from_json(text.as_py()))
        return pa.table({
            "header": [json.dumps(header_of(answer)) for answer in found],
            "rows": pa.array([answer.rows for answer in found], pa.large_binary()),
        })  # fmt: skip
