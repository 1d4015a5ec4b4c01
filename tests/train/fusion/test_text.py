"""Training the network for text on lines whose label a word tells."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
import torch

from fer_cbam import pretrained
from fer_cbam.data.lines import LABELS, TextLines, one_hot
from fer_cbam.errors import DataError, WeightsError
from fer_cbam.models.text import FerCbamText
from fer_cbam.text import TextReader
from fer_cbam.transcripts import Line, Transcript
from train.fusion.text import (
    Settings,
    export,
    fit,
    logits_of,
    make_vocabulary,
    read_vectors,
    save,
    temperature,
)

SETTINGS = Settings(epochs=12, batch_size=16, lr=1e-2, known=40, unknown=8, grams=256, width=8)
CUES = {"anger": "hate", "happiness": "love", "sadness": "miss"}
VECTORS = {word: np.full(6, n / 3, np.float32) for n, word in enumerate(("hate", "love", "the"))}


def lines(count=60, seed=0):
    rng = np.random.default_rng(seed)
    names = rng.choice(list(CUES), count)
    filler = ["the", "cat", "we", "see"]
    texts = [" ".join([*rng.permutation(filler)[:3], CUES[name]]) for name in names]
    return TextLines(tuple(texts), one_hot([[n] for n in names]), tuple(map(str, range(count))))


@pytest.fixture(scope="module")
def trained():
    return fit(lines(), VECTORS, SETTINGS)


def test_it_learns_words_and_the_seed_decides(trained):
    network, vocabulary = trained
    other = lines(30, seed=1)
    got = logits_of(network, vocabulary, other)
    assert (got.argmax(1).numpy() == other.targets.argmax(1)).all()
    again = logits_of(*fit(lines(), VECTORS, SETTINGS), other)
    torch.testing.assert_close(got, again)


def test_what_stands_beyond_the_last_word_changes_nothing(trained):
    network, vocabulary = trained
    words, grams = (torch.from_numpy(x) for x in vocabulary.features(["we miss the cat"]))
    longer = torch.nn.functional.pad(words, (0, 5)), torch.nn.functional.pad(grams, (0, 9))
    with torch.no_grad():
        for a, b in zip(network(words, grams), network(*longer), strict=True):
            torch.testing.assert_close(a, b)


def test_deep_and_wide_parts_are_summed():
    torch.manual_seed(0)
    network = FerCbamText(5, 7, num_classes=3, dim=4, width=2, sizes=(1, 2)).eval()
    with torch.no_grad():
        network.grams.weight[1:].normal_()
        words, grams = torch.tensor([[1, 2, 0]]), torch.tensor([[3, 4, 4, 0]])
        logits, tokens = network(words, grams)
        table = network.grams.weight
        wide = (table[3] + 2 * table[4]) / 3**0.5
        torch.testing.assert_close(logits[0], network.fc(tokens)[0] + wide)
        # A filter of one word: the largest of what it says of each.
        conv = network.convs[0]
        each = network.words.weight[1:3] @ conv.weight[:, :, 0].T + conv.bias
        torch.testing.assert_close(tokens[0, :2], each.relu().amax(0))


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("text")
    prior = np.full(len(LABELS), 1 / len(LABELS))
    save(*trained, path, 1.7, prior, "made up")
    return path


def test_saved_and_read_without_torch(trained, folder):
    network, vocabulary = trained
    reader = TextReader.from_pretrained(folder)
    texts = ["we love the cat", "hate", "unheard of", ""]
    got, found = reader.logits(texts)
    words, grams = (torch.from_numpy(x) for x in vocabulary.features(texts))
    stored = {name: value.half().float() for name, value in network.state_dict().items()}
    same = copy.deepcopy(network)
    same.load_state_dict(stored)
    with torch.no_grad():
        logits, tokens = same(words, grams)
    np.testing.assert_allclose(got * 1.7, logits.numpy(), atol=1e-4)
    np.testing.assert_allclose(found, tokens.numpy(), atol=1e-5)
    assert reader.vocabulary == vocabulary
    assert {t.name for t in export(network).graph.initializer} >= set(network.state_dict())
    assert pretrained.read_config(folder)["training"]["data"] == "made up"


def test_a_transcript_becomes_a_reading(folder):
    reader = TextReader.from_pretrained(folder)
    lines = ("we love the cat", "das ist ja ganz ausgezeichnet", "the " * 70)
    said = Transcript(tuple(Line(n, n + 1.5, text) for n, text in enumerate(lines)), ("given",))
    got = reader.encode(said)
    assert got.label_names == LABELS and got.modality == "text"
    np.testing.assert_allclose(got.times, [[0, 1.5], [1, 2.5], [2, 3.5]])
    assert LABELS[int(got.posterior()[0].argmax())] == "happiness"
    # A line is read the same alone as among longer ones.
    alone = reader.encode(Transcript(said.lines[:1]))
    np.testing.assert_allclose(alone.logits[0], got.logits[0], atol=1e-5)
    assert alone.cautions == ()
    assert got.cautions == ("given", "Of a long line the first 64 words and marks are read.")
    foreign = reader.encode(Transcript(said.lines[1:2]))
    assert foreign.cautions == ("Few of the words are known: the network reads English only.",)


@pytest.mark.parametrize("change", ["config", "vocabulary", "graph", "tensors", "missing"])
def test_a_folder_that_is_not_whole(folder, tmp_path, change):
    other = tmp_path / "w"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    if change == "config":
        (other / "config.json").write_text(json.dumps({**config, "architecture": "fer_cbam_gru"}))
    elif change == "vocabulary":
        (other / "vocabulary.txt").unlink()
    elif change == "graph":
        (other / "model.onnx").write_bytes(b"no graph")
    elif change == "tensors":
        (other / "model.safetensors").write_bytes(b"no tensors")
    else:
        shutil.rmtree(other)
    with pytest.raises(WeightsError, match=r"expected|does not fit|damaged|nor a folder"):
        TextReader.from_pretrained(other)


def test_the_vocabulary_begins_with_words_met_twice():
    got = make_vocabulary(["a b b", "b c c d"], VECTORS, SETTINGS)
    assert got.words == ("b", "c", "hate", "love", "the")


def test_a_temperature_that_was_put_in():
    rng = np.random.default_rng(0)
    true = torch.from_numpy(rng.normal(size=(4000, 7)))
    drawn = torch.distributions.Categorical(logits=true).sample()
    got = temperature(3 * true, torch.eye(7, dtype=torch.float64)[drawn])
    assert got == pytest.approx(3, rel=0.1)


def test_vectors(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("the 0.5 -1\n, 2 3\n")
    got = read_vectors(path)
    assert list(got) == ["the", ","]
    np.testing.assert_array_equal(got["the"], np.float32([0.5, -1]))
    for text in ("the 1 2\na 1\n", "the 1 x\n", "the nan 1\n"):
        path.write_text(text)
        with pytest.raises(DataError, match="expected a word and 2 numbers"):
            read_vectors(path)
