"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

# Workers share the cores: a network with a thread for each core would wait for the others.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from PIL import Image

# Tests share the cores by processes; more threads in each would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]


def noise_faces(folder: Path, labels: Sequence[str], each: int) -> Path:
    """A folder of class folders with PNG files of 48x48 grey noise."""
    rng = np.random.default_rng(1)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 256, (48, 48), np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets named by FER_CBAM_DATA (see docs/data.md)."""
    value = os.environ.get("FER_CBAM_DATA")
    if not value:
        pytest.skip("FER_CBAM_DATA is not set: no data sets here")
    path = Path(value)
    if not path.is_dir():
        pytest.fail(f"FER_CBAM_DATA={value} is no directory")
    return path


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory) -> dict[str, Path]:
    """Label set -> folder of weights that were not trained, for tests of what lies around them."""
    timm = pytest.importorskip("timm", reason="timm is not installed: it makes the weights")
    import torch

    from fer_cbam import hub
    from fer_cbam.labels import LABEL_SETS

    folders = {}
    for seed, name in enumerate(("ckplus48", "ferplus"), 3):
        torch.manual_seed(seed)
        model = timm.create_model("fer_cbam_paper", num_classes=len(LABEL_SETS[name]))
        folders[name] = tmp_path_factory.mktemp(f"weights_{name}")
        hub.save_model(model, folders[name], LABEL_SETS[name], {"landmarks": LANDMARKS})
    return folders


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy of the sources, without network."""
    if find_spec("setuptools") is None or find_spec("pip") is None:
        pytest.skip("no setuptools or no pip in this environment: a wheel cannot be built offline")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    # More than belongs into the wheel, so that leaving it out is tested too.
    junk = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
    for name in ("fer_cbam", "web", "train", "eval", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=junk)
    for path in (*ROOT.glob("*.py"), *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "LICENSE"):
        shutil.copy(path, source)
    # Stands for trained weights, whether or not some are embedded already.
    weights = source / "fer_cbam" / "weights" / "fer_cbam_test.tag"
    weights.mkdir(parents=True)
    (weights / "config.json").write_text("{}")
    (weights / "model.safetensors").write_bytes(b"\0" * 8)
    result = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-build-isolation", "--no-deps",
         "--no-index", "--quiet", "--wheel-dir", str(out)],
        cwd=source, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = out.glob("*.whl")
    return built


COUNTED = ("data", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note in reports what the summary counts: their keywords also hold the folder `tests/data`."""
    for item in items:
        item.user_properties += [("marked", m) for m in COUNTED if item.get_closest_marker(m)]


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how many of the tests that need data sets or a browser were really run."""
    for marker in COUNTED:
        counts = {
            outcome: sum(
                ("marked", marker) in map(tuple, getattr(report, "user_properties", ()))
                for report in terminalreporter.stats.get(outcome, [])
                if report.when == "call" or outcome == "skipped"
            )
            for outcome in ("passed", "failed", "skipped")
        }
        described = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.write_line(f"tests marked {marker}: {described}")


def files_under(folder: Path) -> list[Path]:
    """By os.walk: rglob fails on a folder that a server deletes meanwhile."""
    return [Path(where) / name for where, _, names in os.walk(folder) for name in names]
