"""Which files of this project a section's records depend on: its own, and all that they import.

Names in strings count as imports, for some modules are loaded by name (explainers, say): where a
string is the beginning of a name ("fer_cbam.explain."), the whole package counts.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("eval", "fer_cbam")
_NAME = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+\.?")


def digest(module: str) -> str:
    """SHA-256 over the files that a module depends on. module: its full name, or that of a file
    that is none of this project's, whose digest is that of the name."""
    found = hashlib.sha256(module.encode())
    for path in files(module):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def files(module: str) -> list[Path]:
    """Sources of a module and of all that it imports, and the JSON files beside them, sorted."""
    waiting, seen = [module], set[Path]()
    while waiting:
        for path in _paths(waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting += _imports(path)
    tables = {table for path in seen for table in path.parent.glob("*.json")}
    return sorted(seen | tables)


def _paths(name: str) -> Iterator[Path]:
    """The file of a module and those of the packages around it; all modules of a package whose name
    ends with a dot. Of a name inside a module, that module."""
    parts = name.rstrip(".").split(".")
    if parts[0] not in PACKAGES:
        return
    for count in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:count])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                yield path
    if name.endswith("."):
        yield from sorted(ROOT.joinpath(*parts).glob("*.py"))


@cache
def _imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names += [node.value] if _NAME.fullmatch(node.value) else []
    return tuple(names)
