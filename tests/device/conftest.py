"""The page's folder, and node to run its modules."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_cbam.device.site import write_site

TINY, PAPER = "fer_cbam_tiny.ferplus", "fer_cbam_paper.ckplus48"


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    return write_site(tmp_path_factory.mktemp("device") / "page", [TINY, PAPER])


@pytest.fixture(scope="session")
def evaluate(site) -> Callable[[str, str, Any], Any]:
    """The value of an expression of ``data`` and ``settings``, with all that a module exports as
    ``module``."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node in PATH: the page's modules are not tested")

    def evaluated(module: str, expression: str, data: Any) -> Any:
        script = (
            f"const module = await import({json.dumps((site / module).as_uri())});"
            "const chunks = []; for await (const chunk of process.stdin) chunks.push(chunk);"
            "const { data, settings } = JSON.parse(Buffer.concat(chunks));"
            f"console.log(JSON.stringify({expression}));"
        )
        settings = json.loads((site / "settings.json").read_text())
        done = subprocess.run(
            [node, "--input-type=module", "--eval", script],
            input=json.dumps({"data": data, "settings": settings}),
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluated
