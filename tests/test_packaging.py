"""What is installed, and what a wheel holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it along there

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OTHER_OPENCV = {"opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"}


def requirement_lines(name: str) -> Iterator[str]:
    """Requirements of a file and of those that it includes with ``-r``."""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
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


def test_requirements_are_those_of_the_app():
    assert by_name(requirement_lines("requirements.txt")) == by_name(
        line for extra in (None, "app") for line in expanded(extra)
    )


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
