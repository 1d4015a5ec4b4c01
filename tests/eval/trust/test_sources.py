"""Which files a section depends on."""

from __future__ import annotations

import shutil

import pytest

from eval.trust import run, sources
from eval.trust.sections import SECTIONS
from tests.eval.trust.test_run import MADE, section


def names(module):
    return {path.relative_to(sources.ROOT).as_posix() for path in sources.files(module)}


def test_imports_of_imports_and_what_is_loaded_by_name():
    found = names("eval.trust.faithfulness")
    assert {"eval/trust/faithfulness.py", "eval/trust/curves.py", "eval/bootstrap.py",
            "fer_cbam/backends/onnx.py", "fer_cbam/models/cbam.py"} <= found  # fmt: skip
    # eval.trust.methods -> fer_cbam.explain.named, which opens explainers by name.
    assert {"fer_cbam/explain/occlusion.py", "fer_cbam/explain/hirescam.py"} <= found
    assert not {name for name in found if name.startswith(("fer_cbam/serve/", "train/", "tests/"))}


def test_tables_beside_them_count():
    assert "eval/robustness/levels.json" in names("eval.trust.robustness")


def test_sections_do_not_depend_on_each_other():
    assert "eval/trust/robustness.py" not in names("eval.trust.fairness")


def test_every_section_is_a_module_of_that_name():
    assert [s.__name__ for s in SECTIONS] == [f"eval.trust.{s.name}" for s in SECTIONS]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of a part of the project that may be changed."""
    for name in ("eval", "fer_cbam"):
        left_out = shutil.ignore_patterns("weights", "__pycache__", "assets")
        shutil.copytree(sources.ROOT / name, tmp_path / name, ignore=left_out)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    yield tmp_path
    sources._imports.cache_clear()


def test_a_changed_line_of_what_is_imported_changes_the_digest(project):
    before = sources.digest("eval.trust.sanity"), sources.digest("eval.trust.fairness")
    with (project / "fer_cbam" / "explain" / "layercam.py").open("a") as file:
        file.write("\n# changed\n")
    after = sources.digest("eval.trust.sanity"), sources.digest("eval.trust.fairness")
    assert before[0] != after[0]
    with (project / "eval" / "trust" / "regions.py").open("a") as file:
        file.write("\n# changed\n")
    assert sources.digest("eval.trust.sanity") == after[0]


def test_records_of_other_code_are_measured_anew(subject, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "digest", lambda module: f"{module} one")
    own = section("first")
    run.report(subject, [own], tmp_path, MADE)
    run.report(subject, [own], tmp_path, MADE)
    assert len(own.asked) == 1
    monkeypatch.setattr(run, "digest", lambda module: f"{module} two")
    run.report(subject, [own], tmp_path, MADE)
    assert len(own.asked) == 2
