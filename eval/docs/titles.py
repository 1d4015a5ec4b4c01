"""How methods, options and conditions are written for people."""

from __future__ import annotations

from fer_cbam.data.titles import DATA, PROTOCOLS

METHODS = {
    "majority": "majority class",
    "nn1_pixels": "1-nearest-neighbour on pixels",
    "pca_logreg": "PCA + logistic regression",
    "hog_svm": "HOG + linear SVM",
    "one_rater": "one FER+ rater against the other nine",
}
OPTIONS = {
    "plain": "",
    "flip": ", with its mirror",
    "tencrop": ", ten crops",
    "ensemble": ", ensemble",
}
RUNTIMES = {
    "torch": "torch", "onnx": "ONNX Runtime", "onnx-int8": "ONNX Runtime, int8",
    "litert": "LiteRT, int8", "litert-fp16": "LiteRT, fp16",
}  # fmt: skip
#: Of `benchmarks.agreement`, which also has LiteRT's network as it is made without an export.
AGREEMENT = {**RUNTIMES, "litert-filled": "LiteRT, int8, without an export"}
#: Of `benchmarks.browser`.
BROWSER = {"kernel": "FER-CBAM's kernel", "onnxruntime-web": "the same steps, ONNX Runtime",
           "human": "human", "face-api": "face-api"}  # fmt: skip
#: Of `benchmarks.against`; its other conditions name a backend behind the number of faces.
AGAINST = {"align": "cutting 20 faces out", "draw": "drawing 20 faces on 1920x1080"}


def method(weights: str) -> str:
    """A baseline's title, or the name of the weights as code."""
    return METHODS.get(weights, f"`{weights}`")


def data(name: str) -> str:
    """A data set's title, or its name."""
    return DATA.get(name, name)


def protocol(name: str) -> str:
    """A protocol's title, or its name."""
    return PROTOCOLS.get(name, name)
