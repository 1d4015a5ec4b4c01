"""Which module may import which, and what an import may cost."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

PAGE = ROOT / "docs" / "architecture.md"


def table(heading: str) -> list[tuple[str, list[str]]]:
    """Rows of the table below a heading of the page: first column, and names in the others."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return [
        (first.strip("`"), re.findall(r"`([\w.]+)`", " ".join(rest))) for first, *rest in rows[2:]
    ]


# The rules of the house, as the page tells them. A package may import itself and what it names.
PACKAGES = {package: set(names) for package, names in table("Which package may import which")}
# Inside fer_cbam: a unit imports units of lower layers only. A new module needs a place there.
ROWS = table("Layers inside fer_cbam")
LAYER = {unit: int(height) for height, (unit, *_) in ROWS}

HEAVY = {"gradio", "matplotlib", "sklearn", "onnxruntime", "ai_edge_litert", "pandas", "pyarrow",
         "ray", "av", "pysubs2", "neurokit2"}  # fmt: skip
# What works without torch, so that the runtime without torch can stand on it.
TORCH_FREE = {"dataframe", "data_urls", "remote_images", "environment",
              "errors", "types", "labels", "physiology", "transcripts", "text", "audio",
              "preprocess", "pretrained", "images",
              "side_data", "data", "detect", "render", "cli", "commands", "registration",
              "onnx_session", "decide", "experts", "modalities", "voice", "prior", "hub",
              "recognizer",
              "video", "words", "serve", "deploy", "saliency", "batch", "backends", "backends.base",
              "backends.batched", "backends.known_graphs", "backends.litert", "backends.names",
              "backends.onnx", "backends.open",
              "explain", "explain.base", "explain.class_gradcam", "explain.gate", "explain.hide",
              "explain.named", "explain.occlusion", "explain.parts", "smoothing"}  # fmt: skip


def torch_free(name: str) -> bool:
    own = name.removeprefix("fer_cbam.")
    mixed = unit(name) in ("backends", "deploy", "explain")
    return own in TORCH_FREE if mixed else unit(name) in TORCH_FREE


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path
    for package in PACKAGES
    for path in [*(ROOT / package).rglob("*.py"), ROOT / f"{package}.py"]
    if path.is_file()
}


def imported(node: ast.AST, name: str, is_package: bool) -> list[str]:
    """Full names of the modules that one statement imports; ``from a import b`` gives ``a.b``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = name.split(".")
    if node.level:
        base = base[: len(base) - node.level + is_package]
    start = [*base] if node.level else []
    start += [node.module] if node.module else []
    return [".".join([*start, alias.name]) for alias in node.names]


def imports(name: str, at_import: bool = False) -> set[str]:
    """What a module imports, anywhere or (``at_import``) when it is itself imported."""
    path = SOURCES[name]
    todo, found = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while todo:
        node = todo.pop()
        found.update(imported(node, name, path.name == "__init__.py"))
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if at_import and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
            continue
        todo.extend(ast.iter_child_nodes(node))
    return found


def unit(name: str) -> str:
    """``fer_cbam.models.cbam`` -> ``models``; the package itself is an empty string."""
    return name.split(".")[1] if "." in name else ""


def test_reading_imports():
    tree = ast.parse("from . import a\nfrom .b import c\nfrom ..d import e\nimport f.g, h\n")
    names = [n for node in tree.body for n in imported(node, "p.q.r", False)]
    assert names == ["p.q.a", "p.q.b.c", "p.d.e", "f.g", "h"]
    assert imported(tree.body[0], "p.q", True) == ["p.q.a"]
    assert {"fer_cbam.models.cbam", "fer_cbam.labels", "train.recipe", "eval.metrics"} <= set(
        SOURCES
    )
    assert "fer_cbam.models.cbam.CBAM" in imports("fer_cbam.models.fer_cbam")
    assert "sklearn.model_selection.train_test_split" in imports("fer_cbam.data.protocols")


@pytest.mark.parametrize("name", SOURCES)
def test_packages_import_in_one_direction(name):
    package = name.split(".")[0]
    ours = {target.split(".")[0] for target in imports(name)} & {*PACKAGES, "tests"}
    wrong = ours - {package} - PACKAGES[package]
    assert not wrong, f"{name} imports {wrong}; {package} may import {PACKAGES[package] or 'none'}"


@pytest.mark.parametrize("name", [n for n in SOURCES if n.startswith("fer_cbam.")])
def test_layers_of_the_package(name):
    own = unit(name)
    assert own in LAYER, f"{name}: {own!r} has no place in {PAGE}"
    for target in imports(name):
        other = unit(target)
        if not target.startswith("fer_cbam.") or other == own:
            continue
        if other.startswith("__"):  # fer_cbam.__version__
            continue
        assert other in LAYER, f"{name} imports {target}: {other!r} has no place in {PAGE}"
        assert LAYER[other] < LAYER[own], (
            f"{name} imports {target}; {own!r} may import only {sorted(below(own))}"
        )


def test_the_page_has_the_rules_and_names_what_exists():
    assert PACKAGES["train"] == {"fer_cbam", "eval"} and PACKAGES["fer_cbam"] == set()
    assert len(ROWS) == len(LAYER), "a module stands in two layers"
    assert LAYER.keys() == {unit(n) for n in SOURCES if n.startswith("fer_cbam.")}
    rooms = {name.split("/")[0] for name, _ in table("Rooms") for name in name.split("`, `")}
    assert set(PACKAGES) - {"app"} <= rooms
    assert [room for room in rooms if not (ROOT / room).exists()] == []


def test_the_eight_steps_name_files_that_exist():
    section = PAGE.read_text(encoding="utf-8").split("\n## From pixel to explanation\n")[1]
    where = re.findall(r"^\| \d\. .*`([\w./]+)` \|$", section, re.MULTILINE)
    assert len(where) == 8
    assert [name for name in where if not (ROOT / "fer_cbam" / name).exists()] == []


def below(own: str) -> set[str]:
    return {other for other, height in LAYER.items() if height < LAYER[own]}


@pytest.mark.parametrize("name", [n for n in SOURCES if n.split(".")[0] == "fer_cbam"])
def test_heavy_packages_are_loaded_when_used(name):
    tops = {target.split(".")[0] for target in imports(name, at_import=True)}
    assert not tops & HEAVY, f"{name} imports {tops & HEAVY} at import"
    if torch_free(name):
        assert not tops & {"torch", "torchvision", "timm"}, f"{name} needs torch to be imported"


def test_no_drawer_for_everything():
    forbidden = {"utils", "util", "helper", "helpers", "manager", "common", "misc"}
    assert not [n for n in SOURCES if forbidden & set(n.split("."))]


def python(code: str, cwd: Path, **environment: str) -> dict:
    """Run code in a fresh interpreter; it prints one line of JSON."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


WATCHED_IMPORT = """
    import json, os, sys
    events = []
    def watch(event, args):
        if event == "open":
            mode, flags = args[1], args[2]
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            if isinstance(args[0], (str, bytes)) and str(args[0]) != os.devnull and (
                flags & writes if isinstance(flags, int) else set(mode or "") & set("wax+")
            ):
                events.append([event, str(args[0])])
        elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate",
                       "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
            events.append([event, str(args[0])])
    {prepare}
    sys.addaudithook(watch)
    import fer_cbam
    print(json.dumps({{"events": events, "modules": sorted(sys.modules)}}))
"""


@pytest.mark.parametrize("prepare", ["", "import timm, torch"])
@pytest.mark.slow
def test_import_loads_nothing_heavy(tmp_path, prepare):
    # What torch and timm do when they are imported is theirs, so they are there already.
    result = python(WATCHED_IMPORT.format(prepare=prepare), tmp_path, HOME=str(tmp_path))
    modules = set(result["modules"])
    assert ("fer_cbam.models.fer_cbam" in modules) == bool(prepare)
    assert not modules & (HEAVY if prepare else HEAVY | {"torch", "timm", "numpy", "cv2"})
    assert result["events"] == []
    assert list(tmp_path.iterdir()) == []


ORDERS = (
    "import timm, fer_cbam",
    "import fer_cbam, timm",
    "import fer_cbam; importlib.util.find_spec('timm'); import timm",  # asked for, not imported
    "import fer_cbam; from timm.models import create_model; import timm",
    "import fer_cbam.models; import timm",
    "from fer_cbam import CBAM; import timm",
)
# torch, which has no say in this, takes most of the time: it is imported once, and each order of
# the others gets a copy of that process.
REGISTERED = """
    import importlib.util, json, multiprocessing, sys
    import torch, torchvision

    def imported_so(order):
        names = {{"importlib": importlib}}
        exec(order, names)
        model = names["timm"].create_model("fer_cbam_paper")
        hooks = [f for f in map(type, sys.meta_path) if f.__module__.startswith("fer_cbam")]
        return [model.pretrained_cfg["architecture"], [hook.__name__ for hook in hooks]]

    orders = {orders!r}
    if len(orders) == 1:
        found = [imported_so(*orders)]
    else:
        with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
            found = pool.map(imported_so, orders, chunksize=1)
    print(json.dumps(found))
"""


@pytest.mark.parametrize("orders", [ORDERS] if hasattr(os, "fork") else [(o,) for o in ORDERS])
@pytest.mark.slow
def test_models_are_registered_in_any_order_of_imports(tmp_path, orders):
    found = python(REGISTERED.format(orders=orders), tmp_path)
    assert found == [["fer_cbam_paper", []]] * len(orders)


# Hides torch and timm as if they had never been installed.
WITHOUT_TORCH = """
    import importlib.machinery, sys
    HIDDEN = {"torch", "torchvision", "timm"}
    class PathWithoutTorch(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            return None if name.split(".")[0] in HIDDEN else super().find_spec(name, path, target)
    at = sys.meta_path.index(importlib.machinery.PathFinder)
    sys.meta_path[at] = PathWithoutTorch
"""


def test_import_without_torch(tmp_path):
    code = WATCHED_IMPORT.format(prepare=WITHOUT_TORCH.strip())
    result = python(code, tmp_path, HOME=str(tmp_path))
    loaded = {name.split(".")[0] for name in result["modules"]}
    assert not loaded & (HEAVY | {"torch", "torchvision", "timm", "cv2", "PIL", "numpy"})
    assert result["events"] == []
    assert list(tmp_path.iterdir()) == []


USE_WITHOUT_TORCH = """
    import importlib, json, os
    for name in os.environ["MODULES"].split():
        importlib.import_module(name)
    import fer_cbam
    errors = {}
    for name in ("CBAM", "FerCbam", "models"):
        try:
            getattr(fer_cbam, name)
        except ImportError as error:
            errors[name] = str(error)
    try:
        from fer_cbam import models
    except ImportError as error:
        errors["from"] = str(error)
    try:
        fer_cbam.no_such_name
    except AttributeError as error:
        errors["unknown"] = str(error)
    label = fer_cbam.Prediction("fear", 1.0, {"fear": 1.0}).label
    print(json.dumps({"errors": errors, "label": label, "torch": "torch" in sys.modules}))
"""


def test_what_works_without_torch(tmp_path):
    modules = sorted(n for n in SOURCES if torch_free(n))
    code = WITHOUT_TORCH + USE_WITHOUT_TORCH
    result = python(code, tmp_path, MODULES=" ".join(modules))
    for name in ("CBAM", "FerCbam", "models", "from"):
        message = result["errors"][name]
        assert "needs torch and timm" in message
        assert "pip install 'fer-cbam[torch]'" in message
        assert "torch is not installed" in message
    assert result["errors"]["unknown"] == "module 'fer_cbam' has no attribute 'no_such_name'"
    assert result["label"] == "fear"
    assert result["torch"] is False


PREDICT_WITHOUT_TORCH = """
    import json, os
    from fer_cbam import BackendError, EmotionRecognizer
    from fer_cbam.render import annotate, overlay
    from fer_cbam.images import decode_image
    image = decode_image(os.environ["PHOTO"])
    recognizer = EmotionRecognizer.from_pretrained()
    (found,) = recognizer(image, explain=True)
    annotate(overlay(image, found, found.saliencies[0]), [found])
    try:
        EmotionRecognizer.from_pretrained(backend="torch")
    except BackendError as error:
        message = str(error)
    print(json.dumps({
        "probs": found.prediction.probs, "message": message,
        "cam": found.saliencies[0].values.tolist(),
        "loaded": sorted({name.split(".")[0] for name in sys.modules}),
    }))
"""


def test_recognition_without_torch_is_that_of_torch(tmp_path):
    from fer_cbam import EmotionRecognizer

    photo = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
    result = python(WITHOUT_TORCH + PREDICT_WITHOUT_TORCH, tmp_path, PHOTO=str(photo))
    assert not {"torch", "torchvision", "timm", "huggingface_hub"} & set(result["loaded"])
    assert "backend 'torch' needs t" in result["message"]
    assert "or backend 'onnx'" in result["message"]
    (expected,) = EmotionRecognizer.from_pretrained(backend="torch")(photo, explain=True)
    assert result["probs"] == pytest.approx(dict(expected.prediction.probs), abs=1e-5)
    np.testing.assert_allclose(result["cam"], expected.saliencies[0].values, atol=1e-3)


OPEN_WITHOUT_TORCH = """
    import json, os, sys
    from fer_cbam import EmotionRecognizer
    (found,) = EmotionRecognizer.from_pretrained(os.environ["WEIGHTS"])(os.environ["PHOTO"])
    print(json.dumps({"probs": found.prediction.probs, "torch": "torch" in sys.modules}))
"""


def test_a_folder_of_any_labels_opens_without_torch(tmp_path):
    import timm

    from fer_cbam import EmotionRecognizer, hub

    labels = ("bored", "engaged", "in pain", "puzzled", "happiness")
    photo = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
    model = timm.create_model("fer_cbam_tiny.ferplus", pretrained=True, num_classes=len(labels))
    landmarks = EmotionRecognizer.from_pretrained("fer_cbam_tiny.ferplus").preprocess.landmarks
    folder = hub.save_model(model, tmp_path / "own", labels, {"landmarks": landmarks})
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    code = WITHOUT_TORCH + OPEN_WITHOUT_TORCH
    result = python(code, tmp_path, WEIGHTS=str(folder), PHOTO=str(photo))
    (expected,) = EmotionRecognizer.from_pretrained(folder, backend="torch")(photo)
    assert tuple(result["probs"]) == labels and result["torch"] is False
    assert result["probs"] == pytest.approx(dict(expected.prediction.probs), abs=1e-5)


def test_public_names_are_where_the_table_says():
    import fer_cbam

    for name, home in fer_cbam._HOME.items():
        assert find_spec(home) is not None
        value = getattr(fer_cbam, name)
        assert value is getattr(sys.modules[home], name)
        assert value.__module__.startswith(home)
    assert set(fer_cbam._HOME) <= set(dir(fer_cbam))
