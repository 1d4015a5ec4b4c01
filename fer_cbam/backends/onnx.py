""":class:`~fer_cbam.backends.base.Backend` on ONNX Runtime, without torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_cbam import pretrained
from fer_cbam.backends.base import Forward
from fer_cbam.backends.batched import concatenated
from fer_cbam.backends.known_graphs import filled_up, known_graph
from fer_cbam.backends.names import ATTENTION, CONFIG_KEY, EMBEDDING, GRADCAM, INPUT, LOGITS
from fer_cbam.errors import WeightsError
from fer_cbam.forks import renew_in_children
from fer_cbam.hub import resolve
from fer_cbam.onnx_session import open_session
from fer_cbam.preprocess import Preprocess

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


LEAST_PART = 2  # faces that are worth a thread


class OnnxBackend:
    """Runs weights on ONNX Runtime; see :class:`~fer_cbam.backends.base.Backend`.

    One core runs a face: more of them on so small a network wait for each other. A batch is split
    between ``threads`` of them.
    """

    device = "cpu"

    def __init__(
        self, session: InferenceSession, config: dict[str, Any], name: str, weights_file: Path,
        threads: int,
    ):  # fmt: skip
        self._session = session
        self.preprocess = Preprocess.from_config(config)
        self.label_names = pretrained.label_names(config)
        self.name = name
        self.config = config
        self.weights_file = weights_file
        self._threads = threads
        self.after_fork()
        renew_in_children(self)
        self._outputs = [output.name for output in session.get_outputs()]

    @classmethod
    def load(
        cls, source: str | Path, int8: bool = False, threads: int | None = None
    ) -> OnnxBackend:
        """Open weights; sources as in :func:`fer_cbam.hub.resolve`. A folder without ``model.onnx``
        is read with the package's own graph, see :mod:`fer_cbam.backends.known_graphs`.

        int8: the quantised network. threads: for a batch, by default as many as there are cores.

        Raises:
            WeightsError: no such network, a damaged one, or one that does not fit its config.json.
        """
        folder = resolve(source)
        config = pretrained.read_config(folder)
        path = folder / (pretrained.INT8_FILE if int8 else pretrained.GRAPH_FILE)
        weights_file = folder / pretrained.WEIGHTS_FILE
        outside = not int8 and weights_file.exists()
        if not path.is_file() and not outside:
            raise WeightsError(
                f"{path}: no such file; expected a folder made by 'fer-cbam export "
                f"--weights {source}{' --data FER2013' if int8 else ''}', which needs torch"
            )
        weights = pretrained.read_tensors(folder) if outside else {}
        opened = _open_own if path.is_file() else _open_known
        session = opened(path, config, weights)
        name = folder.name if folder.parent == pretrained.EMBEDDED else str(source)
        threads = threads or os.cpu_count() or 1
        return cls(session, config, name, weights_file if outside else path, threads)

    def after_fork(self) -> None:
        self._pool = ThreadPoolExecutor(self._threads, "onnx")  # starts none before it needs them

    def __reduce__(self) -> tuple[Any, ...]:
        """A session cannot be sent to another process: its files are opened again there."""
        int8 = self.weights_file.name == pretrained.INT8_FILE
        return (
            OnnxBackend.load,
            (self.weights_file.parent, int8, self._threads),
            {"name": self.name},
        )

    def forward(self, x: np.ndarray) -> Forward:
        parts = min(self._threads, len(x) // LEAST_PART)
        if parts < 2:
            return self._run(x)
        return concatenated(list(self._pool.map(self._run, np.array_split(x, parts))))

    def _run(self, x: np.ndarray) -> Forward:
        # ONNX Runtime reshapes no empty batch: one blank face is asked about, and left out.
        asked = x if len(x) else np.zeros((1, *x.shape[1:]), np.float32)
        values = [value[: len(x)] for value in self._session.run(self._outputs, {INPUT: asked})]
        found = dict(zip(self._outputs, values, strict=True))
        count = len(self.label_names)  # a known graph has more, see fer_cbam.backends.known_graphs
        return Forward(found[LOGITS][:, :count], found[GRADCAM][:, :count],
                       found.get(EMBEDDING), found.get(ATTENTION))  # fmt: skip


def _open_own(
    path: Path, config: Mapping[str, Any], weights: Mapping[str, np.ndarray]
) -> InferenceSession:
    """A session of the graph of a folder, which has to be the one that config.json speaks of."""
    session = _opened(path.read_bytes(), weights, f"{path}: damaged, or not for these weights")
    found = session.get_modelmeta().custom_metadata_map.get(CONFIG_KEY)
    expected = pretrained.graph_key(config)
    if found != expected:
        raise WeightsError(f"{path}: made for {found}; config.json expects {expected}")
    return session


def _open_known(
    path: Path, config: Mapping[str, Any], weights: Mapping[str, np.ndarray]
) -> InferenceSession:
    """A session of the package's own graph of an architecture, where there is none at the path."""
    folder = path.parent
    try:
        graph = known_graph(config, weights)
        filled = filled_up(weights, config, len(pretrained.label_names(config)))
    except WeightsError as error:
        raise WeightsError(f"{folder}: {error}, or a folder made by 'fer-cbam export', which needs "
                           "torch") from None  # fmt: skip
    return _opened(graph, filled, f"{folder / pretrained.WEIGHTS_FILE}: not the weights of "
                   f"{config['architecture']!r}")  # fmt: skip


def _opened(graph: bytes, weights: Mapping[str, np.ndarray], fault: str) -> InferenceSession:
    """fault: what is said where the two do not fit."""
    try:
        return open_session(graph, weights)
    except ImportError:  # onnxruntime is not installed
        raise
    except Exception as error:  # its classes have no base in common but this
        raise WeightsError(f"{fault} ({error})") from error
