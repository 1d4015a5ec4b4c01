"""Networks for voices and words whose last layer always says the same, as folders of weights. All
before it is as it is made, so that sound and words go through real graphs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

# Before all that imports torch: whoever needs these networks is skipped where they cannot be made.
timm = pytest.importorskip("timm", reason="timm is not installed: it makes the weights")
import torch  # noqa: E402

from fer_cbam import hub  # noqa: E402
from fer_cbam.data.lines import LABELS as TEXT_LABELS  # noqa: E402
from fer_cbam.deploy.voice import add_voice_graph  # noqa: E402
from fer_cbam.models.prosody import LABELS as VOICE_LABELS  # noqa: E402
from fer_cbam.models.text import FerCbamText  # noqa: E402
from fer_cbam.text import Vocabulary  # noqa: E402
from train.fusion.text import save  # noqa: E402


def write_voice(folder: Path, label: str, prob: float, reliability: float = 1.0) -> Path:
    """Says ``label`` with a probability, and all others alike."""
    model = timm.create_model("fer_cbam_prosody").eval()
    _say(model.get_classifier(), VOICE_LABELS.index(label), prob)
    extra = {"temperature": 1.0, "reliability": reliability}
    hub.save_model(model, folder, VOICE_LABELS, extra, torch.float16)
    add_voice_graph(folder)
    return folder


def write_text(folder: Path, label: str, prob: float) -> Path:
    """Says ``label`` with a probability; knows the words "well", "that", "is" and "great"."""
    vocabulary = Vocabulary(("well", "that", "is", "great"), unknown=4, grams=100)
    network = FerCbamText(num_words=8, num_grams=100, dim=4, width=4).eval()
    _say(network.fc, TEXT_LABELS.index(label), prob)
    count = len(TEXT_LABELS)
    save(network, vocabulary, folder, 1.0, np.full(count, 1 / count), "nothing")
    return folder


def _say(layer: torch.nn.Linear, place: int, prob: float) -> None:
    others = layer.out_features - 1
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.bias[place] = math.log(prob / (1 - prob) * others)
