"""How data sets, protocols and methods are written for people, in figures and tables."""

from __future__ import annotations

DATA = {"ckplus48": "CK+48", "fer2013": "FER2013", "ferplus": "FER+", "folder": "image folder"}
PROTOCOLS = {
    "paper": "random 80/20",
    "subject10": "10 folds, subjects apart",
    "public": "PublicTest",
    "private": "PrivateTest",
}
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


def method(weights: str) -> str:
    """A baseline's title, or the name of the weights as code."""
    return METHODS.get(weights, f"`{weights}`")
