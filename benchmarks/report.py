"""A benchmark's times as a report like all others."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from eval.records import Record, provenance, write_report

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write(
    path: Path, study: str, module: str, arguments: Sequence[str], times: Iterable[Record]
) -> None:
    """Write times of one thread.

    times: records with the runtime as their ``option``, what was timed as their ``condition``, and
    rounds as their ``n``.
    """
    command = provenance(module, arguments)
    command["versions"]["onnxruntime"] = metadata.version("onnxruntime")
    write_report(path, study, command, times, processor=processor(), threads=1)


def write_in_browser(
    path: Path, study: str, module: str, arguments: Sequence[str], numbers: Iterable[Record],
    chromium: str,
) -> None:  # fmt: skip
    """Write numbers of a page; browser and server share the processor. chromium: its version."""
    command = provenance(module, arguments)
    command["versions"] |= {"chromium": chromium} | {
        name: metadata.version(name) for name in ("gradio", "onnxruntime")
    }
    write_report(path, study, command, numbers, processor=processor(), cores=os.cpu_count())
