"""Rebuild the YuNet face detector as the ONNX file that ships in ``fer_cbam/detect/``.

YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20, 2023, https://doi.org/10.1007/s11633-023-1423-y) is published by its authors as C++
with float weights (https://github.com/ShiqiYu/libfacedetection, BSD-3). Their wheel ``yuface``
holds those weights under their own names in the symbol table of ``libfacedetection.so``; nothing
is downloaded at run time and no pickle is opened. The graph below is the published one, with the
output names that ``cv2.FaceDetectorYN`` expects. The declared input is 640x640, as in OpenCV's own
copy: OpenCV runs it at any multiple of 32, but the importer of OpenCV 4 cannot read free sizes.

    pip download --no-deps yuface==2023.5.1 -d wheels && pip install onnx pyelftools
    python -m tools.convert_yunet wheels/yuface-*.whl fer_cbam/detect/yunet.onnx

Linux wheels only: they are ELF files.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY = "yuface/libfacedetection.so"
STRIDES = (8, 16, 32)
HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def read_weights(wheel: Path) -> dict[str, np.ndarray]:
    """Every float array of the wheel's detector library, flat, by its symbol name."""
    from elftools.elf.elffile import ELFFile

    with zipfile.ZipFile(wheel) as archive:
        blob = archive.read(LIBRARY)
    elf = ELFFile(io.BytesIO(blob))
    table: Any = elf.get_section_by_name(".dynsym")
    weights = {}
    for symbol in table.iter_symbols():
        if symbol.name.endswith(("_weight", "_bias")) and symbol["st_size"]:
            start = next(elf.address_offsets(symbol["st_value"], symbol["st_size"]))
            weights[symbol.name] = np.frombuffer(blob, "<f4", symbol["st_size"] // 4, start).copy()
            if symbol.name.endswith("_dw_weight"):  # stored position first, channel last
                weights[symbol.name] = weights[symbol.name].reshape(9, -1).T.ravel()
    if len(weights) != 106:
        raise SystemExit(f"{wheel}: expected 106 weight and bias arrays, found {len(weights)}")
    return weights


class GraphBuilder:
    """Collects ONNX nodes and weights; each method returns the name of its output."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.weights = weights
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.const("up2", np.array([1, 1, 2, 2], np.float32))

    def const(self, name: str, value: np.ndarray) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, layer: str, shape: tuple[int, ...], **attributes) -> str:
        w = self.const(f"{layer}_weight", self.weights[f"{layer}_weight"].reshape(shape))
        b = self.const(f"{layer}_bias", self.weights[f"{layer}_bias"])
        # OpenCV 4's importer refuses a Conv that leaves kernel_shape to be inferred.
        return self.node("Conv", [x, w, b], layer, kernel_shape=shape[2:], **attributes)

    def separable(self, x: str, layer: str, relu: bool = True) -> str:
        """1x1 convolution, then a 3x3 depthwise one (the paper's 'conv DP unit')."""
        out = len(self.weights[f"{layer}_pw_bias"])
        x = self.conv(x, f"{layer}_pw", (out, -1, 1, 1))
        x = self.conv(x, f"{layer}_dw", (out, 1, 3, 3), group=out, pads=[1, 1, 1, 1])
        return self.node("Relu", [x], f"{layer}_relu") if relu else x

    def stage(self, x: str, index: int) -> str:
        x = self.separable(x, f"backbone__model{index}_dp1")
        return self.separable(x, f"backbone__model{index}_dp2")

    def pool(self, x: str) -> str:
        return self.node("MaxPool", [x], f"{x}_pool", kernel_shape=[2, 2], strides=[2, 2])

    def merge(self, deep: str, shallow: str) -> str:
        up = self.node(
            "Resize",
            [deep, "", "up2"],
            f"{deep}_up",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return self.node("Add", [up, shallow], f"{shallow}_merged")

    def head(self, x: str, kind: str, level: int) -> str:
        """Flatten one prediction map to (1, H*W, channels), sigmoid for the two scores."""
        x = self.separable(x, f"bbox_head__multi_level_{kind}__{level}", relu=False)
        x = self.node("Transpose", [x], f"{x}_nhwc", perm=[0, 2, 3, 1])
        shape = self.const(f"{kind}_{level}_shape", np.array([1, -1, HEADS[kind]], np.int64))
        name = f"{kind}_{STRIDES[level]}"
        if kind in ("cls", "obj"):
            x = self.node("Reshape", [x, shape], f"{name}_flat")
            return self.node("Sigmoid", [x], name)
        return self.node("Reshape", [x, shape], name)


def build(weights: dict[str, np.ndarray]):
    """The detector as an ``onnx.ModelProto``: BGR float32 (1, 3, H, W) in [0, 255]."""
    from onnx import TensorProto, checker, helper

    # The first 3x3 convolution is stored as 16 x 32: (ky, kx, channel), padded from 27.
    first = "backbone__model0_pw"
    stem = weights[f"{first}_weight"].reshape(16, 32)[:, :27].reshape(16, 3, 3, 3)
    weights = {**weights, f"{first}_weight": stem.transpose(0, 3, 1, 2)}
    graph = GraphBuilder(weights)
    x = graph.conv("input", first, (16, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    x = graph.node("Relu", [x], "stem_relu")
    x = graph.pool(graph.separable(x, "backbone__model0_dp"))
    x = graph.pool(graph.stage(graph.stage(x, 1), 2))
    c3 = graph.stage(x, 3)
    c4 = graph.stage(graph.pool(c3), 4)
    c5 = graph.stage(graph.pool(c4), 5)
    p5 = graph.separable(c5, "neck__lateral_convs__2")
    p4 = graph.separable(graph.merge(p5, c4), "neck__lateral_convs__1")
    p3 = graph.separable(graph.merge(p4, c3), "neck__lateral_convs__0")
    outputs = [graph.head(p, kind, i) for kind in HEADS for i, p in enumerate((p3, p4, p5))]
    info = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "yunet",
            [info("input", TensorProto.FLOAT, [1, 3, 640, 640])],
            [info(o, TensorProto.FLOAT, [1, None, HEADS[o.split("_")[0]]]) for o in outputs],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
        producer_name="fer-cbam",
        doc_string="YuNet, (c) Shiqi Yu, 3-clause BSD; see LICENSE.yunet beside this file.",
    )
    checker.check_model(model, full_check=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    args.output.write_bytes(build(read_weights(args.wheel)).SerializeToString())
    print(f"{args.output}: {args.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
