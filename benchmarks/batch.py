"""What ``fer-cbam batch`` does with many images: rates, memory, and whether each has its row.

::

    python -m benchmarks.batch_images --out FOLDER --count 1000
    python -m benchmarks.batch rates FOLDER --images 300 --out reports/batch/rates.json
    python -m benchmarks.batch faces --out reports/batch/faces.json
    python -m benchmarks.batch driver FOLDER --images 10000 --out reports/batch/driver.json
    python -m benchmarks.batch long FOLDER --results RESULTS --kill 2 --out reports/batch/long.json
    python -m benchmarks.batch ray FOLDER --images 1000 --out reports/batch/ray.json

``rates`` times a plain loop over `EmotionRecognizer` and the batch, by turns, in one run: compare
their ratios, as times move with what else the machine does. ``faces`` does so for pictures of 1 to
50 faces, and ``driver`` times the process that shares out and writes, alone. ``long`` watches one
whole run: memory of all its processes once a second, and the rows. It kills it at random moments,
if asked, and goes on; ``compare`` looks at results that were made by hand. ``ray`` has two nodes on
this machine, with a core each, and ends one in the middle, if asked.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from PIL import Image

from benchmarks.report import processor
from eval.records import Record, provenance, record, write_report
from fer_cbam.batch import recognize_dataset
from fer_cbam.batch.answers import TaskRecognizer
from fer_cbam.batch.inputs import MARK
from fer_cbam.batch.jobs import settings_of
from fer_cbam.batch.rows import as_stream, from_stream
from fer_cbam.batch.run import run
from fer_cbam.batch.tasks import IMAGE, Answer, Input, Task
from fer_cbam.errors import ImageError
from fer_cbam.recognizer import EmotionRecognizer

STORE_BYTES = 80 << 20  # of a Ray node
KILLED_AFTER = (10.0, 40.0)  # seconds
GROWN_FROM = 60.0  # seconds after which memory should not grow


def files_of(folder: Path) -> list[Path]:
    """All JPEG files, in order."""
    return sorted(folder.rglob("*.jpg"))


def loop(paths: Sequence[Path], recognizer: EmotionRecognizer) -> tuple[float, int]:
    """Seconds and faces of a loop as a user writes it."""
    faces = 0
    began = time.perf_counter()
    for path in paths:
        try:
            faces += len(recognizer(path))
        except ImageError:
            continue
    return time.perf_counter() - began, faces


def batch(paths: Sequence[Path], weights: str, backend: str, processes: int) -> tuple[float, int]:
    """Seconds and faces of a run of the batch, from nothing to the last row."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        summary = recognize_dataset(
            paths, Path(folder) / "out", weights=weights, backend=backend, processes=processes
        )
        return time.perf_counter() - began, summary.faces


def processor_seconds() -> float:
    """Of this process and of those below it that have ended."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def rates(
    folder: Path, images: int, weights: str, backends: Sequence[str], rounds: int, most: int
) -> Iterator[Record]:
    """Images a second, and processor time, of each way to answer the same images; the median of so
    many rounds, in which they take turns. What a run of one image takes is the start, and is taken
    off. most: processes."""
    paths = files_of(folder)[:images]
    loops = {name: EmotionRecognizer.from_pretrained(weights, backend=name) for name in backends}
    ways: dict[str, Callable[[Sequence[Path]], tuple[float, int]]] = {
        f"loop, {name}": partial(loop, recognizer=recognizer) for name, recognizer in loops.items()
    }
    for name in backends:
        for processes in range(1, most + 1) if name != "torch" else ():
            ways[f"batch, {name}, {processes}"] = partial(
                batch, weights=weights, backend=name, processes=processes
            )
    seen: dict[str, list[tuple[float, float, int]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, ask in ways.items():
            seen[way].append(_timed(ask, paths))
    times = {way: np.median([found[:2] for found in all_], axis=0) for way, all_ in seen.items()}
    for way, (seconds, work) in times.items():
        fields = {"weights": weights, "option": way, "condition": "photographs", "n": len(paths)}
        yield record("images_per_second", len(paths) / seconds, **fields)
        yield record("processor_milliseconds", 1e3 * work / len(paths), **fields)
        yield record("faces", seen[way][0][2], **fields)
        for backend in backends:
            ratio = times[f"loop, {backend}"][0] / seconds
            yield record(f"times_loop_{backend}", ratio, **fields)


def _timed(
    ask: Callable[[Sequence[Path]], tuple[float, int]], paths: Sequence[Path]
) -> tuple[float, float, int]:
    """Seconds, processor seconds and faces, without the start."""
    moments = [processor_seconds()]
    start, _ = ask(paths[:1])
    moments.append(processor_seconds())
    whole, faces = ask(paths)
    moments.append(processor_seconds())
    return whole - start, moments[2] - 2 * moments[1] + moments[0], faces


def crowd(faces: int, side: int = 96) -> Image.Image:
    """A picture of so many faces: one photograph, cut out, in rows."""
    photo = Path(os.environ["FER_CBAM_DATA"]) / "faces" / "photos" / "Family1-Dad1.jpg"
    with Image.open(photo) as image:
        tile = image.convert("RGB").crop((0, 0, 203, 241)).resize((side, side))
    columns = min(faces, 10)
    rows = -(-faces // columns)
    whole = Image.new("RGB", (columns * side, rows * side), (128, 128, 128))
    for number in range(faces):
        whole.paste(tile, (number % columns * side, number // columns * side))
    return whole


def by_faces(weights: str, backend: str, counts: Sequence[int], images: int) -> Iterator[Record]:
    """Milliseconds an image of the loop and of the batch, each on one thread, as faces grow."""
    answer = TaskRecognizer(settings_of(weights, backend, "cpu"))
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            for number in range(images):
                crowd(count).save(Path(name) / f"{number}.jpg", quality=90 - number % 20)
            paths = files_of(Path(name))
            loop(paths[:2], answer.recognizer)
            alone, seen = loop(paths, answer.recognizer)
            task = Task(tuple(Input(str(path), IMAGE) for path in paths))
            began = time.perf_counter()
            deque(answer(task), maxlen=0)
            together = time.perf_counter() - began
        fields = {
            "weights": weights, "option": backend, "condition": f"{count} faces", "n": images,
        }  # fmt: skip
        yield record("found", seen / images, **fields)
        yield record("loop_milliseconds", 1e3 * alone / images, **fields)
        yield record("batch_milliseconds", 1e3 * together / images, **fields)
        yield record("times_loop", alone / together, **fields)


def driver(folder: Path, images: int, weights: str) -> Iterator[Record]:
    """How many images a second the process that shares out and writes keeps up with, where others
    do the recognition: each answer is that of one photograph."""
    settings = settings_of(weights, "onnx", "cpu")
    paths = files_of(folder)[:images]
    task = Task((Input(str(paths[0]), IMAGE),))
    rows = next(from_stream(a.rows) for a in TaskRecognizer(settings)(task) if a.rows).slice(0, 1)

    def engine(tasks: Iterator[Task]) -> Iterator[Answer]:
        for task in tasks:
            sources = [item.source for item in task.inputs]
            many = rows.take([0] * len(sources)).set_column(0, "source", [sources])
            keys = tuple((source, "") for source in sources)
            yield Answer(as_stream(many.cast(rows.schema)), keys, tuple(sources), last=True)

    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        summary = run([*map(str, paths)], out, settings, engine)
        manifest = (out / MARK).stat().st_size
    fields = {"weights": weights, "condition": "driver", "n": len(paths)}
    yield record("images_per_second", summary.images / summary.seconds, **fields)
    yield record("manifest_bytes_an_input", manifest / len(paths), **fields)


def tree_bytes(process: int) -> int:
    """Resident memory of a process and all below it, shared pages once for each (Linux)."""
    total, todo = 0, [process]
    while todo:
        number = todo.pop()
        try:
            status = Path(f"/proc/{number}/status").read_text()
            total += next(
                int(line.split()[1]) * 1024
                for line in status.splitlines()
                if line.startswith("VmRSS")
            )
            for task in Path(f"/proc/{number}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue
    return total


def long(
    folder: Path, out: Path, weights: str, backend: str, processes: int, kills: int,
    against: Path | None, starts: list[dict[str, Any]],
) -> Iterator[Record]:  # fmt: skip
    """One run from beginning to end, killed so many times on its way.

    against: results of another run, of the same images. starts: gets what each start was seen to
    do.
    """
    command = [
        sys.executable, "-m", "fer_cbam.cli", "batch", str(folder), "--out", str(out),
        "--weights", weights, "--backend", backend, "--processes", str(processes), "--quiet",
    ]  # fmt: skip
    chance = random.Random(0)
    for number in range(kills + 1):
        kill_after = chance.uniform(*KILLED_AFTER) if number < kills else None
        starts.append(_watched(command, kill_after))
    yield from compare(folder, out, weights, backend, processes, kills, against)
    count = len(files_of(folder))
    fields = _fields(count, weights, backend, processes, kills)
    last = starts[-1]
    if not kills:
        yield record("seconds", last["seconds"], **fields)
        yield record("images_per_second", count / last["seconds"], **fields)
    megabytes = [value for _, value in last["memory"]]
    late = [value for second, value in last["memory"] if second >= GROWN_FROM]
    yield record("peak_megabytes", max(megabytes), **fields)
    if late:
        yield record("growth_after_a_minute_megabytes", max(late) - late[0], **fields)


def compare(
    folder: Path, out: Path, weights: str, backend: str, processes: int, kills: int,
    against: Path | None,
) -> Iterator[Record]:  # fmt: skip
    """Whether results have rows for each input once, and those of other results."""
    paths = {str(path) for path in files_of(folder)}
    fields = _fields(len(paths), weights, backend, processes, kills)
    yield record("inputs", len(paths), **fields)
    yield from _counted(paths, out, fields)
    if against is not None:
        yield record("equal", int(_sorted(out).equals(_sorted(against))), **fields)


def _fields(count: int, weights: str, backend: str, processes: int, kills: int) -> dict[str, Any]:
    condition = f"{count} inputs, {kills} kills"
    option = f"{backend}, {processes}"
    return {"weights": weights, "option": option, "condition": condition, "n": count}


def _counted(paths: set[str], out: Path, fields: dict[str, Any]) -> Iterator[Record]:
    """How many inputs have rows, and rows of which kind."""
    rows, sources, twice = Counter[str](), set[str](), 0
    table = ds.dataset(out, format="parquet")
    for block in table.to_batches(columns=["source", "face", "error_kind"]):
        for row in block.to_pylist():
            twice += row["face"] in (None, 0) and row["source"] in sources
            sources.add(row["source"])
            rows[row["error_kind"] or ("no face" if row["face"] is None else "face")] += 1
    size = sum(path.stat().st_size for path in out.glob("part-*.parquet"))
    yield record("bytes_a_row", size / rows.total(), **fields)
    yield record("inputs_with_rows", len(paths & sources), **fields)
    yield record("inputs_twice", int(twice), **fields)
    for kind, count in rows.most_common():
        yield record("rows", count, group=kind, **fields)


def two_nodes(
    folder: Path, images: int, weights: str, backend: str, lose: bool
) -> Iterator[Record]:
    """A Ray cluster of two nodes against the same images in two processes. lose: end a node, with
    what it is at, once a quarter is done."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster as Nodes

    from fer_cbam.batch.cluster import Cluster

    paths = files_of(folder)[:images]
    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    nodes = Nodes(initialize_head=True, head_node_args=node)
    second = nodes.add_node(**node)
    ray.init(address=nodes.address, log_to_driver=False, logging_level="warning")
    lost: list[float] = []
    began = time.perf_counter()

    def report(progress: Any) -> None:
        if lose and not lost and progress.images > images / 4:
            lost.append(time.perf_counter() - began)
            nodes.remove_node(second, allow_graceful=False)

    options: dict[str, Any] = {"weights": weights, "backend": backend}
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name) / "one", Path(name) / "two"
        summary = recognize_dataset(paths, two, ray=Cluster(actors=2), report=report, **options)
        ray.shutdown()
        nodes.shutdown()
        alone = recognize_dataset(paths, one, processes=2, **options)
        equal = _sorted(one).equals(_sorted(two))
    fields = {
        "weights": weights, "option": f"{backend}, ray", "n": len(paths),
        "condition": "two nodes, one lost" if lose else "two nodes",
    }  # fmt: skip
    yield record("equal", int(equal), **fields)
    yield record("images", summary.images, **fields)
    yield record("faces", summary.faces, **fields)
    yield record("seconds", summary.seconds, **fields)
    yield record("seconds_of_two_processes", alone.seconds, **fields)
    for second_lost in lost:
        yield record("lost_after_seconds", second_lost, **fields)


def _sorted(folder: Path) -> Any:
    keys = ("source", "member", "frame", "face")
    return ds.dataset(folder, format="parquet").to_table().sort_by([(k, "ascending") for k in keys])


def _watched(command: list[str], kill_after: float | None) -> dict[str, Any]:
    began = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    memory = []
    while process.poll() is None:
        seconds = time.monotonic() - began
        memory.append((round(seconds, 1), round(tree_bytes(process.pid) / 1e6, 1)))
        if kill_after is not None and seconds > kill_after:
            process.send_signal(signal.SIGKILL)
        time.sleep(1)
    said = process.stderr.read().splitlines() if process.stderr else []
    return {
        "status": process.returncode,
        "seconds": round(time.monotonic() - began, 1),
        "said": [line for line in said if not line.startswith("[")][-8:],
        "memory": list(islice(memory, 0, None, max(1, len(memory) // 200))),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("rates", "faces", "driver", "long", "compare", "ray"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the report")
    parser.add_argument("--weights", default="fer_cbam_base.ferplus")
    parser.add_argument("--backends", nargs="+", default=["torch", "onnx"])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 2, 5, 10, 20, 50])
    parser.add_argument("--results", type=Path, help="of long; kept")
    parser.add_argument("--against", type=Path, help="results of long, to compare with")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kill", type=int, default=0)
    args = parser.parse_args(arguments)
    starts: list[dict[str, Any]] = []
    if args.what == "rates":
        records = rates(
            args.folder, args.images, args.weights, args.backends, args.rounds, args.processes
        )
    elif args.what == "faces":
        records = by_faces(args.weights, args.backends[-1], args.counts, args.images)
    elif args.what == "driver":
        records = driver(args.folder, args.images, args.weights)
    elif args.what == "ray":
        records = two_nodes(args.folder, args.images, args.weights, args.backends[-1],
                            args.kill > 0)  # fmt: skip
    elif args.what == "compare":
        records = compare(args.folder, args.results, args.weights, args.backends[-1],
                          args.processes, args.kill, args.against)  # fmt: skip
    else:
        records = long(args.folder, args.results, args.weights, args.backends[-1],
                       args.processes, args.kill, args.against, starts)  # fmt: skip
    found = list(records)
    write_report(args.out, "batch", provenance("benchmarks.batch", arguments), found,
                 processor=processor(), cores=os.cpu_count(), starts=starts or None)  # fmt: skip
    for row in found:
        print(row)


if __name__ == "__main__":
    main(sys.argv[1:])
