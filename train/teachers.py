"""Teachers of a stage: weights of one head, an earlier stage of all heads, or a foreign network.

Where the processor multiplies no matrices in bfloat16, weights are asked in int8, which is
faster and hardly changes an answer.
"""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

import fer_cbam
from eval.predict import training_record
from fer_cbam import pretrained
from fer_cbam.backends.names import INPUT, LOGITS
from fer_cbam.deploy.graph import build
from fer_cbam.deploy.int8 import quantize
from fer_cbam.errors import FerError
from fer_cbam.hub import LoadedModel, load_model
from fer_cbam.models.cbam import NormalizedSpatialAttention
from fer_cbam.models.fer_cbam import ConvNormAct
from fer_cbam.onnx_session import open_session
from fer_cbam.preprocess import Preprocess
from fer_cbam.prior import logit_offset
from train.examples import Source
from train.precision import has_bf16
from train.task import Teacher

OPENVINO = ".xml"  # how the name of such a network ends
OPENVINO_FOLDER = "FER_CBAM_TEACHERS"  # the environment variable
RETAIL = ("neutral", "happiness", "sadness", "surprise", "anger")  # its outputs, in this order
RANGE_IMAGES = 256  # from which the ranges of int8 are taken


@contextmanager
def weights_of(name: str) -> Iterator[str]:
    """Where weights lie: the name itself, or a folder for ``<arch>.<tag>@<commit>``, embedded
    weights as an earlier commit of this repository holds them.

    Raises:
        FerError: git, the commit, or the weights in it are not there.
    """
    weights, at, commit = name.partition("@")
    if not at or weights not in pretrained.embedded_names():
        yield name
        return
    root = Path(fer_cbam.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / weights
        place.mkdir()
        for file in (pretrained.CONFIG_FILE, pretrained.WEIGHTS_FILE):
            spec = f"{commit}:./{(pretrained.EMBEDDED / weights / file).relative_to(root)}"
            try:
                run = subprocess.run(["git", "show", spec], cwd=root, capture_output=True)
            except OSError as error:
                raise FerError(f"{name}: git cannot be run ({error})") from error
            if run.returncode:
                raise FerError(f"{name}: {run.stderr.decode(errors='replace').strip()}; expected "
                               "a clone with its history")  # fmt: skip
            (place / file).write_bytes(run.stdout)
        yield str(place)


def teacher_of_weights(
    source: Source, weights: str, student: Preprocess, device: torch.device
) -> Teacher:
    """Weights as the teacher of the head whose labels they were trained on.

    weights: as ``--weights`` of eval takes them, ``<arch>.<tag>@<commit>``, or a network of
    OpenVINO, ``<name>.xml``, in the folder ``FER_CBAM_TEACHERS``.

    Raises:
        FerError: no head has these labels, or the teacher sees other images than its student.
        WeightsError: they are missing or damaged, or do not say what they were trained on.
    """
    if weights.endswith(OPENVINO):
        position = _head_of(source, weights, lambda _, labels: set(labels) == set(RETAIL))
        foreign = OpenVinoNetwork(_openvino_file(weights), source.label_names[position])
        return Teacher(foreign, [position], [len(RETAIL)], torch.zeros(len(RETAIL)))
    with weights_of(weights) as place:
        loaded = load_model(place)
        _check_pixels(loaded, student)
        key = (training_record(loaded)["data"], loaded.label_names)
        position = _head_of(source, f"{weights}, labels of {', '.join(key[1])}",
                            lambda *head: head == key)  # fmt: skip
        offset = logit_offset(loaded.config, loaded.label_names)
        added = torch.tensor([offset[label] for label in loaded.label_names])
        network = folded(loaded.model) if has_bf16(device) else in_int8(loaded, source, student)
    return Teacher(network, [position], [len(loaded.label_names)], added)


def _head_of(source: Source, teacher: str, fits: Callable[[str, tuple[str, ...]], bool]) -> int:
    for position, head in enumerate(zip(source.names, source.label_names, strict=True)):
        if fits(*head):
            return position
    raise FerError(f"teacher {teacher}: expected the labels of a head: {', '.join(source.names)}")


class OnnxNetwork(nn.Module):
    """Logits of an ONNX network, on one thread of the processor: ``(B, C, H, W)`` -> ``(B, K)``."""

    file_digest: Tensor

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._session = open_session(content, None)
        digest = torch.frombuffer(bytearray(hashlib.sha256(content).digest()), dtype=torch.uint8)
        self.register_buffer("file_digest", digest)  # so that other weights have another name

    def forward(self, x: Tensor) -> Tensor:
        given = np.ascontiguousarray(x.float().numpy())
        return torch.from_numpy(self._session.run([LOGITS], {INPUT: given})[0])


def in_int8(loaded: LoadedModel, source: Source, preprocess: Preprocess) -> OnnxNetwork:
    """Weights as an int8 network, the ranges of its activations from the first training faces."""
    faces = [s.pixels for s in source.faces.samples[:RANGE_IMAGES]]
    return OnnxNetwork(quantize(build(loaded), preprocess(faces)).SerializeToString())


class OpenVinoNetwork(nn.Module):
    """Log-probabilities of Open Model Zoo's ``emotions-recognition-retail-0003``, on one thread.

    https://docs.openvino.ai/2023.3/omz_models_model_emotions_recognition_retail_0003.html: BGR
    ``(B, 3, 64, 64)``, 0 to 255. Called with grey faces ``(B, 1, H, W)`` in [0, 1]; gives
    ``(B, 5)``, in the order of label_names.
    """

    file_digest: Tensor

    def __init__(self, path: Path, label_names: Sequence[str]) -> None:
        import openvino  # not needed by anything that is installed with the package

        super().__init__()
        core = openvino.Core()
        network = core.read_model(path)
        network.reshape([-1, 3, 64, 64])
        self._compiled = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": 1})
        self._order = [RETAIL.index(label) for label in label_names]
        content = path.with_suffix(".bin").read_bytes()
        digest = torch.frombuffer(bytearray(hashlib.sha256(content).digest()), dtype=torch.uint8)
        self.register_buffer("file_digest", digest)

    def forward(self, x: Tensor) -> Tensor:
        size = F.interpolate(x.float(), (64, 64), mode="bilinear", align_corners=False)
        given = (255 * size.clamp(0, 1)).expand(-1, 3, -1, -1).contiguous().numpy()
        probs = torch.from_numpy(self._compiled(given)[0]).flatten(1)[:, self._order]
        return probs.clamp_min(1e-6).log()


def _openvino_file(name: str) -> Path:
    folder = os.environ.get(OPENVINO_FOLDER, "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        raise FerError(f"{OPENVINO_FOLDER}={folder!r} has no {name}; expected the folder of a "
                       "network from OpenVINO's Open Model Zoo")  # fmt: skip
    return path


def teacher_of_stage(source: Source, model: nn.Module) -> Teacher:
    """A network that was trained in an earlier stage, as the teacher of all heads."""
    sizes = [len(labels) for labels in source.label_names]
    return Teacher(folded(model), range(len(sizes)), sizes, torch.zeros(sum(sizes)))


def folded(model: nn.Module) -> nn.Module:
    """A copy for inference, a fifth faster: BatchNorm is in the convolution before it, and ReLU
    writes where it reads."""
    model = copy.deepcopy(model).eval()
    for block in model.modules():
        if isinstance(block, nn.ReLU):
            block.inplace = True
        if isinstance(block, ConvNormAct | NormalizedSpatialAttention):
            block.conv = fuse_conv_bn_eval(block.conv, block.norm)
            block.register_module("norm", nn.Identity())
    return model


def _check_pixels(teacher: LoadedModel, student: Preprocess) -> None:
    theirs, ours = ((p.input_size, p.mean, p.std) for p in (teacher.preprocess, student))
    if theirs != ours:
        raise FerError(f"{teacher.name}: sees images as input_size, mean, std {theirs}; expected "
                       f"those of its student, {ours}")  # fmt: skip


def digest(module: nn.Module) -> str:
    """A name for the values in a module: other weights, another name."""
    value = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        value.update(name.encode())
        value.update(tensor.contiguous().numpy().tobytes())
    return value.hexdigest()[:16]
