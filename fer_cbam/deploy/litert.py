"""Weights as files for LiteRT (once TensorFlow Lite), the runtime of phones.

Needs torch, litert-torch and ai-edge-quantizer. Two files come of the same network:

- ``model.tflite``: convolutions in int8, with a scale for each channel of their weights; the range
  of what they read is taken face by face, so that no images are needed to calibrate it. The rest
  stays in float32. For processors.
- ``model.fp16.tflite``: weights in 16 bits, for graphics processors, which compute with them.

Input and outputs are those of :mod:`fer_cbam.deploy.graph`, by the same names, for one face. What a
reader needs beside the network is packed into the file: a TFLite Metadata record, and behind it the
associated files ``config.json``, ``labels.txt`` and ``LICENSE.md`` as an uncompressed zip archive.
https://ai.google.dev/edge/litert/conversion/tensorflow/metadata
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import torch
from torch import Tensor, nn

import fer_cbam
from fer_cbam import pretrained
from fer_cbam.backends.base import Backend
from fer_cbam.backends.litert import LitertBackend
from fer_cbam.backends.names import ATTENTION, EMBEDDING, GRADCAM, INPUT, LOGITS
from fer_cbam.backends.torch import TorchBackend
from fer_cbam.data.base import Dataset
from fer_cbam.decide import Decision
from fer_cbam.deploy.folder import (
    JUDGING_SPLIT,
    LICENSE_FILE,
    Exported,
    check_new,
    compare,
    images,
    licence,
    write,
    write_config,
)
from fer_cbam.errors import WeightsError
from fer_cbam.hub import LoadedModel, load_model
from fer_cbam.models.class_maps import forward_explained, without_closed_form
from fer_cbam.models.fer_cbam import FerCbam

LABELS_FILE = "labels.txt"
METADATA_NAME, METADATA_IDENTIFIER = b"TFLITE_METADATA", b"M001"
LABELS_TYPE = 2  # TENSOR_AXIS_LABELS of AssociatedFileType
ALIGNMENT = 16  # bytes
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date of a zip archive: equal weights are equal files


class NamedNetwork(nn.Module):
    """``x`` -> the outputs by name."""

    def __init__(self, model: FerCbam):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = forward_explained(self.model, x)
        named = {LOGITS: found.logits, EMBEDDING: found.embedding, GRADCAM: found.class_maps}
        return named if found.attention is None else {**named, ATTENTION: found.attention}


def export_litert(source: str | Path, folder: Path, dataset: Dataset | None = None) -> Exported:
    """Write ``model.tflite``, ``model.fp16.tflite``, ``config.json`` and a licence.

    source: weights as in :func:`fer_cbam.hub.resolve`. dataset: FER2013 or FER+; with it accuracy,
    and agreement with torch, are measured on ``PublicTest``.

    Raises:
        WeightsError: the weights cannot be loaded, have a head of which Grad-CAM has no closed
            form, or the folder is one of weights itself.
        DataError: the data set has no such split.
    """
    check_new(folder)
    loaded = load_model(source)
    crops, labels = images(dataset, JUDGING_SPLIT)
    network = convert(loaded)
    record = {"format": "litert", "fer_cbam": fer_cbam.__version__, "answer": answer(loaded)}
    config = {**loaded.config, "export": record}
    associated = {
        pretrained.CONFIG_FILE: json.dumps(config, indent=2) + "\n",
        LABELS_FILE: "".join(f"{name}\n" for name in loaded.label_names),
        LICENSE_FILE: licence(loaded, "LiteRT"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((pretrained.LITERT_FILE, with_int8_convolutions(network)),
                          (pretrained.LITERT_FP16_FILE, with_fp16_weights(network))):  # fmt: skip
        write(folder / name, with_metadata(content, loaded, associated))
    write(folder / LICENSE_FILE, associated[LICENSE_FILE].encode())
    write_config(folder, config)
    backends: dict[str, Backend] = {
        "torch": TorchBackend(loaded, "cpu"),
        "litert": LitertBackend.load(folder, threads=1),
        "litert-fp16": LitertBackend.load(folder, fp16=True, threads=1),
    }
    files = {
        "torch": loaded.folder / pretrained.WEIGHTS_FILE,
        "litert": folder / pretrained.LITERT_FILE,
        "litert-fp16": folder / pretrained.LITERT_FP16_FILE,
    }
    return Exported(folder, compare(backends, files, crops, labels))


def answer(loaded: LoadedModel) -> dict[str, Any]:
    """The numbers between logits and an answer, as :class:`fer_cbam.decide.Decision` has them, in
    the order of the logits; the lift of a label that is never said is null."""
    decision = Decision.of(loaded.config, loaded.label_names)
    lift = [None if math.isinf(value) else value for value in decision.lift]
    return {**dataclasses.asdict(decision), "lift": lift}


def convert(loaded: LoadedModel) -> bytes:
    """The network as a float32 flatbuffer.

    Raises:
        WeightsError: a head of which Grad-CAM has no closed form.
    """
    if reason := without_closed_form(loaded.model):
        raise WeightsError(f"{loaded.name}: Grad-CAM: {reason}")
    import litert_torch

    x = torch.rand(1, *loaded.preprocess.input_size)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress, which is no answer of ours
        converted = litert_torch.convert(
            NamedNetwork(loaded.model).eval(), sample_kwargs={INPUT: x}
        )
        content: bytes = converted.model_content()
    return content


def with_int8_convolutions(network: bytes) -> bytes:
    """Weights of the convolutions in int8. Where all operations are, LiteRT cannot open the
    file."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    weights = qtyping.TensorQuantizationConfig(
        num_bits=8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE,
        dtype=qtyping.TensorDataType.INT,
    )  # fmt: skip
    how = qtyping.OpQuantizationConfig(
        weight_tensor_config=weights, compute_precision=qtyping.ComputePrecision.INTEGER
    )
    return _quantized(network, how, AlgorithmName.MIN_MAX_UNIFORM_QUANT, ["CONV_2D"])


def with_fp16_weights(network: bytes) -> bytes:
    """Weights in 16 bits, from which float32 is made where a processor has nothing smaller."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    how = qtyping.OpQuantizationConfig(
        weight_tensor_config=weights, compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )  # fmt: skip
    return _quantized(network, how, AlgorithmName.FLOAT_CASTING, ["CONV_2D", "FULLY_CONNECTED"])


def _quantized(network: bytes, how: Any, algorithm: Any, operations: list[str]) -> bytes:
    from ai_edge_quantizer import qtyping, quantizer

    made = quantizer.Quantizer(bytearray(network))
    for operation in operations:
        made.update_quantization_recipe(
            regex=".*", operation_name=qtyping.TFLOperationName(operation), op_config=how,
            algorithm_key=algorithm,
        )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        content = made.quantize().quantized_model
    if content is None:
        raise RuntimeError("ai-edge-quantizer gave no network")
    return bytes(content)


def with_metadata(network: bytes, loaded: LoadedModel, associated: Mapping[str, str]) -> bytes:
    """The same network with its TFLite Metadata, and the associated files behind it."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network))
    model.description = f"{loaded.name}, FER-CBAM {fer_cbam.__version__}"
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_metadata(loaded, associated), np.uint8)
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(_packed(model, network))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:  # readers expect it unpacked
        for name, content in associated.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
    return file.getvalue()


def _packed(model: Any, network: bytes) -> bytes:
    """A model of the object API as a file, its constants behind the flatbuffer: only there can they
    be aligned from Python. network: the file it was read from."""
    described = {entry.buffer for entry in model.metadata}
    constants = {}
    for index, buffer in enumerate(model.buffers):
        if buffer.offset > 1:  # behind the flatbuffer already
            constants[index] = network[buffer.offset : buffer.offset + buffer.size]
        elif buffer.data is not None and len(buffer.data) and index not in described:
            constants[index] = bytes(buffer.data)
            buffer.data = None
    content = b""
    for _ in range(2):  # the first time to learn how long the flatbuffer is
        place = _aligned(len(content))
        for index, constant in constants.items():
            model.buffers[index].offset, model.buffers[index].size = max(place, 2), len(constant)
            place = _aligned(place + len(constant))
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        content = bytes(builder.Output())
    for index, constant in constants.items():
        content = content.ljust(model.buffers[index].offset, b"\0") + constant
    return content


def _aligned(place: int) -> int:
    """The next place that LiteRT's kernels can read from."""
    return -(-place // ALIGNMENT) * ALIGNMENT


def _metadata(loaded: LoadedModel, associated: Mapping[str, str]) -> bytes:
    """ModelMetadata of
    https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs,
    of which no package that is needed here brings the Python classes."""
    builder = flatbuffers.Builder(4096)
    files = []
    for name in associated:
        text = builder.CreateString(name)
        builder.StartObject(5)  # AssociatedFile: name, description, type, locale, version
        builder.PrependUOffsetTRelativeSlot(0, text, 0)
        builder.PrependInt8Slot(2, LABELS_TYPE if name == LABELS_FILE else 0, 0)
        files.append(builder.EndObject())
    builder.StartVector(4, len(files), 4)
    for file in reversed(files):
        builder.PrependUOffsetTRelative(file)
    listed = builder.EndVector()
    # By their place in the table: 3 would be what is said of each tensor, which config.json says.
    strings = {
        0: loaded.name,
        1: "Facial expressions from an aligned crop of a face. config.json says how the input is "
           "made, and what of the logits the answer is made of.",
        2: fer_cbam.__version__,
        5: associated[LICENSE_FILE],
        7: "1.0.0",  # the oldest parser that reads this
    }  # fmt: skip
    offsets = {slot: builder.CreateString(text) for slot, text in strings.items()}
    builder.StartObject(8)
    for slot, offset in {**offsets, 6: listed}.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject(), METADATA_IDENTIFIER)
    return bytes(builder.Output())
