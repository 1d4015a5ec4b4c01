"""Build the browser's kernel: ``web/kernel/*.c`` -> ``web/kernel.wasm``.

    pip install ziglang==0.17.1
    python -m tools.build_kernel

The wheel ``ziglang`` brings clang and a linker for WebAssembly along, and gives the same bytes on
every machine, so a test can hold the committed file against its sources. Any other version may give
other bytes: `ZIG` names the one to use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "web" / "kernel"
KERNEL = ROOT / "web" / "kernel.wasm"
ZIG = "0.17.1"
MOST_MEMORY = 2**30  # bytes that a page may take: a photo of 50 million pixels, and its search
FLAGS = (
    "-target", "wasm32-freestanding", "-std=c17", "-O3", "-nostdlib", "-fno-math-errno",
    "-msimd128", "-mbulk-memory", "-mnontrapping-fptoint",  # no trap where a number is too large
    "-Wall", "-Wextra", "-Werror",
    "-Wl,--no-entry", "-Wl,--strip-all", f"-Wl,--max-memory={MOST_MEMORY}",
)  # fmt: skip


def build(out: Path) -> None:
    """Compile the kernel.

    Raises:
        SystemExit: there is no ``ziglang`` of version `ZIG`, or the compiler finds an error.
    """
    found = zig_version()
    if found != ZIG:
        raise SystemExit(f"ziglang: found {found}; expected: pip install ziglang=={ZIG}")
    sources = sorted(path.name for path in SOURCES.glob("*.c"))
    with tempfile.TemporaryDirectory() as cache:
        places = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *sources, "-o", str(out)]
        # From their folder, so that no path of this machine gets into the file.
        done = subprocess.run(command, cwd=SOURCES, env=os.environ | places)
    if done.returncode:
        raise SystemExit(f"zig cc: exit status {done.returncode}")


def zig_version() -> str | None:
    """Of the installed wheel; None where there is none."""
    try:
        return metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        return None


def main(argv: Sequence[str] | None = None) -> None:
    if sys.argv[1:] if argv is None else argv:
        raise SystemExit("usage: python -m tools.build_kernel")
    build(KERNEL)
    print(f"{KERNEL.relative_to(ROOT)}: {KERNEL.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
