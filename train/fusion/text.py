"""Train the network that reads transcripts.

    python -m train.fusion.text --data goemotions_ekman.zip --vectors glove.6B.50d.txt \
        --out my_text

Trained on the training part of GoEmotions. The temperature is chosen on its dev part, and nothing
on its test part. Vectors: GloVe's (public domain), as published, "word
number number ..." a line.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import Tensor

from fer_cbam import pretrained
from fer_cbam.data.goemotions import read_goemotions
from fer_cbam.data.lines import LABELS, TextLines
from fer_cbam.deploy.graph import OPSET, give_values, without_weights
from fer_cbam.errors import DataError
from fer_cbam.models.text import FerCbamText
from fer_cbam.text import ARCHITECTURE, VOCABULARY_FILE, Vocabulary, tokens
from train.fusion.experts import cross_entropy, minimise

VECTOR_SCALE = 0.2  # GloVe's vectors have a length of about 5


@dataclass(frozen=True)
class Settings:
    """AdamW, one cycle. known: words of the vocabulary; those of the training part that come twice
    or more, then the most frequent of the vectors. unknown, grams: rows for what is hashed.
    forget: share of words that are left out of a line in training."""

    epochs: int = 6
    batch_size: int = 128
    lr: float = 2e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    forget: float = 0.1
    known: int = 12_000
    unknown: int = 1024
    grams: int = 1 << 14
    width: int = 64
    drop_rate: float = 0.4


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """Word -> float32 ``(D,)``, in the file's order.

    Raises:
        DataError: a line that is not a word and as many numbers as the first.
    """
    found: dict[str, np.ndarray] = {}
    width = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            word, *numbers = line.rstrip("\n").split(" ")
            width = width or len(numbers)
            try:
                vector = np.array(numbers, np.float32)
            except ValueError:
                vector = np.empty(0, np.float32)
            if not width or len(vector) != width or not np.isfinite(vector).all():
                raise DataError(f"{path}, line {number}: {line[:40]!r}; expected a word and "
                                f"{width or 'some'} numbers")  # fmt: skip
            found[word] = vector
    return found


def make_vocabulary(
    texts: Sequence[str], vectors: dict[str, np.ndarray], settings: Settings
) -> Vocabulary:
    counts = Counter(word for text in texts for word in tokens(text))
    own = [word for word, count in counts.most_common() if count > 1]
    words = dict.fromkeys([*own, *vectors])
    kept = [word for word in words if word.strip() == word and "\n" not in word]
    return Vocabulary(tuple(kept[: settings.known]), settings.unknown, settings.grams)


def make_network(
    vocabulary: Vocabulary, vectors: dict[str, np.ndarray], settings: Settings
) -> FerCbamText:
    """With the vectors of the words that have one; the random state decides the rest."""
    dim = len(next(iter(vectors.values())))
    network = FerCbamText(
        len(vocabulary.words) + vocabulary.unknown, vocabulary.grams, len(LABELS), dim,
        settings.width, drop_rate=settings.drop_rate,
    )  # fmt: skip
    with torch.no_grad():
        network.words.weight[1:] *= 0.1
        for row, word in enumerate(vocabulary.words, 1):
            if word in vectors:
                network.words.weight[row] = VECTOR_SCALE * torch.from_numpy(vectors[word])
    return network


def features(vocabulary: Vocabulary, lines: TextLines) -> tuple[Tensor, Tensor, Tensor]:
    """Words, n-grams and ``(N, K)`` target probabilities: equal ones, where there are several."""
    words, grams = vocabulary.features(lines.texts)
    targets = torch.from_numpy(lines.targets)
    return torch.from_numpy(words), torch.from_numpy(grams), targets / targets.sum(1, keepdim=True)


def fit(
    lines: TextLines, vectors: dict[str, np.ndarray], settings: Settings, seed: int = 0
) -> tuple[FerCbamText, Vocabulary]:
    """A trained network, to be asked."""
    vocabulary = make_vocabulary(lines.texts, vectors, settings)
    words, grams, targets = features(vocabulary, lines)
    smooth = settings.label_smoothing
    targets = targets * (1 - smooth) + smooth / targets.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network(vocabulary, vectors, settings)
        table = network.words.weight
        others = [p for p in network.parameters() if p is not table]
        # Word vectors know more than this data can teach them: they move slower.
        rates = [settings.lr / 2, settings.lr]
        groups: list[dict[str, Any]] = [{"params": [table]}, {"params": others}]
        optimizer = torch.optim.AdamW(groups, settings.lr, weight_decay=settings.weight_decay)
        steps = -(-len(lines) // settings.batch_size) * settings.epochs
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rates, total_steps=steps, pct_start=0.2
        )
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(lines)).split(settings.batch_size):
                seen, hashed = _cut(words[rows]).clone(), _cut(grams[rows])
                seen[torch.rand(seen.shape) < settings.forget] = 0
                loss = cross_entropy(network(seen, hashed)[0], targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return network.eval(), vocabulary


def _cut(rows: Tensor) -> Tensor:
    """Without the columns that are 0 in every row."""
    return rows[:, : max(1, int((rows > 0).sum(1).max()))]


@torch.no_grad()
def logits_of(network: FerCbamText, vocabulary: Vocabulary, lines: TextLines) -> Tensor:
    """float32 ``(N, K)``."""
    words, grams, _ = features(vocabulary, lines)
    parts = [network(_cut(words[rows]), _cut(grams[rows]))[0]
             for rows in torch.arange(len(lines)).split(512)]  # fmt: skip
    return torch.cat(parts)


def temperature(logits: Tensor, targets: Tensor) -> float:
    """Of least cross-entropy."""
    log = torch.zeros((), requires_grad=True)
    minimise(lambda: cross_entropy(logits / log.exp(), targets), [log])
    return float(log.detach().exp())


def export(network: FerCbamText) -> onnx.ModelProto:
    """The graph, its weights under the names of the state_dict."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / pretrained.GRAPH_FILE
        example = torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 7, dtype=torch.int64)
        torch.onnx.export(
            network, example, path, input_names=["words", "grams"],
            output_names=["logits", "tokens"],
            dynamic_axes={"words": {0: "batch", 1: "words"}, "grams": {0: "batch", 1: "grams"},
                          "logits": {0: "batch"}, "tokens": {0: "batch"}},
            opset_version=OPSET, training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False, dynamo=False,
        )  # fmt: skip
        graph = onnx.load(path)
    give_values(graph, network.state_dict())
    onnx.checker.check_model(graph, full_check=True)
    return graph


CARD = """---
license: apache-2.0
language: en
library_name: fer-cbam
---

# Model card: `{name}`

`fer_cbam.text.TextReader` opens these weights. Labels: {labels}. Trained on {source} by
`python -m train.fusion.text`; word vectors start from GloVe (public domain).

For lines that people say or write, in English. Irony and what was said before are beyond it, and
the mix of feelings of forum comments is not that of other places. No basis for a decision about a
person.

Of the test parts, and of MELD as another domain:

<!-- numbers:text -->
Not measured yet.
<!-- /numbers -->
"""


def save(
    network: FerCbamText, vocabulary: Vocabulary, folder: Path, temperature: float,
    prior: np.ndarray, source: str,
) -> None:  # fmt: skip
    """A folder of weights, in 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / pretrained.WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / pretrained.WEIGHTS_FILE).chmod(0o644)  # safetensors writes for its owner only
    (folder / VOCABULARY_FILE).write_text("\n".join(vocabulary.words) + "\n", encoding="utf-8")
    args = {"num_words": len(vocabulary.words) + vocabulary.unknown,
            "num_grams": vocabulary.grams, "dim": network.words.embedding_dim,
            "width": network.convs[0].out_channels}  # fmt: skip
    pretrained.write_config(folder, {
        "architecture": ARCHITECTURE, "num_classes": len(LABELS), "label_names": list(LABELS),
        "model_args": args, "temperature": round(temperature, 4),
        "prior": {label: round(float(p), 6) for label, p in zip(LABELS, prior, strict=True)},
        "training": {"data": source, "language": "en"},
        "pretrained_cfg": {"num_classes": len(LABELS), "license": "apache-2.0"},
    })  # fmt: skip
    card = CARD.format(name=folder.name, labels=", ".join(LABELS), source=source)
    (folder / "README.md").write_text(card, encoding="utf-8")
    graph = without_weights(export(network), set(state))
    (folder / pretrained.GRAPH_FILE).write_bytes(graph.SerializeToString())


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="GoEmotions, a folder or zip")
    parser.add_argument("--vectors", required=True, type=Path, help="GloVe's, a text file")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    parts = read_goemotions(args.data)
    network, vocabulary = fit(parts["train"], read_vectors(args.vectors), Settings())
    targets = torch.from_numpy(parts["dev"].targets)
    logits = logits_of(network, vocabulary, parts["dev"])
    chosen = temperature(logits, targets / targets.sum(1, keepdim=True))
    prior = parts["train"].targets.sum(0) / parts["train"].targets.sum()
    save(network, vocabulary, args.out, chosen, prior, "GoEmotions")
    single = parts["dev"].single()
    right = logits.argmax(1).numpy() == parts["dev"].targets.argmax(1)
    print(f"{args.out}: {right[single].mean():.1%} of the dev part's comments with one label, "
          f"temperature {chosen:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
