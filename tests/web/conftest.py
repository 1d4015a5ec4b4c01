"""What the tests of web/ share: node, and how it is asked."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_cbam.detect.yunet import MODEL_FILE
from fer_cbam.images import decode_image
from fer_cbam.pretrained import embedded_dir
from fer_cbam.types import Face

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
DRIVER = Path(__file__).with_name("driver.mjs")
ASTRONAUT = ROOT / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"
LEAST_NODE = 20
DTYPES = {"Float32Array": np.float32, "Uint8ClampedArray": np.uint8, "Uint8Array": np.uint8}

Ask = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("no node in PATH: the modules of web/ are not tested")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < LEAST_NODE:
        pytest.skip(f"node {version.strip()} in PATH; expected {LEAST_NODE} or later")
    return path


@pytest.fixture
def ask(node: str, tmp_path: Path) -> Ask:
    """Returns ``ask(question, ...)``: the answers of ``driver.mjs``. A picture in a question is an
    RGB array, crops are arrays ``(N, S, S, 3)``, weights a name."""

    def ask(*questions: dict[str, Any]) -> list[Any]:
        asked = {
            "web": str(WEB), "detector": str(MODEL_FILE),
            "questions": [_written(question, tmp_path) for question in questions],
        }  # fmt: skip
        done = subprocess.run(
            [node, str(DRIVER)], input=json.dumps(asked), capture_output=True, text=True,
            timeout=900,  # of a machine that does much else
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [_read(answer) for answer in json.loads(done.stdout)]

    return ask


def _written(question: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A question with its pictures as files."""
    question = dict(question)
    if isinstance(question.get("weights"), str):
        question["weights"] = str(embedded_dir(question["weights"]))
    if "crops" in question:
        crops = question.pop("crops")
        question |= {"path": _file(crops, folder), "count": len(crops)}
    if "image" in question:
        question["image"] = _picture(question["image"], folder)
    if "frames" in question:
        question["frames"] = [
            _picture(image, folder) | {"time": time} for image, time in question["frames"]
        ]
    return question


def _picture(image: np.ndarray, folder: Path) -> dict[str, Any]:
    return {"path": _file(image, folder), "width": image.shape[1], "height": image.shape[0]}


def _file(pixels: np.ndarray, folder: Path) -> str:
    path = folder / f"{len(list(folder.iterdir()))}.rgba"
    opaque = np.full((*pixels.shape[:-1], 1), 255, np.uint8)
    path.write_bytes(np.concatenate([pixels, opaque], axis=-1).tobytes())
    return str(path)


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"dtype", "base64"}:
            return np.frombuffer(base64.b64decode(value["base64"]), DTYPES[value["dtype"]])
        return {key: _read(item) for key, item in value.items()}
    return value


def plain(faces: Sequence[Face]) -> list[dict[str, Any]]:
    """Faces as the modules take them."""
    return [
        {"box": list(map(float, face.box)), "score": face.score,
         "landmarks": face.landmarks.astype(float).tolist()}
        for face in faces
    ]  # fmt: skip


def rgb(crop: dict[str, Any]) -> np.ndarray:
    """The crop of a recognition as an RGB array."""
    side = crop["width"]
    return np.ascontiguousarray(crop["data"].reshape(side, side, 4)[..., :3])


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return decode_image(ASTRONAUT)


@pytest.fixture(scope="session")
def made_up() -> np.ndarray:
    """Crops of no face, RGB (10, 48, 48, 3): noise of several grains, a ramp, and a flat one."""
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (8, 48, 48, 3)).astype(np.uint8)
    grains = [cv2.GaussianBlur(crop, (0, 0), 0.5 + i) for i, crop in enumerate(noise)]
    ramp = np.repeat(np.linspace(0, 255, 48).astype(np.uint8), 48 * 3).reshape(48, 48, 3)
    return np.stack([*grains, ramp, np.full((48, 48, 3), 120, np.uint8)])
