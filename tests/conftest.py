"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

LANDMARKS = [[0.3, 0.38], [0.7, 0.38], [0.5, 0.6], [0.34, 0.78], [0.66, 0.78]]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of data sets named by FER_CBAM_DATA (see README, "Data")."""
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
    import timm
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


MARKED = pytest.StashKey[dict[str, set[str]]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note who is marked; a report's keywords would also hold the folder `tests/data`."""
    config.stash[MARKED] = {
        marker: {item.nodeid for item in items if item.get_closest_marker(marker)}
        for marker in ("data", "browser")
    }


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how many of the tests that need data sets or a browser were really run."""
    for marker, marked in terminalreporter.config.stash.get(MARKED, {}).items():
        counts = {
            outcome: sum(
                report.nodeid in marked
                for report in terminalreporter.stats.get(outcome, [])
                if report.when == "call" or outcome == "skipped"
            )
            for outcome in ("passed", "failed", "skipped")
        }
        described = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.write_line(f"tests marked {marker}: {described}")
