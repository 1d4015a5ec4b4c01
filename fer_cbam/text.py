"""What a transcript says of a feeling: its lines read by a small network for English.

Tokens and hashed n-grams are made here, in Python; the rest is a graph for ONNX Runtime (extra
``text``). Weights are a folder with ``config.json``, ``vocabulary.txt``, ``model.safetensors`` and
``model.onnx``, as ``python -m train.fusion.text`` writes it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_cbam import pretrained
from fer_cbam.errors import BackendError, WeightsError
from fer_cbam.modalities import Reading
from fer_cbam.onnx_session import open_session
from fer_cbam.transcripts import Transcript

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Ids = npt.NDArray[np.int64]

(ARCHITECTURE,) = pretrained.TEXTS
DEFAULT_TEXT = "fer_cbam_text.goemotions"
VOCABULARY_FILE = "vocabulary.txt"
MAX_TOKENS = 64  # of a line; the rest is not read
KNOWN_SHARE = 0.6  # of a transcript's words; below it the language is hardly English
BATCH = 256  # lines at once

_TOKEN = re.compile(r"\[\w+\]|<3|[:;=8][-o*']?[)\](\[dDpP/\\|]|\w+(?:'\w+)?|[!?]+|\.\.+|[^\w\s]")
_TAIL = re.compile(r"(.+?)(n't|'\w+)")
_LONG = re.compile(r"([^.])\1{2,}")
_GRAMS = (3, 4, 5)  # letters


def tokens(text: str) -> list[str]:
    """Words, marks and emoticons in small letters; ``don't`` is two, ``sooo`` is ``soo``."""
    found: list[str] = []
    for token in _TOKEN.findall(text.replace("\u2019", "'")):
        plain = _LONG.sub(r"\1\1", token.lower())
        tail = _TAIL.fullmatch(plain)
        found += list(tail.groups()) if tail else [plain]
    return found


def grams(words: Sequence[str]) -> list[str]:
    """Words, pairs of words, and the runs of 3 to 5 letters of each word with its ends."""
    found = [*words, *(f"{a} {b}" for a, b in pairwise(words))]
    for word in words:
        marked = f"<{word}>"
        found += [f"#{marked[i : i + n]}" for n in _GRAMS for i in range(len(marked) - n + 1)]
    return found


@dataclass(frozen=True)
class Vocabulary:
    """words: known ones, from row 1 of the table. unknown: rows behind them that all other words
    share by their hash. grams: rows of the table of n-grams."""

    words: tuple[str, ...]
    unknown: int
    grams: int

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words, 1)}

    def features(self, texts: Sequence[str]) -> tuple[Ids, Ids]:
        """Rows of the words ``(N, T)`` and of the n-grams ``(N, G)``, filled up with 0."""
        lines = [tokens(text)[:MAX_TOKENS] for text in texts]
        words = [[self._rows.get(word) or self._hidden(word) for word in line] for line in lines]
        hashed = [[_hash(gram, self.grams) for gram in grams(line)] for line in lines]
        return _filled(words), _filled(hashed)

    def known_share(self, texts: Sequence[str]) -> float:
        """Of all words with letters; 1 where there are none."""
        words = [word for text in texts for word in tokens(text) if word[0].isalpha()]
        return sum(word in self._rows for word in words) / len(words) if words else 1.0

    def _hidden(self, word: str) -> int:
        return len(self.words) + _hash(word, self.unknown)


def _hash(text: str, rows: int) -> int:
    """From 1 to rows; the same on every machine."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % rows + 1


def _filled(rows: Sequence[Sequence[int]]) -> Ids:
    found = np.zeros((len(rows), max(1, *map(len, rows), 1)), np.int64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found


class TextReader:
    """A :class:`fer_cbam.modalities.Modality`: transcripts to :class:`Reading`."""

    name = "text"

    def __init__(
        self, session: InferenceSession, config: dict[str, Any], vocabulary: Vocabulary
    ) -> None:
        self._session = session
        self.config = config
        self.vocabulary = vocabulary
        self.label_names = pretrained.label_names(config)
        self.temperature = float(config.get("temperature", 1.0))
        prior = config.get("prior")
        self.prior = None if prior is None else np.array([prior[name] for name in self.label_names])

    @classmethod
    def from_pretrained(cls, source: str | Path = DEFAULT_TEXT) -> TextReader:
        """source: the name of embedded weights, or a folder of them.

        Raises:
            WeightsError: missing, damaged, or weights for something else.
            BackendError: ONNX Runtime is not installed.
        """
        folder = pretrained.named_dir("text", source, pretrained.embedded_texts())
        config = pretrained.read_config(folder)
        if config["architecture"] != ARCHITECTURE:
            raise WeightsError(f"{folder}: {config['architecture']}; expected {ARCHITECTURE}")
        try:
            words = (folder / VOCABULARY_FILE).read_text(encoding="utf-8").splitlines()
            graph = (folder / pretrained.GRAPH_FILE).read_bytes()
            args = config["model_args"]
            hashed = Vocabulary(tuple(words), args["num_words"] - len(words), args["num_grams"])
        except (OSError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{folder}: {error}; expected the weights of a text network with "
                f"{VOCABULARY_FILE} and {pretrained.GRAPH_FILE}"
            ) from error
        tensors = pretrained.read_tensors(folder)
        try:
            session = open_session(graph, tensors)
        except ImportError:
            raise BackendError("text needs ONNX Runtime, which is not installed; expected: pip "
                               "install 'fer-cbam[text]'") from None  # fmt: skip
        except Exception as error:  # ONNX Runtime's own are of many kinds
            raise WeightsError(f"{folder}: the graph does not fit the weights ({error})") from error
        return cls(session, config, hashed)

    def logits(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated logits float32 ``(N, K)`` and tokens ``(N, D)``."""
        parts = [self._run(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
        logits, found = (np.concatenate(part) for part in zip(*parts, strict=True))
        return logits / np.float32(self.temperature), found

    def encode(self, signal: Transcript) -> Reading:
        """A stretch for each line."""
        texts = [line.text for line in signal.lines]
        logits, found = self.logits(texts)
        times = np.array([(line.begin, line.end) for line in signal.lines], np.float64)
        cautions = [*signal.cautions]
        if self.vocabulary.known_share(texts) < KNOWN_SHARE:
            cautions.append("Few of the words are known: the network reads English only.")
        if any(len(tokens(text)) > MAX_TOKENS for text in texts):
            cautions.append(f"Of a long line the first {MAX_TOKENS} words and marks are read.")
        return Reading("text", self.label_names, times, logits, found, self.prior, tuple(cautions))

    def _run(self, texts: Sequence[str]) -> list[np.ndarray]:
        words, hashed = self.vocabulary.features(texts)
        found: list[np.ndarray] = self._session.run(
            ["logits", "tokens"], {"words": words, "grams": hashed}
        )
        return found
