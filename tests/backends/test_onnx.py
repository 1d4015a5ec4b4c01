"""ONNX Runtime says what torch says; what does not fit together is refused."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from fer_cbam import EmotionRecognizer, data, hub, pretrained
from fer_cbam.backends import names
from fer_cbam.backends.onnx import OnnxBackend
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.errors import WeightsError
from fer_cbam.images import decode_image
from fer_cbam.saliency import saliency_maps

ASTRONAUT = Path(__file__).parents[2] / "fer_cbam" / "serve" / "assets" / "astronaut.jpg"


def assert_same(torch_backend, onnx_backend, x):
    expected, found = torch_backend.forward(x), onnx_backend.forward(x)
    for name in ("logits", "class_maps", "embedding", "attention"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype == np.float32, name
        np.testing.assert_allclose(ours, theirs, atol=1e-4, err_msg=name)
    np.testing.assert_array_equal(found.logits.argmax(1), expected.logits.argmax(1))
    return expected


@pytest.mark.parametrize("explain", [False, True])
def test_no_crops_are_no_answers(folder, x, explain, capfd):
    backends = TorchBackend(hub.load_model(folder)), OnnxBackend.load(folder)
    assert_same(*backends, x[:0])
    for backend in backends:
        answers, maps = EmotionRecognizer(backend).classify([], explain)
        assert list(answers) == list(maps) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("count", [1, 12])
def test_same_logits_embedding_and_maps(folder, x, count):
    torch_backend, onnx_backend = TorchBackend(hub.load_model(folder)), OnnxBackend.load(folder)
    found = assert_same(torch_backend, onnx_backend, x[:count])
    assert found.logits.shape == (count, len(onnx_backend.label_names))
    maps = saliency_maps(found.class_maps, (48, 48))
    assert np.ptp(maps, (2, 3)).max() > 0.5  # maps, not flat fields
    assert np.abs(maps[:, 0] - maps[:, 1]).max() > 0.1  # of one class each
    assert onnx_backend.label_names == torch_backend.label_names
    assert onnx_backend.preprocess == torch_backend.preprocess
    assert onnx_backend.weights_file == torch_backend.weights_file
    assert onnx_backend.device == "cpu"


@pytest.mark.parametrize("name", pretrained.embedded_names())
def test_embedded_weights_run_without_torch(name, x):
    assert_same(TorchBackend(hub.load_model(name)), OnnxBackend.load(name), x)
    assert OnnxBackend.load(name).name == name


def test_the_recogniser_gives_the_same_answer():
    (expected,) = EmotionRecognizer.from_pretrained(backend="torch")(ASTRONAUT, explain=True)
    recognizer = EmotionRecognizer.from_pretrained(backend="onnx")
    (found,) = recognizer(ASTRONAUT, explain=True)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-3)
    # A hundred thousandth of a pixel in a landmark may round a grey value the other way.
    found = recognizer.recognize(decode_image(ASTRONAUT), [expected.face], explain=True)[0]
    np.testing.assert_array_equal(found.crop, expected.crop)
    assert found.prediction.label == expected.prediction.label
    assert found.prediction.probs == pytest.approx(dict(expected.prediction.probs), abs=1e-5)
    for ours, theirs in zip(found.saliencies, expected.saliencies, strict=True):
        assert (ours.kind, ours.label) == (theirs.kind, theirs.label)
        np.testing.assert_allclose(ours.values, theirs.values, atol=1e-3)
    for label in ("anger", "surprise"):
        assert recognizer.explain(found.crop, label).label == label


@pytest.mark.data
@pytest.mark.slow
def test_same_answers_on_fer2013(data_dir):
    """A quarter of PublicTest; `python -m benchmarks.agreement` goes through PrivateTest."""
    dataset = data.load(data_dir / "fer2013.csv.zip")
    crops = [s.pixels for s in dataset.samples if s.split == "PublicTest"][::28]
    for name in pretrained.embedded_names():
        onnx_backend = OnnxBackend.load(name)
        x = onnx_backend.preprocess(crops)
        assert_same(TorchBackend(hub.load_model(name)), onnx_backend, x)


def test_threads_get_what_one_thread_gets(folder, x):
    backend = OnnxBackend.load(folder)
    alone = [backend.forward(x[i : i + 1]) for i in range(len(x))] * 4
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: backend.forward(x[i : i + 1]), [*range(len(x))] * 4))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)
        np.testing.assert_array_equal(one.class_maps, other.class_maps)


@pytest.mark.parametrize("threads", [1, 2, 5, 100])
def test_a_batch_that_is_split_is_answered_in_order(folder, x, threads):
    backend, sizes = OnnxBackend.load(folder, threads=threads), []
    run = backend._run
    backend._run = lambda part: sizes.append(len(part)) or run(part)
    found, expected = backend.forward(x), TorchBackend(hub.load_model(folder), "cpu").forward(x)
    assert sum(sizes) == 12 and len(sizes) == min(threads, 6)
    for name in ("logits", "class_maps", "embedding", "attention"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4)


def refused(folder: Path, message: str, **options) -> None:
    with pytest.raises(WeightsError, match=message):
        OnnxBackend.load(folder, **options)


def test_what_does_not_fit_is_refused(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    graph = copy / pretrained.GRAPH_FILE
    whole = graph.read_bytes()
    refused(copy, r"model.int8.onnx: no such file; expected .* 'fer-cbam export", int8=True)
    graph.write_bytes(whole[: len(whole) // 2])
    refused(copy, "model.onnx: damaged, or not for these weights")
    graph.write_bytes(b"")
    refused(copy, "model.onnx: damaged, or not for these weights")
    graph.write_bytes(whole)
    weights = copy / pretrained.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:5000])
    refused(copy, "model.safetensors: damaged or no safetensors file")
    weights.unlink()
    refused(copy, "model.onnx: damaged, or not for these weights")  # it holds no weights itself
    graph.unlink()
    refused(copy, "model.onnx: no such file; expected a folder made by 'fer-cbam export")


def test_a_graph_of_other_options_is_refused(folder, tmp_path):
    """Weights of the same names and shapes, but another network."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / pretrained.CONFIG_FILE).read_text())
    config["model_args"] = {**config.get("model_args", {}), "act_layer": "gelu"}
    (copy / pretrained.CONFIG_FILE).write_text(json.dumps(config))
    refused(copy, "model.onnx: made for .*; config.json expects .*gelu")


def test_weights_of_another_network_are_refused(folder, tmp_path):
    import timm

    other = hub.save_model(
        timm.create_model("fer_cbam_paper", channels=(8, 8, 16)), tmp_path, "abcdefg"
    )
    shutil.copy(folder / pretrained.GRAPH_FILE, other)
    refused(other, "model.onnx: damaged, or not for these weights")


def as_exported_before_embeddings(folder: Path, to: Path) -> Path:
    """The folder as an earlier `fer-cbam export` wrote it."""
    old = Path(shutil.copytree(folder, to))
    graph = onnx.load(old / pretrained.GRAPH_FILE, load_external_data=False)
    kept = [output for output in graph.graph.output if output.name != names.EMBEDDING]
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    (old / pretrained.GRAPH_FILE).write_bytes(graph.SerializeToString())
    return old


def test_a_graph_without_embeddings_still_recognises(folder, x, faces, tmp_path):
    old = as_exported_before_embeddings(folder, tmp_path / "old")
    found, expected = OnnxBackend.load(old).forward(x), OnnxBackend.load(folder).forward(x)
    assert found.embedding is None
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.class_maps, expected.class_maps)
    recognizer = EmotionRecognizer.from_pretrained(old, backend="onnx")
    assert len(recognizer.classify(faces, explain=True)[0]) == 12
    with pytest.raises(WeightsError, match="no output 'embedding'; expected one of 'fer-cbam exp"):
        recognizer.embed(faces)
