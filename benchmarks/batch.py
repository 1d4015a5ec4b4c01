"""What ``fer-cbam batch`` does with many images: rates, memory, and whether each has its row.

::

    python -m benchmarks.batch_images --out FOLDER --count 1000
    python -m benchmarks.batch rates FOLDER --images 300 --out reports/batch/rates.json
    python -m benchmarks.batch faces --out reports/batch/faces.json
    python -m benchmarks.batch long FOLDER --kill 2 --out reports/batch/long.json

``rates`` times a plain loop over `EmotionRecognizer` and the batch, by turns, in one run: compare
their ratios, as times move with what else the machine does. ``faces`` does so for pictures of 1 to
50 faces. ``long`` watches one whole run: memory of all its processes once a second, and the rows.
It kills it at random moments, if asked, and goes on.
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
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from PIL import Image

from benchmarks.report import processor
from eval.records import Record, provenance, record, write_report
from fer_cbam.batch import recognize_dataset
from fer_cbam.errors import ImageError
from fer_cbam.recognizer import EmotionRecognizer

WARM_IMAGES = 32  # before anything is timed
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
    """Seconds and faces of a batch, from its first answer on: to start costs the same for any
    number of images."""
    first: list[tuple[float, int]] = []

    def report(progress: Any) -> None:
        if not first and progress.images:
            first.append((time.perf_counter(), progress.images))

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        summary = recognize_dataset(
            paths, Path(folder) / "out", weights=weights, backend=backend, processes=processes,
            report=report,
        )  # fmt: skip
        ended = time.perf_counter()
    moment, images = first[0]
    whole = (ended - moment) * len(paths) / max(1, len(paths) - images)
    return min(whole, ended - began), summary.faces


def rates(folder: Path, images: int, weights: str, backends: Sequence[str]) -> Iterator[Record]:
    """Images a second of each way to answer the same images, and how many times a loop that is."""
    paths = files_of(folder)[:images]
    ways: dict[str, tuple[float, int]] = {}
    for backend in backends:
        recognizer = EmotionRecognizer.from_pretrained(weights, backend=backend)
        loop(paths[:WARM_IMAGES], recognizer)
        ways[f"loop, {backend}"] = loop(paths, recognizer)
        del recognizer
    for backend in backends:
        for processes in (1, 2) if backend != "torch" else ():
            ways[f"batch, {backend}, {processes}"] = batch(paths, weights, backend, processes)
    for way, (seconds, faces) in ways.items():
        fields = {"weights": weights, "option": way, "condition": "photographs", "n": len(paths)}
        yield record("images_per_second", len(paths) / seconds, **fields)
        yield record("faces", faces, **fields)
        for backend in backends:
            times = ways[f"loop, {backend}"][0] / seconds
            yield record(f"times_loop_{backend}", times, **fields)


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
    """Milliseconds an image of the loop and the batch, on one process, as faces grow."""
    recognizer = EmotionRecognizer.from_pretrained(weights, backend=backend)
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number in range(images):
                crowd(count).save(folder / f"{number}.jpg", quality=90 - number % 20)
            paths = files_of(folder)
            loop(paths[:2], recognizer)
            alone, seen = loop(paths, recognizer)
            together, _ = batch(paths, weights, backend, 1)
        fields = {
            "weights": weights, "option": backend, "condition": f"{count} faces", "n": images,
        }  # fmt: skip
        yield record("found", seen / images, **fields)
        yield record("loop_milliseconds", 1e3 * alone / images, **fields)
        yield record("batch_milliseconds", 1e3 * together / images, **fields)
        yield record("times_loop", alone / together, **fields)


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
    starts: list[dict[str, Any]],
) -> Iterator[Record]:  # fmt: skip
    """One run from beginning to end, killed so many times on its way. starts: gets what each start
    was seen to do."""
    command = [
        sys.executable, "-m", "fer_cbam.cli", "batch", str(folder), "--out", str(out),
        "--weights", weights, "--backend", backend, "--processes", str(processes), "--quiet",
    ]  # fmt: skip
    chance = random.Random(0)
    for number in range(kills + 1):
        kill_after = chance.uniform(20, 90) if number < kills else None
        starts.append(_watched(command, kill_after))
    paths = {str(path) for path in files_of(folder)}
    fields = {
        "weights": weights, "option": f"{backend}, {processes}", "n": len(paths),
        "condition": f"{len(paths)} inputs, {kills} kills",
    }  # fmt: skip
    yield record("inputs", len(paths), **fields)
    yield from _counted(paths, out, fields)
    last = starts[-1]
    yield record("seconds", last["seconds"], **fields)
    yield record("images_per_second", len(paths) / last["seconds"], **fields)
    megabytes = [value for _, value in last["memory"]]
    late = [value for second, value in last["memory"] if second >= GROWN_FROM]
    yield record("peak_megabytes", max(megabytes), **fields)
    if late:
        yield record("growth_after_a_minute_megabytes", max(late) - late[0], **fields)


def _counted(paths: set[str], out: Path, fields: dict[str, Any]) -> Iterator[Record]:
    """How many inputs have rows, and rows of which kind."""
    rows, sources, twice = Counter[str](), set[str](), 0
    table = ds.dataset(out, format="parquet")
    for block in table.to_batches(columns=["source", "face", "error_kind"]):
        for row in block.to_pylist():
            twice += row["face"] in (None, 0) and row["source"] in sources
            sources.add(row["source"])
            rows[row["error_kind"] or ("no face" if row["face"] is None else "face")] += 1
    yield record("inputs_with_rows", len(paths & sources), **fields)
    yield record("inputs_twice", int(twice), **fields)
    for kind, count in rows.most_common():
        yield record("rows", count, group=kind, **fields)


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


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("rates", "faces", "long"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the report")
    parser.add_argument("--weights", default="fer_cbam_base.ferplus")
    parser.add_argument("--backends", nargs="+", default=["torch", "onnx"])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 2, 5, 10, 20, 50])
    parser.add_argument("--results", type=Path, help="of long; kept")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kill", type=int, default=0)
    args = parser.parse_args(arguments)
    starts: list[dict[str, Any]] = []
    if args.what == "rates":
        records = rates(args.folder, args.images, args.weights, args.backends)
    elif args.what == "faces":
        records = by_faces(args.weights, args.backends[-1], args.counts, args.images)
    else:
        records = long(args.folder, args.results, args.weights, args.backends[-1],
                       args.processes, args.kill, starts)  # fmt: skip
    found = list(records)
    write_report(args.out, "batch", provenance("benchmarks.batch", arguments), found,
                 processor=processor(), cores=os.cpu_count(), starts=starts or None)  # fmt: skip
    for row in found:
        print(row)


if __name__ == "__main__":
    main(sys.argv[1:])
