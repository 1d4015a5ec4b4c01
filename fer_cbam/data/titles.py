"""How data sets and protocols are written for people, in figures, tables and cards."""

DATA = {
    "affectnet": "AffectNet",
    "ckplus48": "CK+48",
    "fer2013": "FER2013",
    "ferplus": "FER+",
    "folder": "image folder",
    "jaffe": "JAFFE",
    "kdef": "KDEF",
    "raf_db": "RAF-DB",
}
PROTOCOLS = {
    "cross": "cross-dataset",
    "paper": "random 80/20",
    "subject10": "10 folds, subjects apart",
    "public": "PublicTest",
    "private": "PrivateTest",
    "held_out": "subjects held out of training sides",
}
