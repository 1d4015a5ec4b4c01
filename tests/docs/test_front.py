"""README, changelog, citation and the files that GitHub reads."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
import yaml

import fer_cbam

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_readme_is_short():
    text = read("README.md")
    assert len(text.splitlines()) <= 150
    assert not re.search(r"<!-- ?n:", text), "a number marker in a sentence"
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 5


def test_ci_runs_the_commands_of_readme():
    commands = re.findall(r"^python -m venv .*$", read("README.md"), re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in read(".ci/run")
    assert commands[0] in read("docs/quick-start.md")
    assert commands[1] in read("docs/contributing.md")


CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_changelog_is_in_the_form_of_keep_a_changelog():
    headings = re.findall(r"^(##+) (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    releases = [text for level, text in headings if level == "##"]
    assert releases[0] == "[Unreleased]"
    dated = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", r) for r in releases[1:]]
    versions = [tuple(map(int, release[1].split("."))) for release in dated]
    dates = [datetime.date.fromisoformat(release[2]) for release in dated]
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert {text for level, text in headings if level == "###"} <= CHANGES


def test_version_is_one():
    newest = re.search(r"^## \[(\d.*?)\] - (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    citation = yaml.safe_load(read("CITATION.cff"))
    assert newest[1] == citation["version"] == fer_cbam.__version__
    assert newest[2] == citation["date-released"]


def test_citation_has_what_the_format_asks_for():
    """https://github.com/citation-file-format/citation-file-format/blob/main/schema-guide.md"""
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "version", "license"} <= set(citation)
    assert all({"name"} <= set(a) or {"family-names"} <= set(a) for a in citation["authors"])
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Joy", "Obasi"]
    assert {"type", "title", "authors"} <= set(paper)
    assert (paper["year"], paper["volume"], paper["issue"]) == (2025, 11, 11)
    datetime.date.fromisoformat(citation["date-released"])


FORMS = [p for p in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
         if p.name != "config.yml"]  # fmt: skip
TYPES = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_are_valid(path):
    """https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema"""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    assert {item["type"] for item in form["body"]} <= TYPES
    asked = [item for item in form["body"] if item["type"] != "markdown"]
    assert asked and all(item["attributes"]["label"] for item in asked)
    ids = [item["id"] for item in asked]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[\w-]+", name) for name in ids)


def workflow() -> dict:
    return yaml.safe_load(read(".github/workflows/tests.yml"))


def test_the_workflow_tests_every_system_and_python():
    matrix = workflow()["jobs"]["tests"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.10", "3.11", "3.12", "3.13"]
    onnx = str(workflow()["jobs"]["onnx-only"])
    assert "app-onnx" in onnx and "requirements" not in onnx


def test_the_workflow_pins_its_actions_and_runs_what_ci_runs():
    text = read(".github/workflows/tests.yml")
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action) for action in used)
    ci = read(".ci/run")
    for command in ("-m pytest", "ruff check .", "ruff format --check .", "mypy",
                    "mkdocs build --strict"):  # fmt: skip
        assert command in text and command in ci, command


def test_pre_commit_uses_the_tools_of_the_project():
    (repo,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repo["repo"] == "local"
    required = read("requirements-dev.txt")
    for hook in repo["hooks"]:
        python, flag, module = hook["entry"].split()[:3]
        assert (python, flag) == ("python", "-m")
        top = module.split(".")[0]
        assert (ROOT / top).is_dir() or re.search(rf"^{top}\b", required, re.MULTILINE), module


def test_the_package_says_that_it_is_typed():
    assert (Path(fer_cbam.__file__).parent / "py.typed").is_file()
