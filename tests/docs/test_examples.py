"""Commands, options and Python in the docs are those of the code."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from fer_cbam import EmotionRecognizer, analyse_video, cli
from fer_cbam.images import decode_image
from fer_cbam.render import annotate, overlay
from fer_cbam.serve.example_clip import write_example_clip
from train.recipe import read_recipe

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
# Options that the parser makes itself.
GENERATED = {"--help", "--no-any-weights"}


def blocks(page: Path, *languages: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(body) for _, language, body in found if language in languages]


def commands(page: Path) -> list[list[str]]:
    """Words of each command of the shell blocks, of ours only."""
    lines = "\n".join(blocks(page, "sh", "powershell", "")).replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in re.split(r" && |; ", line)]
    whole = [part for part in parts if part.count('"') % 2 == part.count("'") % 2 == 0]
    words = [shlex.split(part.replace("\\", "/"), comments=True) for part in whole]
    ours = []
    for command in filter(None, words):
        command[0] = "python" if command[0].endswith("bin/python") else command[0]
        if command[0] in ("python", "fer-cbam"):
            ours.append(command)
    return ours


def source_of(command: list[str]) -> Path | None:
    """The file that reads a command's options; None for modules of others."""
    if command[0] == "fer-cbam":
        program = {"app": "app.py", "webcam": "app.py", "eval": "eval/__main__.py"}
        return ROOT / program.get(command[1], f"fer_cbam/commands/{command[1]}.py")
    if command[1] != "-m":
        return ROOT / command[1]
    if command[2:4] in (["eval", "audit"], ["eval", "trust"]):
        return ROOT / "eval" / {"audit": "audit.py", "trust": "trust/run.py"}[command[3]]
    if " ".join(command[2:]).startswith("eval --protocol clips"):
        return ROOT / "eval" / "clips" / "run.py"
    path = ROOT.joinpath(*command[2].split("."))
    if not (ROOT / command[2].split(".")[0]).is_dir():
        return None
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


def options_in(source: Path) -> set[str]:
    return set(re.findall(r'"(--[a-z][a-z0-9-]*)"', source.read_text(encoding="utf-8")))


ALL = [(page.name, command) for page in PAGES for command in commands(page)]


def test_commands_are_found():
    assert ["python", "app.py"] in [command for _, command in ALL]
    assert any(command[:3] == ["python", "-m", "eval"] for _, command in ALL)
    assert any(command[:2] == ["fer-cbam", "predict"] for _, command in ALL)


@pytest.mark.parametrize(("page", "command"), ALL, ids=lambda value: " ".join(value)[:60])
def test_commands_exist_with_their_options(page, command):
    if command[1] in ("-c", "-q") or (source := source_of(command)) is None:
        return
    assert source.is_file(), f"{page}: {' '.join(command)}: no {source.relative_to(ROOT)}"
    unknown = {w for word in command for w in OPTION.findall(word) if word.lstrip("[")[:2] == "--"}
    unknown -= options_in(source)
    assert not unknown, f"{page}: {' '.join(command)}: {unknown} not in {source.name}"


def options_documented(page: str, heading: str) -> set[str]:
    """Options in the first column of the table below a heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = re.split(rf"^##? {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    rows = re.split(r"^## ", section, flags=re.MULTILINE)[0].splitlines()
    return {
        o for row in rows if row.startswith("| `--") for o in OPTION.findall(row.split(" | ")[0])
    }


@pytest.mark.parametrize(
    ("command", "page", "heading"),
    [
        ("predict", "command-line.md", "fer-cbam predict"),
        ("batch", "command-line.md", "fer-cbam batch"),
        ("report", "command-line.md", "fer-cbam report"),
        ("video", "command-line.md", "fer-cbam video"),
        ("export", "command-line.md", "fer-cbam export"),
        ("web", "command-line.md", "fer-cbam web"),
        ("train", "train.md", "2. Train"),
    ],
)
def test_the_command_line_is_documented(command, page, heading, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    offered = set(OPTION.findall(capsys.readouterr().out)) - GENERATED
    assert options_documented(page, heading) == offered


@pytest.mark.parametrize(
    ("page", "heading", "source"),
    [
        ("app.md", "Options", "app.py"),
        ("train.md", "With a recipe of your own", "train/__main__.py"),
        ("evaluate.md", "Evaluate", "eval/__main__.py"),
    ],
)
def test_tables_of_options_are_complete(page, heading, source):
    assert options_documented(page, heading) == options_in(ROOT / source) - GENERATED


PYTHON = [(page, number, code) for page in PAGES
          for number, code in enumerate(blocks(page, "python"))]  # fmt: skip


@pytest.mark.parametrize(("page", "number", "code"), PYTHON, ids=lambda v: getattr(v, "stem", ""))
def test_python_of_the_docs_imports_what_exists(page, number, code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "fer_cbam":
            module = import_module(node.module)
            assert [a.name for a in node.names if not hasattr(module, a.name)] == []


RECIPES = [code for page in PAGES for code in blocks(page, "yaml")]


@pytest.mark.parametrize("text", RECIPES, ids=range(len(RECIPES)))
def test_recipes_of_the_docs_can_be_read(text, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    assert read_recipe(tmp_path / "mine.yaml")


RUN = [(page, number, code) for page, number, code in PYTHON
       if page.name in ("README.md", "quick-start.md", "python.md", "coming-from.md")]  # fmt: skip


@pytest.mark.parametrize(("page", "number", "code"), RUN, ids=lambda v: getattr(v, "stem", ""))
def test_python_of_the_docs_runs(page, number, code, tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    if "clip.webm" in code:
        write_example_clip(tmp_path / "clip.webm")
    exec(compile(code, f"{page.name}:{number}", "exec"), {"__name__": "__main__"})
    assert ("happiness" in capsys.readouterr().out) == ("print(" in code)
    assert (tmp_path / "explained.png").exists() == ("explained.png" in code)


def test_every_equivalent_runs(tmp_path, monkeypatch):
    """The cells of ours in the tables of coming-from.md."""
    photo = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        shutil.copy(photo, tmp_path / name)
    write_example_clip(tmp_path / "clip.webm")
    (tmp_path / "clip.webm").rename(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fer_cbam.images.fetch", lambda address: photo.read_bytes())
    recognizer = EmotionRecognizer.from_pretrained()
    faces = recognizer("photo.jpg")
    names = {
        "recognizer": recognizer, "faces": faces, "found": faces[0],
        "table": faces.to_dataframe(), "image": decode_image("photo.jpg"),
        "analyse_video": analyse_video, "annotate": annotate, "overlay": overlay,
        "result": analyse_video("clip.mp4", recognizer, every=6),
    }  # fmt: skip
    page = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    ours = [code for row in rows for code in re.findall(r"`([^`]+)`", row[1])]
    assert len(rows) > 15 and "found.prediction.label" in ours
    for code in ours:
        if code != "python app.py":
            assert eval(code, dict(names)) is not None, code
