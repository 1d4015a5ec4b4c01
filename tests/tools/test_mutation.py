"""The mutation score of a small project made for it: one module well tested, one not."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tools import mutation

if not hasattr(os, "fork"):
    pytest.skip("mutmut needs fork", allow_module_level=True)
pytest.importorskip("mutmut")

SOURCE = "def larger(a, b):\n    return a if a > b else b\n\n\ndef twice(a):\n    return 2 * a\n"
GOOD = """from fer_cbam.numbers import larger, twice

def test_all():
    assert (larger(1, 2), larger(5, 3), twice(4)) == (2, 5, 8)
"""
POOR = GOOD.replace("== (2, 5, 8)", "and True")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Returns what makes the project with a test of its one module."""
    monkeypatch.setattr(mutation, "ROOT", tmp_path)

    def make(test: str) -> None:
        files = {
            "fer_cbam/__init__.py": "", "fer_cbam/numbers.py": SOURCE,
            "tests/test_numbers.py": test,
            "eval/__init__.py": "", "train/a.txt": "", "tools/a.txt": "", "app.py": "",
            "pyproject.toml": "[tool.pytest.ini_options]\n",
        }  # fmt: skip
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)

    return make


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


@needs_git
@pytest.mark.slow
def test_a_good_test_kills_all_but_what_changes_nothing(project, capsys, monkeypatch):
    """``>`` and ``>=`` give the same, as the numbers are equal where they differ."""
    change = "return a if a > b else b -> return a if a >= b else b"
    monkeypatch.setitem(mutation.EQUIVALENT, change, "the numbers are equal")
    project(GOOD)
    assert mutation.main(["fer_cbam/numbers.py"]) == 0
    assert "  4 /   4  100 %" in capsys.readouterr().out


@needs_git
@pytest.mark.slow
def test_a_poor_test_and_one_that_fails(project, capsys):
    project(POOR)
    assert mutation.main(["fer_cbam/numbers.py"]) == 1
    out = capsys.readouterr().out
    assert "  0 /   5  0 %" in out and "survived: return 2 * a -> return 3 * a" in out
    project(GOOD.replace("8)", "9)"))
    assert mutation.main(["fer_cbam/numbers.py", "--most", "1"]) == 2
    assert "mutmut did not run" in capsys.readouterr().out


def test_tests_stand_where_their_modules_do():
    assert mutation.tests_of("fer_cbam/video/clip.py") == "tests/video/test_clip.py"
    assert mutation.tests_of("fer_cbam/decide.py") == "tests/test_decide.py"
    assert mutation.tests_of("eval/metrics.py") == "tests/eval/test_metrics.py"
    named = mutation.modules()
    assert "fer_cbam/video/tracks.py" in named and "eval/metrics.py" in named
    for module in named:
        assert (mutation.ROOT / module).is_file()
        assert (mutation.ROOT / mutation.tests_of(module)).is_file(), module
