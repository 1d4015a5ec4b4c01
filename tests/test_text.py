"""From a line to the numbers that the network for text reads."""

from __future__ import annotations

import zlib

import pytest

from fer_cbam.text import MAX_TOKENS, Vocabulary, grams, tokens


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
