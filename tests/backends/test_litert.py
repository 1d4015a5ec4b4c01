"""LiteRT says what torch says; what does not fit together is refused. Its export, too."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fer_cbam import EmotionRecognizer, hub, pretrained
from fer_cbam.backends.litert import LitertBackend
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.open import fastest_backend, open_backend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.decide import Decision
from fer_cbam.errors import WeightsError
from fer_cbam.saliency import saliency_maps
from tests.backends.test_onnx import ASTRONAUT

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install '.[litert]'")
pytest.importorskip("litert_torch", reason="litert-torch is not installed: '.[litert-export]'")

pytestmark = pytest.mark.slow  # a network is converted
WEIGHTS = "fer_cbam_tiny.ferplus"


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    from fer_cbam.deploy.litert import export_litert

    return export_litert(WEIGHTS, tmp_path_factory.mktemp("litert")).folder


@pytest.fixture(scope="module")
def litert(exported) -> LitertBackend:
    return LitertBackend.load(exported, threads=2)


def test_the_folder(exported):
    names = ["LICENSE.md", "config.json", "model.fp16.tflite", "model.tflite"]
    assert sorted(p.name for p in exported.iterdir()) == names
    whole = 4 * sum(p.numel() for p in hub.load_model(WEIGHTS).model.parameters())
    assert (exported / "model.tflite").stat().st_size < 0.32 * whole
    assert (exported / "model.fp16.tflite").stat().st_size < 0.55 * whole
    config = json.loads((exported / "config.json").read_text())
    record = config.pop("export")
    assert record["format"] == "litert"
    decision = Decision.of(config, pretrained.label_names(config))
    assert record["answer"]["temperature"] == decision.temperature
    assert tuple(record["answer"]["bias"]) == decision.bias
    lift = [-np.inf if value is None else value for value in record["answer"]["lift"]]
    assert tuple(lift) == decision.lift
    assert config == pretrained.read_config(hub.resolve(WEIGHTS))


@pytest.mark.parametrize("name", ["model.tflite", "model.fp16.tflite"])
def test_what_is_packed_into_a_file(exported, name):
    """As the readers of Android find it: a zip archive of stored files, and TFLite Metadata."""
    content = (exported / name).read_bytes()
    with zipfile.ZipFile(exported / name) as packed:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in packed.infolist())
        config = json.loads(packed.read("config.json"))
        assert packed.read("labels.txt").decode().split() == list(pretrained.label_names(config))
        assert config["pretrained_cfg"]["input_size"] == [1, 48, 48] and config["landmarks"]
        assert "exported to\nLiteRT. Licence of the weights" in packed.read("LICENSE.md").decode()
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content)
    (place,) = [
        model.Metadata(i).Buffer()
        for i in range(model.MetadataLength())
        if model.Metadata(i).Name() == b"TFLITE_METADATA"
    ]
    record = model.Buffers(place).DataAsNumpy().tobytes()
    assert record[4:8] == b"M001"
    for text in (WEIGHTS, "labels.txt", "config.json", "LICENSE.md"):
        assert text.encode() in record
    starts = [model.Buffers(i).Offset() for i in range(model.BuffersLength())]
    assert all(start % 16 == 0 for start in starts if start > 1)


@pytest.mark.parametrize("count", [0, 1, 12])
def test_half_precision_says_what_torch_says(exported, x, count):
    expected = TorchBackend(hub.load_model(WEIGHTS), "cpu").forward(x[:count])
    found = LitertBackend.load(exported, fp16=True, threads=3).forward(x[:count])
    for name in ("logits", "class_maps", "embedding", "attention"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == np.float32 and ours.shape == theirs.shape, name
        np.testing.assert_allclose(ours, theirs, atol=0.02, err_msg=name)


def test_int8_is_close_to_onnx(litert, x):
    expected, found = OnnxBackend.load(WEIGHTS).forward(x), litert.forward(x)
    np.testing.assert_array_equal(found.logits.argmax(1), expected.logits.argmax(1))
    assert 0 < np.abs(found.logits - expected.logits).max() < 0.2 * np.ptp(expected.logits)
    rows = np.arange(len(x))
    said = expected.logits.argmax(1)
    one, other = (saliency_maps(f.class_maps[rows, said], (48, 48)) for f in (expected, found))
    for a, b in zip(one, other, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98
    for name in ("embedding", "attention"):
        a, b = (getattr(f, name).ravel() for f in (expected, found))
        assert np.corrcoef(a, b)[0, 1] > 0.98


def test_threads_get_what_one_thread_gets(litert, x):
    alone = [litert.forward(x[i : i + 1]).logits for i in range(len(x))]
    np.testing.assert_array_equal(np.concatenate(alone), litert.forward(x).logits)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: litert.forward(x[i : i + 1]).logits, [*range(12)] * 4))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone * 4))


def test_it_can_be_sent_to_another_process(litert, x):
    sent = pickle.loads(pickle.dumps(litert))  # noqa: S301
    assert sent.name == litert.name and sent.weights_file == litert.weights_file
    np.testing.assert_array_equal(sent.forward(x[:1]).logits, litert.forward(x[:1]).logits)


def test_a_photograph(exported):
    assert fastest_backend(exported) == "litert"
    assert open_backend(exported, "litert").device == "cpu"
    (found,) = EmotionRecognizer.from_pretrained(exported, backend="litert")(ASTRONAUT, True)
    (expected,) = EmotionRecognizer.from_pretrained(WEIGHTS, backend="onnx")(ASTRONAUT)
    assert found.prediction.label == expected.prediction.label
    assert abs(found.prediction.confidence - expected.prediction.confidence) < 0.03
    assert len(found.saliencies) == 3


def copied(exported: Path, to: Path) -> Path:
    return Path(shutil.copytree(exported, to / "copy"))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        LitertBackend.load(folder)


def test_what_does_not_fit_is_refused(exported, tmp_path):
    folder = copied(exported, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["model_args"] = {**config["model_args"], "act_layer": "gelu"}
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, r"model.tflite: made for .*; config.json expects .*gelu")


def test_damaged_files_are_refused(exported, tmp_path):
    folder = copied(exported, tmp_path)
    content = (folder / "model.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(content[:-200])
    refused(folder, "model.tflite: damaged, or not made by 'fer-cbam export'")
    start = content.index(b"PK\x03\x04")
    (folder / "model.tflite").write_bytes(bytes(64) + content[start:])
    refused(folder, "model.tflite: damaged, or not a network of FER-CBAM")


def test_no_such_network():
    refused(Path(hub.resolve(WEIGHTS)), "model.tflite: no such file; .*'fer-cbam export --format l")
