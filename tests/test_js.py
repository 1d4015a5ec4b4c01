"""The page's JavaScript: its own tests and linter, and what it does as Python does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.render import caption_place, percent

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "js"
ASSETS = ROOT / "fer_cbam" / "serve" / "assets"
LEAST_NODE = 18  # the first with a test runner


@pytest.fixture(scope="module")
def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("no node in PATH: the page's modules are not tested")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < LEAST_NODE:
        pytest.skip(f"node {version.strip()} in PATH; its test runner needs {LEAST_NODE} or later")
    return path


def run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def evaluate(node: str, module: str, expression: str, data: object) -> list:
    """The expression's value for the ``data``, with all that the module exports as ``module``."""
    script = (
        f"const module = await import({json.dumps((ASSETS / module).as_uri())});"
        f"const data = {json.dumps(data)};"
        f"console.log(JSON.stringify({expression}));"
    )
    return json.loads(run(node, "--input-type=module", "--eval", script))


def test_the_tests_of_the_modules(node):
    files = [str(path.relative_to(TESTS)) for path in sorted(TESTS.glob("*.test.js"))]
    assert files
    printed = run(node, "--test", *files, cwd=TESTS)
    assert "fail 0" in printed and "pass 0" not in printed, printed


def test_the_linter(node):
    eslint = TESTS / "node_modules" / "eslint" / "bin" / "eslint.js"
    if not eslint.is_file():
        pytest.skip("no eslint here; expected: npm install --prefix tests/js")
    config = str(TESTS / "eslint.config.js")
    folders = [ASSETS, ROOT / "web", TESTS, ROOT / "tests" / "web"]
    run(node, str(eslint), "--config", config, *map(str, folders))


def test_percentages_are_worded_as_in_python(node):
    probs = [*np.linspace(0, 1, 2001).tolist(), 0.125, 0.375, 0.9949999, 0.995]
    worded = evaluate(node, "text.mjs", "data.map(module.percent)", probs)
    assert worded == [percent(prob) for prob in probs]


def test_captions_are_placed_as_in_python(node):
    """Faces here and there in a picture, also beyond its edges, with other captions in the way."""
    rng = np.random.default_rng(4)
    cases = []
    for _ in range(500):
        picture = rng.integers(60, 200, 2).tolist()
        x, y = (int(rng.integers(-20, side)) for side in picture)
        box = [x, y, x + int(rng.integers(5, 80)), y + int(rng.integers(5, 80))]
        others = [[*rng.integers(0, 150, 2).tolist(), 50, 15] for _ in range(rng.integers(0, 6))]
        cases.append([box, int(rng.integers(10, 90)), int(rng.integers(5, 30)), picture, others])
    rectangles = "others.map(([x, y, width, height]) => ({ x, y, width, height }))"
    place = f"module.captionPlace(box, w, h, picture, {rectangles})"
    expression = f"data.map(([box, w, h, picture, others]) => {place})"
    placed = evaluate(node, "faces.mjs", expression, cases)
    found = [(place["x"], place["y"], place["width"], place["height"]) for place in placed]
    assert found == [caption_place(tuple(box), *rest) for box, *rest in cases]
    assert len({place[1] - case[0][1] for place, case in zip(found, cases, strict=True)}) > 20


def test_every_module_is_served_as_it_is():
    """No import of anything that the page itself does not bring along."""
    for path in ASSETS.glob("*.mjs"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "} from")) and line != "import {":
                name = line.split('"')[-2]
                assert name.startswith("./") and (ASSETS / name).is_file(), f"{path.name}: {line}"
