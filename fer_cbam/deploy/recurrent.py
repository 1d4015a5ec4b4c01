"""The step of a network that answers over time, for ONNX Runtime or LiteRT. Needs torch, and onnx
or litert-torch.

Inputs, float32: ``x`` ``(B, D)``, what was seen of B faces as
:func:`fer_cbam.smoothing.recurrent.features` has it; ``seconds`` ``(B,)`` since the last frame of
each, 0 for a new one; ``state`` ``(B, S)``, zeros at first. Outputs: ``logits`` ``(B, K)``, to be
divided by the ``temperature`` of config.json before the softmax, and ``new_state`` ``(B, S)``. For
LiteRT B is 1. Where config.json has a ``filter``, the probabilities in ``x`` are what that says by
then, see :class:`fer_cbam.smoothing.recurrent.Recurrent`; the filter is no part of the step.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import timm
import torch
from torch import Tensor, nn

import fer_cbam
import fer_cbam.models
from fer_cbam import pretrained
from fer_cbam.backends.names import LOGITS
from fer_cbam.deploy.folder import Exported, Variant, check_new, write, write_config
from fer_cbam.errors import WeightsError
from fer_cbam.hub import resolve
from fer_cbam.models.temporal import FerCbamRecurrent
from fer_cbam.onnx_session import open_session
from fer_cbam.smoothing.cues import CUES
from fer_cbam.smoothing.recurrent import Recurrent

INPUTS = ("x", "seconds", "state")
NEW_STATE = "new_state"
OPSET = 17
ROUNDS = 300  # steps that are timed


class Step(nn.Module):
    """One step of a recurrent network, by the names above."""

    def __init__(self, model: FerCbamRecurrent):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, seconds: Tensor, state: Tensor) -> dict[str, Tensor]:
        logits, new_state = self.model.step(x, seconds, state)
        return {LOGITS: logits, NEW_STATE: new_state}


class _Ordered(nn.Module):
    """The same as a tuple, which the exporter to ONNX takes."""

    def __init__(self, step: Step):
        super().__init__()
        self.step = step

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.step(*inputs).values())


def export_step(source: str | Path, folder: Path, form: str = "onnx") -> Exported:
    """Write ``model.onnx`` or ``model.tflite``, and ``config.json``.

    source: weights of a recurrent network, as in :func:`fer_cbam.hub.resolve`. form: "onnx" or
    "litert".

    Raises:
        WeightsError: the weights cannot be loaded or are of another kind, or the folder is one of
            weights itself.
    """
    check_new(folder)
    weights = resolve(source)
    smoother = Recurrent.load(weights)  # or it says why not
    model = cast(FerCbamRecurrent, timm.create_model(f"local-dir:{weights}", pretrained=True))
    model.eval().requires_grad_(False)
    content = _onnx(model) if form == "onnx" else _litert(model)
    name = pretrained.GRAPH_FILE if form == "onnx" else pretrained.LITERT_FILE
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / name, content)
    read = [*(f"log p({label})" for label in smoother.label_names), *CUES,
            f"embedding of {smoother.config['reads']['weights']}"]  # fmt: skip
    record: dict[str, Any] = {"format": form, "fer_cbam": fer_cbam.__version__, "x": read,
                              "state_size": model.state_size}  # fmt: skip
    write_config(folder, {**smoother.config, "export": record})
    inputs = made_up_inputs(model)
    runs = {"torch": torch_step(model), "numpy": numpy_step(smoother),
            form: onnx_step(content) if form == "onnx" else litert_step(content)}  # fmt: skip
    _check_alike(runs, inputs)
    size = (weights / pretrained.WEIGHTS_FILE).stat().st_size
    sizes = {"torch": size, "numpy": size, form: len(content)}
    variants = (Variant(kind, sizes[kind], _milliseconds(run, inputs), None, None)
                for kind, run in runs.items())  # fmt: skip
    return Exported(folder, tuple(variants))


Inputs = tuple[np.ndarray, np.ndarray, np.ndarray]
Run = Callable[[Inputs], tuple[np.ndarray, np.ndarray]]


def made_up_inputs(model: FerCbamRecurrent, seed: int = 0) -> Inputs:
    """Of one face, in the middle of a clip: x, seconds and state."""
    rng = np.random.default_rng(seed)
    mean, std = model.mean.numpy(), model.std.numpy()
    x = (mean + std * rng.normal(size=(1, len(mean)))).astype(np.float32)
    state = rng.uniform(-1, 1, (1, model.state_size)).astype(np.float32)
    return x, rng.uniform(0.02, 0.3, 1).astype(np.float32), state


def torch_step(model: FerCbamRecurrent) -> Run:
    def run(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            logits, state = model.step(*map(torch.from_numpy, inputs))
        return logits.numpy(), state.numpy()

    return run


def numpy_step(smoother: Recurrent) -> Run:
    def run(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        (x,), (seconds,), (state,) = inputs
        logits, new_state = smoother.logits(x, float(seconds), state)
        return logits[None], new_state[None]

    return run


def onnx_step(network: bytes) -> Run:
    session = open_session(network)

    def run(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        given = dict(zip(INPUTS, inputs, strict=True))
        logits, state = session.run([LOGITS, NEW_STATE], given)
        return np.asarray(logits), np.asarray(state)

    return run


def litert_step(network: bytes) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=network, num_threads=1).get_signature_runner()

    def run(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        found = runner(**dict(zip(INPUTS, inputs, strict=True)))
        return found[LOGITS], found[NEW_STATE]

    return run


def _onnx(model: FerCbamRecurrent) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / pretrained.GRAPH_FILE
        warnings.simplefilter("ignore")  # of the exporter through TorchScript that it is the older
        torch.onnx.export(
            _Ordered(Step(model)).eval(), tuple(map(torch.from_numpy, made_up_inputs(model))), path,
            input_names=list(INPUTS), output_names=[LOGITS, NEW_STATE],
            dynamic_axes={name: {0: "batch"} for name in (*INPUTS, LOGITS, NEW_STATE)},
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
        graph = onnx.load(path)
    for node in graph.graph.node:
        node.ClearField("doc_string")  # where on this machine the line of code stands
    onnx.checker.check_model(graph, full_check=True)
    content: bytes = graph.SerializeToString()
    return content


def _litert(model: FerCbamRecurrent) -> bytes:
    import litert_torch

    given = dict(zip(INPUTS, map(torch.from_numpy, made_up_inputs(model)), strict=True))
    with contextlib.redirect_stdout(io.StringIO()):  # its progress, which is no answer of ours
        content: bytes = litert_torch.convert(
            Step(model).eval(), sample_kwargs=given
        ).model_content()
    return content


def _check_alike(runs: dict[str, Run], inputs: Inputs) -> None:
    """A converter that made another network is found here and not on a phone."""
    found = {name: np.concatenate(run(inputs), axis=1) for name, run in runs.items()}
    first = found["torch"]
    for name, values in found.items():
        if not np.allclose(values, first, atol=1e-4):
            raise WeightsError(f"{name}: its step differs from torch's by "
                               f"{np.abs(values - first).max():.2g}; expected 1e-4")  # fmt: skip


def _milliseconds(run: Run, inputs: Inputs) -> float:
    taken = []
    for turn in range(ROUNDS + 10):
        started = time.perf_counter()
        run(inputs)
        if turn >= 10:  # the first warm up
            taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)
