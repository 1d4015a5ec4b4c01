"""Make the networks that ``fer_cbam/backends/known_litert.py`` fills with weights. Needs
``pip install '.[litert-export]'``.

    python -m tools.known_litert fer_cbam/backends/graphs

Each is converted from random weights, as ``fer-cbam export --format litert`` does it, and each of
its constants is looked for among what those weights and their BatchNorms make. What a second
conversion with other weights has as well is a constant of the network. What the number of classes
changes is found with another number of them. To be run again when an architecture changes; a test
compares what torch and these files say.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import timm
import torch

import fer_cbam  # noqa: F401  (registers the models)
from fer_cbam.backends.known_graphs import MOST_CLASSES
from fer_cbam.backends.known_litert import SUFFIXES, Recipe, quantised
from fer_cbam.deploy.litert import convert, with_int8_convolutions
from fer_cbam.hub import LoadedModel
from fer_cbam.preprocess import Preprocess
from tools.known_graphs import GRAPHS

#: `fer_cbam_paper` is left out: its head of two layers behind a flat map is converted in minutes.
NETWORKS = [name for name in GRAPHS if not name.startswith("fer_cbam_paper")]
ALIGNMENT = 16  # bytes
Weights = Mapping[str, np.ndarray]


def converted(name: str, count: int, seed: int) -> tuple[Any, Weights]:
    """A network with random weights in LiteRT's object API, its constants in it; and the
    weights."""
    from ai_edge_litert import schema_py_generated as schema

    architecture, options = GRAPHS[name]
    torch.manual_seed(seed)
    model = timm.create_model(architecture, num_classes=count, **options).eval()
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if tensor.ndim < 2 else tensor.normal_(0, 0.05)
    model.requires_grad_(False)
    config = {"architecture": architecture, "pretrained_cfg": dict(model.pretrained_cfg)}
    labels = tuple(map(str, range(count)))
    loaded = LoadedModel(model, Preprocess(), labels, name, Path(), config)
    content = with_int8_convolutions(convert(loaded))
    made = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for buffer in made.buffers:
        if buffer.offset > 1:  # behind the flatbuffer
            whole = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data, buffer.offset, buffer.size = np.frombuffer(whole, np.uint8), 0, 0
    for i, tensor in enumerate(made.subgraphs[0].tensors):
        tensor.name = b"%d" % i  # the signature has the names that count
    made.metadata = None
    return made, {key: value.numpy() for key, value in model.state_dict().items()}


def constants(model: Any) -> dict[int, Any]:
    """Number of a buffer -> its tensor, for buffers with values."""
    return {
        tensor.buffer: tensor
        for tensor in model.subgraphs[0].tensors
        if model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data)
    }


def values(model: Any, number: int, tensor: Any) -> np.ndarray:
    """A constant as float32 numbers; int8 ones as they are scaled."""
    dtype = {0: np.float32, 2: np.int32, 9: np.int8}[tensor.type]
    found = np.frombuffer(bytes(model.buffers[number].data), dtype).reshape(tensor.shape)
    if dtype is not np.int8:
        return found.astype(np.float32)
    scales = np.asarray(tensor.quantization.scale, np.float32)
    return found * scales.reshape(-1, *[1] * (found.ndim - 1))


def recipes(weights: Weights) -> Iterator[Recipe]:
    """Whatever the tensors can make."""
    norms = [key[: -len(".running_var")] for key in weights if key.endswith(".running_var")]
    for key, tensor in weights.items():
        own = (
            [n for n in norms if len(weights[f"{n}.weight"]) == len(tensor)] if tensor.ndim else []
        )
        if tensor.ndim == 4:
            kind = "depthwise" if tensor.shape[1] == 1 else "kernel"
            yield from (Recipe(key, norm, kind) for norm in [None, *own])
        elif key.endswith(".bias") and f"{key[:-5]}.running_var" not in weights:
            yield from (Recipe(key, norm, "shift") for norm in [None, *own])
        elif tensor.ndim == 2:
            yield from (Recipe(key, None, kind) for kind in ("matrix", "share"))
    yield from (Recipe(None, norm, "shift") for norm in norms)


def matching(
    found: np.ndarray, int8: bool, weights: Weights, all_recipes: list[Recipe]
) -> Recipe | None:
    """What makes these values."""
    for recipe in all_recipes:
        made = recipe.made(weights)
        if made.shape != found.shape:
            continue
        step: float = 1e-6 + 1e-5 * np.abs(made).max()
        if int8:
            numbers, scales = quantised(made)
            made = numbers * scales.reshape(-1, *[1] * (made.ndim - 1))
            step = scales.max()
        if np.abs(made - found).max() <= 1.001 * step:
            return recipe
    return None


def packed(model: Any, order: list[int], sizes: Mapping[int, int]) -> tuple[bytes, dict[int, int]]:
    """The flatbuffer alone with its constants to come behind it, and where each begins. sizes: of
    the room for each."""
    content, places = b"", {}
    for _ in range(2):  # the first time to learn how long the flatbuffer is
        at = -(-len(content) // ALIGNMENT) * ALIGNMENT
        for number in order:
            places[number] = max(at, 2)
            model.buffers[number].offset = places[number]
            at = -(-(at + sizes[number]) // ALIGNMENT) * ALIGNMENT
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        content = bytes(builder.Output())
    return content, places


def scale_place(content: bytes, index: int) -> int:
    """Where the scales of a tensor lie."""
    from ai_edge_litert import schema_py_generated as schema

    whole = np.frombuffer(content, np.uint8)
    quantization = schema.Model.GetRootAs(whole).Subgraphs(0).Tensors(index).Quantization()
    scales = quantization.ScaleAsNumpy()
    return int(scales.__array_interface__["data"][0] - whole.__array_interface__["data"][0])


def template(name: str) -> tuple[bytes, dict[str, Any]]:
    """The content of the two files of this name."""
    model, weights = converted(name, MOST_CLASSES, 0)
    found = matched(model, weights, converted(name, MOST_CLASSES, 1))
    other, fewer = converted(name, MOST_CLASSES - 1, 0)
    by_classes = {key for key in weights if weights[key].shape != fewer[key].shape}
    tensors = {tensor.buffer: i for i, tensor in enumerate(model.subgraphs[0].tensors)}
    last = [number for number, (recipe, _) in found.items() if recipe.tensor in by_classes]
    content, places, size = emptied(model, found, last)
    constants_of = []
    for number, (recipe, int8) in found.items():
        shape = list(recipe.made(weights).shape)
        if number in last:
            shape[0] = 0
        scales = scale_place(content, tensors[number]) if int8 else None
        entry = {**recipe.entry(), "at": places[number], "shape": shape, "scales": scales}
        constants_of.append(entry)
    classes = changed(content, emptied(other, found, last)[0])
    return content, {"size": size, "constants": constants_of, "classes": classes}


def matched(
    model: Any, weights: Weights, other: tuple[Any, Weights]
) -> dict[int, tuple[Recipe, bool]]:
    """Number of a buffer -> what it is made of, and whether in int8. Buffers that are the same with
    other weights are left out.

    Raises:
        ValueError: one that is neither.
    """
    all_recipes, found = list(recipes(weights)), {}
    for number, tensor in constants(model).items():
        content = bytes(model.buffers[number].data)
        if content == bytes(other[0].buffers[number].data):
            continue
        int8 = tensor.type == 9
        mine = values(model, number, tensor)
        recipe = matching(mine, int8, weights, all_recipes)
        theirs = values(other[0], number, constants(other[0])[number])
        if recipe is None or matching(theirs, int8, other[1], [recipe]) is None:
            raise ValueError(f"constant {number}, {list(tensor.shape)}: made of nothing known")
        found[number] = recipe, int8
    return found


def emptied(
    model: Any, found: Mapping[int, Any], last: list[int]
) -> tuple[bytes, dict[int, int], int]:
    """The network up to the first constant that is made of weights, where its constants begin, and
    how long it is with them.

    last: constants with a row for each class. They come last, with room for MOST_CLASSES, so that
    nothing moves with the number of classes.
    """
    tensors = constants(model)
    fixed = [number for number in tensors if number not in found]
    content_of = {number: bytes(model.buffers[number].data) for number in tensors}
    sizes = {number: len(content) for number, content in content_of.items()}
    room = {**sizes, **{n: sizes[n] // int(tensors[n].shape[0]) * MOST_CLASSES for n in last}}
    for number, tensor in tensors.items():
        model.buffers[number].data = None
        model.buffers[number].size = sizes[number]
        quantization = tensor.quantization
        if quantization is not None and quantization.scale is not None:
            quantization.scale = np.zeros(len(quantization.scale), np.float32)
            quantization.min = quantization.max = None
    order = fixed + [number for number in found if number not in last] + last
    whole, places = packed(model, order, room)
    for number in fixed:
        whole = whole.ljust(places[number], b"\0") + content_of[number]
    return whole, places, places[order[-1]] + room[order[-1]]


def changed(most: bytes, fewer: bytes) -> list[list[int]]:
    """``[place, factor]`` of each int32 that is so many times the number of classes.

    Raises:
        ValueError: they differ in something else.
    """
    if len(most) != len(fewer):
        raise ValueError(f"{len(most)} and {len(fewer)} bytes; expected as many")
    a, b = (
        np.frombuffer(content.ljust(-(-len(content) // 4) * 4, b"\0"), "<i4")
        for content in (most, fewer)
    )
    found = []
    for at in np.flatnonzero(a != b):
        factor, rest = divmod(int(a[at]), MOST_CLASSES)
        if rest or factor * (MOST_CLASSES - 1) != b[at]:
            raise ValueError(f"byte {4 * at}: {a[at]} and {b[at]}; expected a multiple of classes")
        found.append([int(4 * at), factor])
    return found


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(argv).folder
    for name in NETWORKS:
        network, plan = template(name)
        for suffix, content in zip(SUFFIXES, (network, json.dumps(plan).encode()), strict=True):
            (folder / f"{name}{suffix}").write_bytes(content)


if __name__ == "__main__":
    main()
