"""A benchmark's times as a committed report, from which README takes them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from eval.report import dumps, provenance

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write(
    path: Path,
    module: str,
    arguments: Sequence[str],
    rounds: int,
    speed: Mapping[str, Mapping[str, float]],
) -> None:
    """Write ``speed.json``, which `eval.docs.summary` collects.

    speed: ``<what>.<how many>.<architecture>.<way>`` -> metric -> value, such as milliseconds.
    """
    content = provenance(module, arguments)
    content["versions"]["onnxruntime"] = metadata.version("onnxruntime")
    content |= {"processor": processor(), "threads": 1, "n": rounds, "speed": speed}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(content), encoding="utf-8")
