"""A recurrent network in the browser says what the one in NumPy says, and sees the same cues."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub, pretrained
from fer_cbam.labels import LABEL_SETS
from fer_cbam.smoothing.base import Seen
from fer_cbam.smoothing.cues import cues
from fer_cbam.smoothing.recurrent import Recurrent
from fer_cbam.types import Face
from tests.web.conftest import Ask

LABELS = LABEL_SETS["ferplus"]
EMBEDDING = 20
STEPS = """(() => {
  const file = Uint8Array.from(atob(data.file), (letter) => letter.charCodeAt(0)).buffer;
  const tensors = module.readSafetensors(file);
  const { config, labels, embedding } = data;
  const smoother = module.recurrent(config, tensors, labels, embedding);
  let state = null;
  return data.frames.map(({ crop, seconds, ...face }) => {
    const rgba = { data: Uint8ClampedArray.from(crop), width: 48, height: 48 };
    const found = smoother.step({ ...face, crop: rgba }, seconds, state);
    state = found.state;
    return { probs: found.probs, cues: module.cuesOf({ ...face, crop: rgba }) };
  });
})()"""
MODULES = ["safetensors.mjs", "recurrent.mjs", "cues.mjs"]


def saved(name: str, folder: Path) -> Path:
    torch.manual_seed(0)
    model = timm.create_model(name, in_features=8 + 8 + EMBEDDING, width=12, hidden_size=16)
    for parameter in model.parameters():  # so that no part of it is 0
        torch.nn.init.normal_(parameter, 0, 0.4)
    model.mean.normal_()
    model.std.uniform_(0.5, 2)
    prior = {label: (i + 1) / 36 for i, label in enumerate(LABELS)}
    extra: dict = {"temperature": 1.5}
    if name == "fer_cbam_gru":  # one with a filter before it, one without
        extra["filter"] = {"prior": prior, "rate": 2.0, "anew": 0.1}
    return hub.save_model(model, folder, LABELS, extra, torch.float16)


def frames(count: int) -> list[tuple[Face, np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(count):
        places = rng.uniform(10, 90, (5, 2)).astype(np.float32)
        face = Face((3.5, 7.25, *rng.uniform(40, 200, 2)), float(rng.uniform(0.6, 1)), places)
        crop = rng.integers(0, 256, (48, 48, 3)).astype(np.uint8)
        embedding = rng.normal(size=EMBEDDING).astype(np.float32)
        found.append((face, crop, rng.dirichlet(np.ones(8)), embedding))
    return found


def asked(folder: Path, seen: list, passed: np.ndarray) -> dict:
    opaque = np.full((48, 48, 1), 255, np.uint8)
    return {
        "file": base64.b64encode((folder / pretrained.WEIGHTS_FILE).read_bytes()).decode(),
        "config": pretrained.read_config(folder), "labels": LABELS, "embedding": EMBEDDING,
        "frames": [
            {"box": list(face.box), "score": face.score,
             "landmarks": face.landmarks.astype(float).tolist(),
             "crop": np.concatenate([crop, opaque], 2).ravel().tolist(),
             "probs": dict(zip(LABELS, probs.tolist(), strict=True)),
             "embedding": embedding.tolist(), "seconds": float(since)}
            for (face, crop, probs, embedding), since in zip(seen, passed, strict=True)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", pretrained.RECURRENT)
def test_the_same_answers_and_cues(ask: Ask, tmp_path: Path, name: str):
    folder, seen = saved(name, tmp_path / "weights"), frames(25)
    passed = np.random.default_rng(2).exponential(0.2, len(seen))
    passed[[3, 4]] = 0.0, 40.0  # the very same moment, and long gone
    (found,) = ask({"ask": "evaluate", "module": MODULES, "expression": STEPS,
                    "data": asked(folder, seen, passed)})  # fmt: skip
    smoother, state = Recurrent.load(folder), None
    for (face, crop, probs, embedding), since, ours in zip(seen, passed, found, strict=True):
        own = cues(face, crop)
        np.testing.assert_allclose(ours["cues"], own, atol=1e-5)
        told, state = smoother.step(Seen(probs, embedding, own), float(since), state)
        np.testing.assert_allclose(list(ours["probs"].values()), told, atol=1e-4)
        assert tuple(ours["probs"]) == LABELS


def test_tensors_that_do_not_fit(ask: Ask, tmp_path: Path):
    folder = saved("fer_cbam_gru", tmp_path / "weights")
    data = asked(folder, [], np.zeros(0)) | {"embedding": 21}
    caught = f"(() => {{ try {{ return {STEPS}; }} catch (error) {{ return error.message; }} }})()"
    lstm = {**data, "embedding": EMBEDDING,
            "config": {**data["config"], "architecture": "fer_cbam_lstm"}}  # fmt: skip
    answers = ask(*({"ask": "evaluate", "module": MODULES, "expression": caught, "data": d}
                    for d in (data, lstm)))  # fmt: skip
    assert answers == ["mean: 36; expected 37", "forwards.input.weight: 48,12; expected 64,12"]
