"""From a line to the numbers that the network for text reads, and what its weights say."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from safetensors.numpy import load_file

from fer_cbam import pretrained
from fer_cbam.labels import LABEL_SETS
from fer_cbam.text import DEFAULT_TEXT, MAX_TOKENS, TextReader, Vocabulary, grams, tokens


def test_tokens():
    assert tokens("I DON'T know... sooooo GREAT!!! :) caf\u00e9") == [
        "i", "do", "n't", "know", "...", "soo", "great", "!!", ":)", "caf\u00e9",
    ]  # fmt: skip
    assert tokens("it\u2019s [NAME], <3") == ["it", "'s", "[name]", ",", "<3"]
    assert tokens("  ") == []


def test_grams():
    assert grams(["ab", "c"]) == ["ab", "c", "ab c", "#<ab", "#ab>", "#<ab>", "#<c>"]


def test_rows_of_the_tables():
    vocabulary = Vocabulary(("ab", "c"), unknown=4, grams=100)
    words, hashed = vocabulary.features(["c ab", "zz", ""])
    assert words[0].tolist() == [2, 1] and words[2].tolist() == [0, 0]
    assert words[1].tolist() == [2 + zlib.crc32(b"zz") % 4 + 1, 0]
    assert hashed[0, 0] == zlib.crc32(b"c") % 100 + 1
    assert hashed.max() <= 100 and (hashed[2] == 0).all()
    assert vocabulary.features(["a " * 200])[0].shape == (1, MAX_TOKENS)
    assert vocabulary.known_share(["ab c zz !", ""]) == pytest.approx(2 / 3)
    assert vocabulary.known_share(["!"]) == 1


# The weights that ship.


@pytest.fixture(scope="module")
def reader() -> TextReader:
    pytest.importorskip("onnxruntime")
    return TextReader.from_pretrained(DEFAULT_TEXT)


def by_hand(reader: TextReader, text: str) -> np.ndarray:
    """Logits ``(K,)`` in NumPy, from the tensors as they are stored."""
    stored = load_file(pretrained.EMBEDDED / DEFAULT_TEXT / pretrained.WEIGHTS_FILE)
    w = {name: value.astype(np.float64) for name, value in stored.items()}
    rows, hashed = (x[0] for x in reader.vocabulary.features([text]))
    x = w["words.weight"][rows]
    found = []
    for size in (1, 2, 3, 4):
        kernel, bias = w[f"convs.{size - 1}.weight"], w[f"convs.{size - 1}.bias"]
        padded = np.pad(x, (((size - 1) // 2, size // 2), (0, 0)))
        each = [np.einsum("oik,ki->o", kernel, padded[t : t + size]) for t in range(len(x))]
        found.append(np.maximum(np.array(each) + bias, 0).max(0))
    deep = w["fc.weight"] @ np.concatenate(found) + w["fc.bias"]
    return deep + w["grams.weight"][hashed].sum(0) / np.sqrt(len(hashed))


def test_the_embedded_weights_in_numpy(reader: TextReader):
    lines = ("What a lovely surprise, thank you!", "no", "Zqxv plorf :( don't")
    got = reader.logits(lines)[0]
    expected = np.stack([by_hand(reader, line) for line in lines]) / reader.temperature
    np.testing.assert_allclose(got, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("I love this, it made me so happy!", "happiness"),
        ("I hate you, this makes me furious.", "anger"),
        ("That is disgusting, it smells awful.", "disgust"),
        ("I'm terrified, I was so scared.", "fear"),
        ("I miss her so much, I cried all night.", "sadness"),
        ("Wow, I am so surprised, what?!", "surprise"),
        ("The shop opens at nine on Monday.", "neutral"),
    ],
)
def test_what_the_embedded_weights_say(reader: TextReader, line: str, label: str):
    assert reader.label_names[int(reader.logits([line])[0][0].argmax())] == label


def test_what_ships_for_text(reader: TextReader):
    folder = pretrained.EMBEDDED / DEFAULT_TEXT
    assert reader.label_names == LABEL_SETS["fer2013"]
    assert reader.prior.sum() == pytest.approx(1, abs=1e-5)
    assert pretrained.embedded_texts() == [DEFAULT_TEXT]
    assert DEFAULT_TEXT not in pretrained.embedded_names()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2.5e6
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "config.json", "model.onnx", "model.safetensors", "vocabulary.txt",
    }  # fmt: skip
