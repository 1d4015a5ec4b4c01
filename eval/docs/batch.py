"""Tables of the reports of ``python -m benchmarks.batch``, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs import titles
from eval.docs.markdown import NOT_YET, cell, table, text
from eval.docs.records import one, select

MANY = 100_000_000
CORES = 1000
PHOTOGRAPH = 2e6  # bytes
WEIGHTS = "fer_cbam_base.ferplus"
LOOPS = {"times_loop_torch": "times the loop with torch", "times_loop_onnx": "with ONNX Runtime"}


def rates(records: pd.DataFrame) -> str:
    """Images a second of a plain loop and of the batch, and how many times the loop that is."""
    own = select(records, study="batch", condition="photographs")
    rows = []
    for weights, option in own[["weights", "option"]].drop_duplicates().itertuples(index=False):
        here = select(own, weights=weights, option=option)
        row = [_way(option), titles.method(weights), cell(here, ".1f", metric="images_per_second")]
        rows.append([*row, *(cell(here, ".2f", metric=metric) for metric in LOOPS)])
    return table(["way", "weights", "images a second", *LOOPS.values()], rows)


def _way(option: str) -> str:
    """``batch, onnx, 2`` -> batch, ONNX Runtime, 2 processes."""
    kind, backend, *processes = option.split(", ")
    named = titles.RUNTIMES.get(backend, backend)
    if not processes:
        return f"a loop, {named}"
    return f"{kind}, {named}, {processes[0]} process{'es' if processes[0] != '1' else ''}"


def growth(records: pd.DataFrame) -> str:
    """Whole runs: rows for each input, rate and memory, as the images grow in number."""
    own = select(records, study="batch", metric="inputs").sort_values(["n", "condition"])
    rows = []
    for condition in own["condition"]:
        here = select(records, study="batch", condition=condition, group=None)
        same = {"1": "yes", "0": "no"}
        equal = cell(here, ".0f", metric="equal")
        rows.append([
            condition,
            same.get(equal, equal),
            *(
                cell(here, spec, metric=metric)
                for metric, spec in (
                    ("inputs_with_rows", ",.0f"), ("inputs_twice", ",.0f"),
                    ("images_per_second", ".1f"), ("peak_megabytes", ",.0f"),
                    ("growth_after_a_minute_megabytes", ".0f"),
                )
            ),
        ])  # fmt: skip
    header = ["run", "equal to an undisturbed one", "inputs with rows", "inputs twice",
              "images a second", "memory, MB", "growth after a minute, MB"]  # fmt: skip
    return table(header, rows)


def by_faces(records: pd.DataFrame) -> str:
    """What an image costs, as the faces in it grow in number."""
    own = select(records, study="batch", metric="loop_milliseconds")
    rows = []
    for condition in sorted(own["condition"], key=lambda name: int(name.split()[0])):
        here = select(records, study="batch", condition=condition)
        rows.append([
            condition.split()[0],
            cell(here, ".1f", metric="loop_milliseconds"),
            cell(here, ".1f", metric="batch_milliseconds"),
            cell(here, ".2f", metric="times_loop"),
        ])  # fmt: skip
    header = [
        "faces in a picture",
        "loop, ms a picture",
        "batch, one process, ms",
        "times the loop",
    ]
    return table(header, rows)


def cluster(records: pd.DataFrame) -> str:
    """What a Ray cluster that loses a node does."""
    own = select(records, study="batch", condition="two nodes, one lost")
    if own.empty:
        return NOT_YET
    same = "the same rows, to the byte," if one(own, metric="equal")["value"] else "other rows"
    images = cell(own, ",.0f", metric="images")
    lost, took, alone = (
        cell(own, ".0f", metric=metric)
        for metric in ("lost_after_seconds", "seconds", "seconds_of_two_processes")
    )
    return (
        "Measured on two nodes of one machine, with a core each: one was ended after "
        f"{lost} s. The {images} images were done after {took} s, with {same} as two processes "
        f"without Ray gave in {alone} s."
    )


def million(records: pd.DataFrame) -> str:
    """The arithmetic for a hundred million images: what was measured, and what follows."""
    own = select(
        records, study="batch", weights="fer_cbam_base.ferplus", metric="images_per_second"
    )
    one_core = select(own, option="batch, onnx, 1")
    driver = select(records, study="batch", condition="driver", metric="images_per_second")
    row_bytes = select(records, study="batch", metric="bytes_a_row")
    if one_core.empty or driver.empty or row_bytes.empty:
        return NOT_YET
    rate = one_core["value"].iloc[0]
    written, size = driver["value"].iloc[0], row_bytes["value"].max()
    noted = select(records, study="batch", metric="manifest_bytes_an_input")["value"].max()
    hours, writing = MANY / rate / 3600, MANY / written / 3600
    reading = CORES * rate * PHOTOGRAPH / 1e9
    return (
        f"Measured: {text(rate, '.1f')} images a second and core (`{WEIGHTS}`, ONNX Runtime, "
        f"photographs of 160 to 320 pixels), {text(written, ',.0f')} images a second that one "
        f"process shares out and writes down, {text(size, '.0f')} bytes a row.\n\n"
        f"Computed for {MANY:,} such images: {text(hours, ',.0f')} core hours, which is "
        f"{text(hours / CORES, '.1f')} hours on {CORES:,} cores; {text(MANY * size / 1e9, '.0f')} "
        "GB of results where each has one row, and "
        f"{text(MANY * noted / 1e9, '.0f')} GB of manifest. The process that writes needs "
        f"{text(writing, '.1f')} hours for them, so beyond about {text(written / rate, ',.0f')} "
        "cores it is what limits: then run several commands, each with its share of the inputs "
        "and an `--out` of its own. Larger photographs cost more, as the search for faces grows "
        "with their size, and reading them may limit before the cores do: at 2 MB each, "
        f"{CORES:,} cores read {text(reading, '.0f')} GB a second. No cluster of that size was "
        "tried."
    )


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "batch-rates": rates,
    "batch-growth": growth,
    "batch-faces": by_faces,
    "batch-cluster": cluster,
    "batch-million": million,
}
