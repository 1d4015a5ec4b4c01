"""The recurrent network of :mod:`fer_cbam.models.temporal`, a step at a time in NumPy: two matrix
products for a face and a frame, without torch and without ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_cbam import pretrained
from fer_cbam.decide import softmax
from fer_cbam.errors import WeightsError
from fer_cbam.smoothing.base import Seen, State
from fer_cbam.smoothing.cues import CUES
from fer_cbam.smoothing.filter import Filter

SHORTEST, LONGEST = 1e-3, 10.0  # seconds between two frames that are told apart
LOG_MIDDLE = -2.5  # logarithm of a twelfth of a second
LEAST = 1e-6  # probability


def features(seen: Seen) -> np.ndarray:
    """What the network is shown of a frame, float32 ``(K + C + D,)``: log-probabilities, cues, and
    the embedding.

    Raises:
        WeightsError: there is no embedding, or there are no cues.
    """
    if seen.embedding is None or seen.cues is None:
        raise WeightsError("a recurrent network needs the embedding and the cues of each frame; "
                           "expected a network that was exported with its embedding")  # fmt: skip
    logs = np.log(np.maximum(seen.probs, LEAST))
    return np.concatenate([logs, seen.cues, seen.embedding]).astype(np.float32)


class Recurrent:
    """See :class:`fer_cbam.smoothing.base.Smoother`. config, tensors: of a folder of weights. Where
    the config has ``filter`` (``prior``, ``rate``, ``anew``), the network is not shown what a frame
    says alone but what that filter says by then, and its state begins with the filter's.

    Raises:
        WeightsError: no recurrent network, one that reads clips backwards too, or tensors that do
            not fit each other.
    """

    name = "network"
    needs_cues = True
    softens = 1.0

    def __init__(self, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        architecture = config["architecture"]
        if architecture not in pretrained.RECURRENT:
            raise WeightsError(f"architecture {architecture!r}; expected one of "
                               f"{', '.join(pretrained.RECURRENT)}")  # fmt: skip
        if any(name.startswith("backwards.") for name in tensors):
            raise WeightsError(f"{architecture}: bidirectional; expected one that reads forwards")
        self.label_names = pretrained.label_names(config)
        self.config = config
        self.temperature = float(config.get("temperature", 1.0))
        self._lstm = architecture == "fer_cbam_lstm"
        self._filter = _filter_of(config, self.label_names)
        try:
            self._use(tensors)
        except KeyError as error:
            raise WeightsError(f"{architecture}: tensor {error} is missing") from error

    @classmethod
    def load(cls, folder: str | Path) -> Recurrent:
        """Read a folder of weights.

        Raises:
            WeightsError: missing, damaged, or no recurrent network.
        """
        config = pretrained.read_config(Path(folder))
        return cls(config, pretrained.read_tensors(Path(folder)))

    def _use(self, tensors: dict[str, np.ndarray]) -> None:
        own = tensors.__getitem__
        self._mean, self._scale = own("mean"), 1 / own("std")
        self._inputs = own("inputs.weight"), own("inputs.bias")
        self._own = own("forwards.input.weight"), own("forwards.input.bias")
        self._past = own("forwards.recurrent.weight"), own("forwards.recurrent.bias")
        self._fade = np.log1p(np.exp(own("forwards.fade")))
        self.state_size = len(self._fade)
        self._gate = own("gate.weight")[0], own("gate.bias")[0]
        self._fc = own("fc.weight"), own("fc.bias")
        self._hidden = self._past[0].shape[1]
        width, count = self._inputs[0].shape
        if self._mean.shape != (count - 1,) or self._own[0].shape[1] != width:
            raise WeightsError(f"inputs: {count} numbers for {len(self._mean)} features; expected "
                               "one more than features")  # fmt: skip
        embedding = count - 1 - len(self.label_names) - len(CUES)
        if embedding <= 0:
            raise WeightsError(f"inputs: {count - 1} numbers; expected log-probabilities, "
                               f"{len(CUES)} cues and an embedding")  # fmt: skip
        self.embedding_size = embedding

    def step(self, seen: Seen, seconds: float, state: State | None) -> tuple[np.ndarray, State]:
        belief: State = ()
        if self._filter is not None:
            before = None if state is None else state[: len(self.label_names)]
            probs, belief = self._filter.step(seen, seconds, before)
            seen = replace(seen, probs=probs)
        own = np.zeros(self.state_size) if state is None else state[len(belief) :]
        logits, new = self.logits(
            features(seen), 0.0 if state is None else seconds, np.asarray(own, np.float32)
        )
        return softmax(logits[None] / self.temperature)[0], (*belief, *new.tolist())

    def logits(
        self, x: np.ndarray, seconds: float, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """``features`` of a frame and the state ``(S,)``, zeros at first -> logits float32 ``(K,)``
        and the new state.

        Raises:
            WeightsError: an embedding of another length than it was trained on.
        """
        if x.shape != self._mean.shape:
            raise WeightsError(f"embedding of {len(x) - len(self._mean) + self.embedding_size} "
                               f"numbers; expected {self.embedding_size}")  # fmt: skip
        passed = np.float32(np.log(min(max(seconds, SHORTEST), LONGEST)) - LOG_MIDDLE)
        scaled = np.append((x - self._mean) * self._scale, passed)
        z = np.maximum(self._inputs[0] @ scaled + self._inputs[1], 0)
        state = state * np.exp(-np.float32(min(seconds, LONGEST)) * self._fade)
        new = self._cell(self._own[0] @ z + self._own[1], state)
        hidden = new[: self._hidden]
        share = _sigmoid(self._gate[0] @ hidden + self._gate[1])
        own = x[: len(self.label_names)]
        return self._fc[0] @ hidden + self._fc[1] + share * own, new

    def _cell(self, gates: np.ndarray, state: np.ndarray) -> np.ndarray:
        past = self._past[0] @ state[: self._hidden] + self._past[1]
        if self._lstm:
            i, f, g, o = np.split(gates + past, 4)
            c = _sigmoid(f) * state[self._hidden :] + _sigmoid(i) * np.tanh(g)
            return np.concatenate([_sigmoid(o) * np.tanh(c), c])
        n = self._hidden
        reset, kept = np.split(_sigmoid(gates[: 2 * n] + past[: 2 * n]), 2)
        new = np.tanh(gates[2 * n :] + reset * past[2 * n :])
        return np.asarray((1 - kept) * new + kept * state)


def _filter_of(config: dict[str, Any], labels: tuple[str, ...]) -> Filter | None:
    given = config.get("filter")
    if given is None:
        return None
    try:
        prior = np.array([given["prior"][label] for label in labels], np.float64)
        return Filter(labels, prior, float(given["rate"]), float(given["anew"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"filter: {given}; expected prior of each label, rate, anew") from error


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))  # does not overflow
