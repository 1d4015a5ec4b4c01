"""Registers the networks with timm as soon as timm is there, and not before.

Torch and timm take seconds to load, and much of this package (the ONNX runtime, the command line,
data, drawing) has no use for them. So importing the package waits until someone imports timm.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def register_with_timm() -> None:
    """Now where timm is loaded, else right after it is."""
    if sys.modules.get("timm") is not None:
        import_module("fer_cbam.models")
    else:
        sys.meta_path.insert(0, _AfterTimm())


class _AfterTimm(MetaPathFinder):
    """Finds timm where it would be found anyway, and registers the networks behind its import."""

    _asking = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "timm" or self._asking:
            return None
        self._asking = True
        try:
            spec = find_spec(name)  # by the other finders
        finally:
            self._asking = False
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            if self in sys.meta_path:  # else a reload of timm
                sys.meta_path.remove(self)
                import_module("fer_cbam.models")

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
