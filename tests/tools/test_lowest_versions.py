"""The lowest versions of the project's own requirements, and of a made-up file."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_cbam.errors import FerError
from tools.lowest_versions import lowest, main

ROOT = Path(__file__).parents[2]


def test_of_what_the_app_needs(capsys):
    main([str(ROOT / "requirements-app.txt")])
    versions = dict(line.split("==") for line in capsys.readouterr().out.splitlines())
    assert versions["opencv-python-headless"].startswith("4.")
    assert {"numpy", "pillow", "onnxruntime", "gradio", "safetensors"} < set(versions)


def test_files_are_followed_and_what_is_beside_a_version_is_left_out(tmp_path):
    (tmp_path / "a.txt").write_text("# words\n-r b.txt\nx-y>=1.2,<3; python_version < '4'  # why\n")
    (tmp_path / "b.txt").write_text("z[more]>=0.1rc1\nexact==2.0\n")
    found = list(lowest(tmp_path / "a.txt"))
    assert found == ["z==0.1rc1", "exact==2.0", "x-y==1.2"]


def test_a_requirement_without_a_lower_limit(tmp_path):
    (tmp_path / "a.txt").write_text("numpy<3\n")
    with pytest.raises(FerError, match="got 'numpy<3'; expected name>=version"):
        list(lowest(tmp_path / "a.txt"))
