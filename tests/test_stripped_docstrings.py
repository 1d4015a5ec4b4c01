"""Every command prints its help where Python strips docstrings (``-OO``)."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def commands() -> list[str]:
    """Modules that make a command of themselves."""
    paths = [ROOT / "app.py"]
    for package in ("fer_cbam", "train", "eval", "benchmarks", "tools"):
        paths += sorted((ROOT / package).rglob("*.py"))
    found = [p for p in paths if "argparse.ArgumentParser(" in p.read_text(encoding="utf-8")]
    return [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in found]


def test_commands_are_found():
    assert {"app", "fer_cbam.cli", "train.__main__", "eval.__main__"} <= set(commands())


@pytest.mark.parametrize("name", commands())
def test_help_without_docstrings(name, monkeypatch, capsys):
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    monkeypatch.setattr(module, "__doc__", None)
    monkeypatch.setattr(module.main, "__doc__", None)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as leaving:
        module.main()
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")
