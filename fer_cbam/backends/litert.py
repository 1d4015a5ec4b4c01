""":class:`~fer_cbam.backends.base.Backend` on LiteRT (once TensorFlow Lite), without torch."""

from __future__ import annotations

import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_cbam import pretrained
from fer_cbam.backends.base import Forward
from fer_cbam.backends.batched import concatenated
from fer_cbam.backends.known_litert import known_network
from fer_cbam.backends.names import ATTENTION, EMBEDDING, GRADCAM, INPUT, LOGITS
from fer_cbam.errors import WeightsError
from fer_cbam.forks import renew_in_children
from fer_cbam.hub import resolve
from fer_cbam.preprocess import Preprocess

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


class LitertBackend:
    """Runs weights on LiteRT; see :class:`~fer_cbam.backends.base.Backend`.

    The network takes one face at a time, on one core. A batch is shared out to ``threads`` of them,
    each with an interpreter of its own: one may not be used by two threads at once.
    """

    device = "cpu"

    def __init__(
        self, network: bytes, config: dict[str, Any], name: str, weights_file: Path, threads: int
    ):
        self._network = network
        self.preprocess = Preprocess.from_config(config)
        self.label_names = pretrained.label_names(config)
        self.name = name
        self.config = config
        self.weights_file = weights_file
        self._threads = threads
        self.after_fork()
        renew_in_children(self)
        first = self._interpreter()
        signature = first.get_signature_runner()
        self._input = int(signature.get_input_details()[INPUT]["index"])
        found = signature.get_output_details()
        self._outputs = {name: int(output["index"]) for name, output in found.items()}
        self._free.put(first)

    @classmethod
    def load(
        cls, source: str | Path, fp16: bool = False, threads: int | None = None
    ) -> LitertBackend:
        """Open weights; sources as in :func:`fer_cbam.hub.resolve`. A folder without a network of
        ``fer-cbam export --format litert`` is read with the package's own in int8, see
        :mod:`fer_cbam.backends.known_litert`.

        fp16: the network with weights of 16 bits in place of the int8 one, which only an export
        has. threads: for a batch, by default as many as there are cores.

        Raises:
            WeightsError: no such network, a damaged one, or one that does not fit its config.json.
        """
        folder = resolve(source)
        config = pretrained.read_config(folder)
        path = folder / (pretrained.LITERT_FP16_FILE if fp16 else pretrained.LITERT_FILE)
        weights_file = folder / pretrained.WEIGHTS_FILE
        if path.is_file():
            _check_fits(path, config)
            network = path.read_bytes()
        elif fp16 or not weights_file.is_file():
            raise WeightsError(
                f"{path}: no such file; expected a folder made by 'fer-cbam export "
                f"--format litert --weights {source}'"
            )
        else:
            path, network = weights_file, _known(folder, config)
        name = folder.name if folder.parent == pretrained.EMBEDDED else str(source)
        threads = threads or os.cpu_count() or 1
        try:
            return cls(network, config, name, path, threads)
        except (ValueError, RuntimeError, KeyError) as error:  # LiteRT's own, or a missing output
            raise WeightsError(
                f"{path}: damaged, or not a network of FER-CBAM ({error})"
            ) from error

    def after_fork(self) -> None:
        self._pool = ThreadPoolExecutor(self._threads, "litert")  # starts none before it needs them
        self._free: SimpleQueue[Interpreter] = SimpleQueue()

    def __reduce__(self) -> tuple[Any, ...]:
        """An interpreter cannot be sent to another process: its file is opened again there."""
        fp16 = self.weights_file.name == pretrained.LITERT_FP16_FILE
        return (
            LitertBackend.load,
            (self.weights_file.parent, fp16, self._threads),
            {"name": self.name},
        )

    def forward(self, x: np.ndarray) -> Forward:
        if not len(x):  # nothing to run, but arrays of the right shape
            return _rows(self._run(np.zeros((1, *x.shape[1:]), np.float32)), 0)
        parts = min(self._threads, len(x))
        if parts < 2:
            return self._run(x)
        return concatenated(list(self._pool.map(self._run, np.array_split(x, parts))))

    def _run(self, x: np.ndarray) -> Forward:
        """One or more faces, one after the other."""
        try:
            interpreter = self._free.get_nowait()
        except Empty:
            interpreter = self._interpreter()
        found: dict[str, list[np.ndarray]] = {name: [] for name in self._outputs}
        for face in x:
            interpreter.set_tensor(self._input, face[None])
            interpreter.invoke()
            for name, index in self._outputs.items():
                found[name].append(interpreter.get_tensor(index)[0])
        self._free.put(interpreter)  # not after an error: it may be half done
        values = {name: np.stack(rows) for name, rows in found.items()}
        return Forward(values[LOGITS], values[GRADCAM], values[EMBEDDING], values.get(ATTENTION))

    def _interpreter(self) -> Interpreter:
        from ai_edge_litert.interpreter import Interpreter

        made = Interpreter(model_content=self._network, num_threads=1)
        made.allocate_tensors()
        return made


def _known(folder: Path, config: dict[str, Any]) -> bytes:
    """The package's own network, with the weights of a folder that has none."""
    try:
        return known_network(config, pretrained.read_tensors(folder))
    except WeightsError as error:
        raise WeightsError(
            f"{folder}: {error}, or a folder made by 'fer-cbam export --format litert'"
        ) from None


def _check_fits(path: Path, config: dict[str, Any]) -> None:
    """Hold the config.json that is packed into a network against the one beside it."""
    try:
        with zipfile.ZipFile(path) as packed:
            found = pretrained.graph_key(json.loads(packed.read(pretrained.CONFIG_FILE)))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise WeightsError(
            f"{path}: damaged, or not made by 'fer-cbam export' ({error})"
        ) from error
    expected = pretrained.graph_key(config)
    if found != expected:
        raise WeightsError(f"{path}: made for {found}; config.json expects {expected}")


def _rows(forward: Forward, count: int) -> Forward:
    """The first rows of everything."""
    gate, embedding = forward.attention, forward.embedding
    return Forward(
        forward.logits[:count], forward.class_maps[:count],
        None if embedding is None else embedding[:count], None if gate is None else gate[:count],
    )  # fmt: skip
