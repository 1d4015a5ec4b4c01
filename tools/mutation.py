"""How many faults the tests notice: ``python -m tools.mutation [MODULE...]``.

mutmut (https://mutmut.readthedocs.io) changes a copy of the sources one place at a time, a sign, a
number, a condition, an argument, and runs the tests of that module: a change that no test notices
survives. Of each module only its own tests are run (``fer_cbam/video/tracks.py`` by
``tests/video/test_tracks.py``), as code that other tests merely pass through is not tested.

Of mutmut and cosmic-ray this is the one that runs here in minutes: it imports the tests once and
forks for each mutant, where cosmic-ray starts pytest anew and edits the working tree. Of each
module a sample is drawn, the same each time, so that all of them take some ten minutes on two
cores; ``--most 0`` runs every mutant. mutmut leaves decorated functions and constants as they are.

Prints killed / tried of each module, and the changes that survived. Exits 1 if a module is below
``LEAST``, 2 if its tests fail as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("fer_cbam/video", "fer_cbam/explain")
FILES = (
    "fer_cbam/decide.py",
    "fer_cbam/saliency.py",
    "fer_cbam/models/class_maps.py",
    "fer_cbam/preprocess.py",
    "eval/metrics.py",
)
LEAST = 0.8
# Changes that change nothing that can be seen, with the reason. "old -> new", as mutmut shows them.
EQUIVALENT = {
    "number //= 2 -> number /= 2": "floor(floor(n / 2) / 2) is floor(n / 4), and the loop compares "
    "with whole numbers",
    "(face.box[i] + face.box[i + 2] - old.box[i] - old.box[i + 2]) / 2 / passed -> "
    "(face.box[i] + face.box[i - 2] - old.box[i] - old.box[i + 2]) / 2 / passed": "of 4 numbers, "
    "-2 and -1 are 2 and 3",
    "scale = 1 / (255 * np.asarray(self.std, np.float32)) -> "
    "(face.box[i] + face.box[i + 2] - old.box[i] - old.box[i + 2]) / 2 / passed -> "
    "(face.box[i] + face.box[i - 2] - old.box[i] - old.box[i + 2]) / 2 / passed": "of 4 numbers, "
    "-2 and -1 are 2 and 3",
    "scale = 1 / (255 * np.asarray(self.std, ))": "the last bit, rounded to float32 after it",
}
_TIMEOUTS = (36, -24, 24, 152, 255)  # mutmut's codes for them
_CONFIG = """
[tool.mutmut]
source_paths = ["fer_cbam/", "eval/"]
only_mutate = [{module!r}]
pytest_add_cli_args_test_selection = [{tests!r}]
also_copy = ["tests", "train", "tools", "app.py"]
process_isolation = "forkserver"
timeout_multiplier = 30
"""
_LIST = """
import sys
from pathlib import Path
from mutmut.mutation.file_mutation import mutate_file_contents
print(*mutate_file_contents(sys.argv[1], Path(sys.argv[1]).read_text()).mutant_names)
"""


@dataclass(frozen=True)
class Score:
    """tried: mutants that were run, less those that are equivalent. survived: what they changed.
    timeouts: those that were ended after 30 times the usual time, and count as killed."""

    module: str
    tried: int
    survived: Sequence[str]
    timeouts: int

    @property
    def share(self) -> float:
        return 1 - len(self.survived) / self.tried if self.tried else 1.0


def modules() -> list[str]:
    """Those that are held to ``LEAST``, as paths from the root."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]
    return [*(str(path.relative_to(ROOT)) for path in found if path.stem != "__init__"), *FILES]


def tests_of(module: str) -> str:
    """``fer_cbam/video/clip.py`` -> ``tests/video/test_clip.py``, or ``tests/video/test_video.py``
    where a folder's modules are tested as one."""
    path = Path(module)
    parts = path.parent.parts[1:] if path.parts[0] == "fer_cbam" else path.parent.parts
    own = Path("tests", *parts, f"test_{path.name}")
    return str(own if (ROOT / own).is_file() else own.with_name(f"test_{path.parent.name}.py"))


def measure(module: str, copy: Path, most: int, seed: int) -> Score:
    """Run a sample of the mutants of a module (all where ``most`` is 0) in a copy of the project.

    Raises:
        RuntimeError: the tests fail without any change.
    """
    project = (ROOT / "pyproject.toml").read_text()
    config = _CONFIG.format(module=module, tests=tests_of(module))
    (copy / "pyproject.toml").write_text(project + config)
    shutil.rmtree(copy / "mutants", ignore_errors=True)
    listed = _python(copy, "-c", _LIST, module)
    names = [f"{module.removesuffix('.py').replace('/', '.')}.{n}" for n in listed.stdout.split()]
    if 0 < most < len(names):
        names = random.Random(seed).sample(names, most)
    done = _python(copy, "-m", "mutmut", "run", *names)
    results = copy / "mutants" / f"{module}.meta"
    codes = json.loads(results.read_text())["exit_code_by_key"] if results.is_file() else {}
    if not names or any(codes.get(name) is None for name in names):
        raise RuntimeError(f"{module}: mutmut did not run\n{(listed.stdout + done.stdout)[-3000:]}")
    # 0: the tests passed; 33: none runs the changed function.
    survived = [_change(copy, name) for name in names if codes[name] in (0, 33)]
    counted = [change for change in survived if change not in EQUIVALENT]
    timeouts = sum(codes[name] in _TIMEOUTS for name in names)
    return Score(module, len(names) - len(survived) + len(counted), counted, timeouts)


def _change(copy: Path, name: str) -> str:
    """``old -> new``: the lines that a mutant changes."""
    lines = _python(copy, "-m", "mutmut", "show", name).stdout.splitlines()
    old, new = (
        " ".join(line[1:].strip() for line in lines if line[:1] == sign and line[:3] != 3 * sign)
        for sign in "-+"
    )
    return f"{old} -> {new}"


def _python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "-n0"},  # mutmut forks itself
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _copy_project(folder: Path) -> None:
    """All files that belong to the project, but those that no test of these modules reads."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in listed:
        source = ROOT / name
        if name and source.is_file() and not name.startswith(("reports/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as eval/metrics.py")
    parser.add_argument("--most", type=int, default=30, help="mutants of a module; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    args = parser.parse_args(argv)
    low = False
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        _copy_project(copy)
        for module in args.modules or modules():
            try:
                score = measure(module, copy, args.most, args.seed)
            except RuntimeError as error:
                print(error)
                return 2
            low |= score.share < LEAST
            killed = score.tried - len(score.survived)
            late = f", {score.timeouts} of them by a timeout" if score.timeouts else ""
            print(f"{module:32} {killed:3} / {score.tried:3}  {100 * score.share:.0f} %{late}")
            for change in score.survived:
                print(f"    survived: {change}", flush=True)
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
