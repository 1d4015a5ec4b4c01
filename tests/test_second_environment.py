"""Weights leave one environment and arrive in another that has the wheel, and not the sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest

from eval.predict import predict_logits
from fer_cbam import data, hub, pretrained
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.labels import LABEL_SETS
from tests.conftest import noise_faces
from tests.hub.server import HubServer

REPO = "user/faces"

EVALUATE = """
import json, sys
import timm, torch
import fer_cbam
from fer_cbam import data, hub
from fer_cbam.preprocess import Preprocess
from fer_cbam.pretrained import read_config

source, faces = sys.argv[1:]
model = timm.create_model(f"hf-hub:{source}", pretrained=True).eval()
dataset = data.load(faces)
preprocess = Preprocess.from_config(read_config(hub.resolve(source)))
with torch.inference_mode():
    x = torch.from_numpy(preprocess([sample.pixels for sample in dataset.samples]))
    logits = model(x)
names = model.pretrained_cfg["label_names"]
right = [names[k] == s.label for k, s in zip(logits.argmax(1), dataset.samples)]
print(json.dumps({"from": fer_cbam.__file__, "accuracy": sum(right) / len(right),
                  "logits": logits.tolist()}))
"""


@pytest.fixture
def server():
    server = HubServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """An environment of its own with the wheel in it; what the wheel needs is lent to it."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    binary = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    lent = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (Path(own) / "lent.pth").write_text("\n".join(sorted(lent)) + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(binary), "install", "--no-index", "--no-deps",
         "--ignore-installed", "--quiet", str(wheel)],
        check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}, timeout=300,
    )  # fmt: skip
    return binary


@pytest.fixture
def faces(tmp_path) -> Path:
    """Three noise images of each emotion of CK+48, in folders."""
    return noise_faces(tmp_path / "faces", LABEL_SETS["ckplus48"], 3)


@pytest.mark.slow
def test_push_pull_load_and_evaluate(python, server, faces, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PYTHON"))}
    environment |= {
        "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": server.token,
    }  # fmt: skip

    def run(*command: str) -> str:
        done = subprocess.run(
            [str(python.parent / command[0]), *command[1:]], cwd=work, env=environment,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert server.token not in done.stdout + done.stderr
        return done.stdout

    pushed = run("fer-cbam", "push", hub.DEFAULT_WEIGHTS, REPO, "--private", "--revision", "v7")
    commit = server.repos[REPO].tags["v7"]
    assert pushed == f"{server.url}/{REPO}: {REPO}@v7, commit {commit}\n"
    card = server.repos[REPO].commits[commit]["README.md"].decode()
    assert f"# Model card: `{hub.DEFAULT_WEIGHTS}`" in card

    run("fer-cbam", "pull", f"{REPO}@v7", "pulled")
    embedded = pretrained.embedded_dir(hub.DEFAULT_WEIGHTS)
    for path in embedded.iterdir():
        assert (work / "pulled" / path.name).read_bytes() == path.read_bytes()

    found = json.loads(run("python", "-c", EVALUATE, f"{REPO}@v7", str(faces)).splitlines()[-1])
    assert Path(found["from"]).is_relative_to(python.parent.parent)
    dataset = data.load(faces)
    loaded = hub.load_model(embedded)
    expected = predict_logits(
        TorchBackend(loaded, "cpu"), [sample.pixels for sample in dataset.samples]
    )
    np.testing.assert_allclose(np.array(found["logits"], np.float32), expected, rtol=0, atol=1e-6)
    said = [loaded.label_names[k] for k in expected.argmax(1)]
    right = [name == sample.label for name, sample in zip(said, dataset.samples, strict=True)]
    assert found["accuracy"] == pytest.approx(np.mean(right))
    assert {a.port for a in server.asked if a.authorization} == {server.port}
