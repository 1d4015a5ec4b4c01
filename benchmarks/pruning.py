"""What a face costs in the networks that eval/studies/pruning.py compares, in one run, one thread.

    python -m benchmarks.pruning --onnx runs/pruning/onnx [--rounds 200]
        [--report reports/speed/pruning.json]

Each round times every network once, in turn, in float32 and in int8, so that a machine whose speed
drifts treats all alike. Times are medians with quartiles; runs of one network differ in their
weights only, and its first is timed. As a share of the unpruned network's time: the median of the
rounds' ratios.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import report
from eval.records import Record, record
from eval.studies.pruning import OPTIONS, STUDY, UNPRUNED
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.errors import WeightsError

WARM_UP = 10
Key = tuple[str, str]  # network and runtime


def opened(folder: Path) -> dict[Key, OnnxBackend]:
    """Every exported network.

    Raises:
        WeightsError: none, or one that cannot be opened.
    """
    names = [path.name for path in sorted(folder.iterdir()) if (path / "run0").is_dir()]
    if UNPRUNED not in names:
        raise WeightsError(f"{folder}: networks {names}; expected those of eval.studies.pruning")
    return {(name, option): OnnxBackend.load(folder / name / "run0", option == "onnx-int8", 1)
            for name in names for option in OPTIONS}  # fmt: skip


def timed(backends: Mapping[Key, OnnxBackend], rounds: int) -> dict[Key, np.ndarray]:
    """Milliseconds of each round."""
    size = next(iter(backends.values())).preprocess.input_size
    x = np.random.default_rng(0).random((1, *size), np.float32)
    taken: dict[Key, list[float]] = {key: [] for key in backends}
    for turn in range(rounds + WARM_UP):
        for key, backend in backends.items():
            started = time.perf_counter()
            backend.forward(x)
            if turn >= WARM_UP:
                taken[key].append(1e3 * (time.perf_counter() - started))
    return {key: np.array(times) for key, times in taken.items()}


def records(times: Mapping[Key, np.ndarray]) -> Iterator[Record]:
    """Milliseconds, and the share of what the unpruned network takes in float32."""
    whole = times[UNPRUNED, "onnx"]
    for (name, option), each in times.items():
        for metric, values in (("milliseconds", each), ("share_of_time", each / whole)):
            low, middle, high = np.percentile(values, [25, 50, 75])
            yield record(metric, middle, low=low, high=high, condition=name, option=option,
                         n=len(each))  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--onnx", type=Path, required=True, help="of eval.studies.pruning")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--report", type=Path, help="JSON to write as well")
    args = parser.parse_args(arguments)
    found = list(records(timed(opened(args.onnx), args.rounds)))
    for entry in found:
        print(f"{entry['metric']:14} {entry['condition']:24} {entry['option']:10} "
              f"{entry['value']:.3f} ({entry['low']:.3f} to {entry['high']:.3f})")  # fmt: skip
    if args.report:
        report.write(args.report, f"{STUDY}_speed", "benchmarks.pruning", arguments, found)


if __name__ == "__main__":
    main()
