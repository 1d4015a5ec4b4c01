"""Write the numbers of README and model card from ``reports/summary.json``.

    python -m eval.docs.render [--check]

Three kinds of marks are filled; what stands between them is replaced:

``<!-- numbers:BLOCK -->`` ... ``<!-- /numbers -->``
    a table; BLOCK is a name in `BLOCKS`.
``# numbers:BLOCK`` ... ``# /numbers``
    the same in the YAML at the top of the model card, which knows no other comments.
``<!--n:KEY:FORMAT-->`` ... ``<!--/n-->``
    one number. KEY is a key of summary.json, with ``@FIELD`` behind it for another field than
    ``value``: low, high, mean, sd, n, or ``interval`` for "low-high". FORMAT is Python's format
    mini-language, such as ``.3f``, ``.1%`` or ``,d``; ``.1p`` is ``.1%`` without the percent sign.

The page of ablations, ``reports/ablation/README.md``, is written in full. The model card is copied
beside all embedded weights as README.md, so that it travels with them: into wheel and hub.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.docs import titles
from eval.docs.summary import ABLATION, REPORTS, SUMMARY_FILE, read_json
from eval.studies import ablation
from fer_cbam.errors import DataError, FerError
from fer_cbam.hub.cards import CARD_FILE
from fer_cbam.pretrained import CONFIG_FILE

ROOT = REPORTS.parent
CARD = "model_card.md"
DOCUMENTS = ("README.md", "docs/results.md", CARD)
BLOCK = re.compile(r"(<!-- numbers:([\w-]+) -->\n)(.*?)(<!-- /numbers -->)", re.DOTALL)
YAML_BLOCK = re.compile(r"^(# numbers:([\w-]+)\n)(.*?)^(# /numbers)$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(<!--n:([^:>\s@]+)(?:@(\w+))?:([^>\s]+?)-->)([^<]*)(<!--/n-->)")
MARK = re.compile(r"<!-- ?/?n(?:umbers)?\b|^# /?numbers\b", re.MULTILINE)

Summary = Mapping[str, Mapping[str, Any]]


def number(summary: Summary, key: str, field: str | None, spec: str) -> str:
    """One number of the summary as text.

    Raises:
        DataError: no such key or field, no value there, or a format that does not fit.
    """
    if key not in summary:
        near = difflib.get_close_matches(key, summary, n=3, cutoff=0.4)
        raise DataError(
            f"{key}: not in {SUMMARY_FILE}; close to it: {', '.join(near) or 'nothing'}"
        )
    entry = summary[key]
    fields = ("low", "high") if field == "interval" else (field or "value",)
    values = [entry.get(name) for name in fields]
    if any(not isinstance(value, int | float) for value in values):
        raise DataError(f"{key}: {dict(zip(fields, values, strict=True))}; expected numbers")
    try:
        return "\u2013".join(_format(value, spec) for value in values)
    except ValueError as error:
        raise DataError(f"{key}: format {spec!r} ({error})") from error


def _format(value: Any, spec: str) -> str:
    return f"{100 * value:{spec[:-1]}f}" if spec.endswith("p") else f"{value:{spec}}"


def _cell(summary: Summary, key: str, spec: str, spread: str = "") -> str:
    """A table's cell; a dash where that was not measured. spread: "sd" or "interval"."""
    if key not in summary or summary[key]["value"] is None:
        return "\u2013"
    text = number(summary, key, None, spec)
    if spread == "sd" and "sd" in summary[key]:
        return f"{text} \u00b1 {number(summary, key, 'sd', spec)}"
    if spread == "interval" and summary[key]["low"] is not None:
        return f"{text} ({number(summary, key, 'interval', spec)})"
    return text


def _weights(summary: Summary, data: str) -> list[str]:
    """Methods that were trained on a data set and measured on it: ours first.

    Weights of other data are named ``<architecture>-<data>``, see `strangers`.
    """
    found = {key.split(".")[2] for key in summary if key.startswith(f"{data}.")}
    found = {name for name in found if "-" not in name}
    baselines = [name for name in titles.METHODS if name in found]
    return sorted(found - set(baselines)) + baselines[::-1]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _need(summary: Summary, data: str) -> None:
    if not any(key.startswith(f"{data}.") for key in summary):
        raise DataError(f"{SUMMARY_FILE}: nothing of {data}; expected reports of it")


def ckplus48(summary: Summary) -> str:
    """Both protocols side by side, and how much of a random split the training has seen."""
    _need(summary, "ckplus48")
    header = (
        "CK+48, 7 classes, %", "random 80/20: accuracy, mean \u00b1 sd of 5 seeds", "macro AUC",
        "subjects apart: accuracy (95 % interval)", "balanced accuracy", "macro F1", "macro AUC",
    )  # fmt: skip
    rows = []
    for weights in _weights(summary, "ckplus48"):
        paper, apart = (f"ckplus48.{p}.{weights}.plain" for p in ("paper", "subject10"))
        rows.append(
            [
                titles.method(weights),
                _cell(summary, f"{paper}.accuracy", ".1p", "sd"),
                _cell(summary, f"{paper}.macro_auc", ".2p"),
                _cell(summary, f"{apart}.accuracy", ".1p", "interval"),
                _cell(summary, f"{apart}.balanced_accuracy", ".1p"),
                _cell(summary, f"{apart}.macro_f1", ".1p"),
                _cell(summary, f"{apart}.macro_auc", ".2p"),
            ]
        )
    return _table(header, rows) + "\n\n" + _overlap(summary)


def _overlap(summary: Summary) -> str:
    keys = [k for k in summary if k.endswith(".sequence_overlap")]
    shares = {}
    for protocol in ("paper", "subject10"):
        values = {summary[k]["value"] for k in keys if k.startswith(f"ckplus48.{protocol}.")}
        if len(values) > 1:
            raise DataError(f"sequence_overlap of {protocol}: {sorted(values)}; expected one value")
        shares[protocol] = f"{100 * values.pop():.1f} %" if values else "\u2013"
    return (
        "Test images with another frame of the same sequence in training: "
        f"{shares['paper']} (random 80/20), {shares['subject10']} (subjects apart)."
    )


def ckplus48_classes(summary: Summary) -> str:
    """Recall of each class of our weights, both protocols."""
    _need(summary, "ckplus48")
    ours = [w for w in _weights(summary, "ckplus48") if w not in titles.METHODS]
    labels = sorted({k.split(".recall_")[1] for k in summary
                     if k.startswith("ckplus48.") and ".recall_" in k})  # fmt: skip
    measured = [(w, p) for w in ours for p in ("paper", "subject10")
                if f"ckplus48.{p}.{w}.plain.accuracy" in summary]  # fmt: skip
    header = ["recall, %", *(f"`{w}`, {titles.PROTOCOLS[p]}" for w, p in measured)]
    rows = [
        [label, *(_cell(summary, f"ckplus48.{p}.{w}.plain.recall_{label}", ".1p", "interval")
                  for w, p in measured)]
        for label in labels
    ]  # fmt: skip
    return _table(header, rows)


NOT_YET = "Not measured yet."


def _tested(summary: Summary, data: str, protocol: str) -> list[tuple[str, str]]:
    """(weights, option) with a report, ours first, plain before the other options."""
    found = {tuple(key.split(".")[2:4]) for key in summary
             if key.startswith(f"{data}.{protocol}.") and key.endswith(".accuracy")}  # fmt: skip
    options = list(titles.OPTIONS)
    known = [(weights, option) for weights, option in found if option in options]
    return sorted(known, key=lambda k: (k[0] in titles.METHODS, k[0], options.index(k[1])))


WILD_COLUMNS = {
    "accuracy (95 % interval)": ("accuracy", ".1p", "interval"),
    "balanced accuracy": ("balanced_accuracy", ".1p", "interval"),
    "macro F1": ("macro_f1", ".1p", ""),
    "accuracy without twins": ("accuracy_without_twins", ".1p", ""),
}
SURE_COLUMNS = {
    "ECE, temperature 1": ("ece_uncalibrated", ".1p", ""),
    "ECE": ("ece", ".1p", ""),
    "Brier": ("brier", ".3f", ""),
    "answered": ("coverage", ".1p", ""),
    "right when answered": ("selective_accuracy", ".1p", ""),
}


def wild(
    summary: Summary, data: str, classes: int, columns: Mapping[str, tuple[str, str, str]]
) -> str:
    """PrivateTest: a row for each set of weights and option that has any of the columns."""
    tested = [
        (weights, option) for weights, option in _tested(summary, data, "private")
        if any(f"{data}.private.{weights}.{option}.{metric}" in summary
               for metric, *_ in columns.values())
    ]  # fmt: skip
    if not tested:
        return NOT_YET
    title = f"{titles.DATA[data]} PrivateTest, {classes} classes, %"
    rows = [
        [titles.method(weights) + titles.OPTIONS[option],
         *(_cell(summary, f"{data}.private.{weights}.{option}.{metric}", spec, spread)
           for metric, spec, spread in columns.values())]
        for weights, option in tested
    ]  # fmt: skip
    return _table([title, *columns], rows)


def classes_of(summary: Summary, data: str, protocol: str) -> str:
    """Recall of each class, plain, of every set of weights and of the human line."""
    prefix = f"{data}.{protocol}."
    plain = [weights for weights, option in _tested(summary, data, protocol) if option == "plain"]
    labels = sorted({key.split(".recall_")[1] for key in summary
                     if key.startswith(prefix) and ".recall_" in key})  # fmt: skip
    if not plain:
        return NOT_YET
    header = [f"recall, {titles.DATA[data]} {titles.PROTOCOLS[protocol]}, %",
              *map(titles.method, plain)]  # fmt: skip
    return _table(header, [
        [label, *(_cell(summary, f"{prefix}{weights}.plain.recall_{label}", ".1p", "interval")
                  for weights in plain)]
        for label in labels
    ])  # fmt: skip


def strangers(summary: Summary) -> str:
    """CK+48 by weights that never saw it: every image once, neutral counted as an error."""
    prefix = "ckplus48.subject10."
    found = sorted({key.split(".")[2] for key in summary
                    if key.startswith(prefix) and "-" in key.split(".")[2]
                    and key.endswith(".plain.accuracy")})  # fmt: skip
    if not found:
        return NOT_YET
    labels = sorted({key.split(".recall_")[1] for key in summary
                     if key.startswith(prefix) and ".recall_" in key})  # fmt: skip
    header = ["CK+48, all 981 images, weights trained on other data, %", "accuracy (95 % interval)",
              "balanced accuracy", *labels]  # fmt: skip
    rows = []
    for weights in found:
        keys = [("accuracy", "interval"), ("balanced_accuracy", "interval"),
                *((f"recall_{label}", "") for label in labels)]  # fmt: skip
        cells = [_cell(summary, f"{prefix}{weights}.plain.{key}", ".1p", spread)
                 for key, spread in keys]  # fmt: skip
        rows.append([titles.method(weights), *cells])
    return _table(header, rows)


def camera(summary: Summary) -> str:
    """The same images through frame, detector and alignment; what costs least comes first."""
    keys = [key for key in summary if ".camera_" in key and key.endswith(".accuracy")]
    keys.sort(key=lambda key: (key.partition(".camera_")[0], -summary[key]["value"]))
    if not keys:
        return NOT_YET
    header = ["through a camera, %", "images", "faces found", "accuracy (95 % interval)",
              "balanced accuracy"]  # fmt: skip
    rows = []
    for key in keys:
        data, protocol, weights, option = key.split(".")[:4]
        prefix = key.removesuffix(".accuracy")
        condition = option.removeprefix("camera_").replace("_", " ")
        rows.append([
            f"{titles.method(weights)}, {titles.DATA.get(data, data)} "
            f"{titles.PROTOCOLS.get(protocol, protocol)}: {condition}",
            number(summary, key, "n", ",d"),
            _cell(summary, f"{prefix}.found", ".1p"),
            _cell(summary, key, ".1p", "interval"),
            _cell(summary, f"{prefix}.balanced_accuracy", ".1p"),
        ])  # fmt: skip
    return _table(header, rows)


def adjustment(summary: Summary) -> str:
    """What answering for balanced accuracy does, at home and to strangers."""
    columns = ("accuracy", "balanced_accuracy")
    rows = []
    for data in ("ferplus", "fer2013"):
        prefix = f"{data}.public."
        found = {tuple(key.split(".")[2:4]) for key in summary if key.startswith(prefix)}
        balances = sorted((weights, int(option.removeprefix("balance_")))
                          for weights, option in found
                          if option.startswith("balance_"))  # fmt: skip
        for weights, percent in balances:
            home = f"{prefix}{weights}.balance_{percent}"
            away = f"ckplus48.subject10.{weights}-{data}.balance_{percent}"
            rows.append(
                [f"{titles.method(weights)}, {titles.DATA[data]}, {percent / 100:g}",
                 *(_cell(summary, f"{place}.{column}", ".1p")
                   for place in (home, away) for column in columns)]
            )  # fmt: skip
    header = ("weight of balanced accuracy", "PublicTest: accuracy, %", "balanced",
              "CK+48, never seen: accuracy", "balanced")  # fmt: skip
    return _table(header, rows) if rows else NOT_YET


def twins(summary: Summary) -> str:
    """What stands more than once in FER2013."""
    prefix = "fer2013.all.twins.plain."
    if f"{prefix}images" not in summary:
        return NOT_YET

    def shown(name: str, spec: str = ",d") -> str:
        return number(summary, prefix + name, None, spec)

    whole = number(summary, f"{prefix}images", "n", ",d")
    return (
        f"Of FER2013's {whole} images {shown('images')} stand in {shown('groups')} groups of "
        f"near-identical ones. PublicTest holds {shown('public_images_with_twin_in_training')} and "
        f"PrivateTest {shown('private_images_with_twin_in_training')} with a twin in Training; the "
        f"{shown('training_images_with_twin_in_test')} images of Training on the other side are "
        "not trained on. FER2013's own labels of two twins agree in "
        f"{shown('label_agreement', '.1p')} % of the pairs."
    )


def cost(summary: Summary) -> str:
    """What the training of each set of weights took."""
    prefixes = sorted({key.rpartition(".")[0] for key in summary if ".training." in key})
    if not prefixes:
        return NOT_YET
    columns = {"images seen": ("images_seen", ",d"),
               "multiply-adds an image, millions": ("multiply_adds_millions", ".1f"),
               "both multiplied, \u00d7 10\u00b9\u2075": ("peta_multiply_adds", ".3f"),
               "core hours": ("core_hours", ".1f")}  # fmt: skip
    rows = []
    for prefix in prefixes:
        data, _, weights = prefix.split(".")[:3]
        name = f"{titles.method(weights)}, {titles.DATA.get(data, data)}"
        rows.append(
            [name, *(_cell(summary, f"{prefix}.{k}", spec) for k, spec in columns.values())]
        )
    return _table(["forward passes of training", *columns], rows)


WAYS = {"torch": "torch", "onnx": "ONNX Runtime", "onnx-int8": "int8"}


def speed(summary: Summary) -> str:
    """Milliseconds a face, and how many times faster than torch in the same run."""
    found = {tuple(key.split(".")[1:3]) for key in summary if key.startswith("faces.")}
    if not found:
        return NOT_YET
    rows = []
    for weights, n in sorted((weights, int(batch.rpartition("_")[2])) for batch, weights in found):
        prefix = f"faces.batch_{n}.{weights}"
        for metric, maps in (("milliseconds", ""), ("explained_milliseconds", ", with both maps")):
            faces = "one face" if n == 1 else f"{n} faces"
            cells = [_time(summary, prefix, way, metric) for way in WAYS]
            rows.append([f"{titles.method(weights)}, {faces}{maps}", *cells])
    names = {entry["processor"] for key, entry in summary.items() if key.startswith("faces.")}
    if len(names) > 1:
        raise DataError(f"times of {sorted(names)} in one table; expected one processor")
    header = f"milliseconds a face, one thread of {names.pop()}"
    return _table([header, *WAYS.values()], rows)


def _time(summary: Summary, prefix: str, way: str, metric: str) -> str:
    key, base = f"{prefix}.{way}.{metric}", f"{prefix}.torch.{metric}"
    text = _cell(summary, key, ".2f")
    if way == "torch" or key not in summary:
        return text
    return f"{text} ({summary[base]['value'] / summary[key]['value']:.1f}\u00d7)"


INDEX_METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy",
                 "macro_f1": "macro F1", "ece": "expected calibration error"}  # fmt: skip


def model_index(summary: Summary) -> str:
    """``model-index`` of the card's YAML, as hubs read it: plain results of our weights."""
    lines = ["model-index:"]
    results: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(summary):
        data, protocol, weights, option, metric = key.split(".")
        wanted = protocol in ("private", "paper", "subject10") and option == "plain"
        if wanted and metric == "accuracy" and weights not in titles.METHODS:
            results.setdefault(weights, []).append((data, protocol))
    for weights, places in results.items():
        lines += [f"  - name: {weights}", "    results:"]
        for data, protocol in places:
            lines += ["      - task:", "          type: image-classification",
                      "          name: facial emotion recognition", "        dataset:",
                      f"          type: {data}",
                      f'          name: "{titles.DATA[data]}, {titles.PROTOCOLS[protocol]}"',
                      "        metrics:"]  # fmt: skip
            for metric, title in INDEX_METRICS.items():
                key = f"{data}.{protocol}.{weights}.plain.{metric}"
                if key in summary and summary[key]["value"] is not None:
                    value = number(summary, key, None, ".4f")
                    lines += [f"          - type: {metric}", f"            name: {title}",
                              f"            value: {value}"]  # fmt: skip
    return "\n".join(lines) if results else "# none measured yet"


BLOCKS: dict[str, Callable[[Summary], str]] = {
    "ckplus48": ckplus48,
    "ckplus48-classes": ckplus48_classes,
    "ckplus48-strangers": strangers,
    "ferplus": lambda summary: wild(summary, "ferplus", 8, WILD_COLUMNS),
    "ferplus-confidence": lambda summary: wild(summary, "ferplus", 8, SURE_COLUMNS),
    "ferplus-classes": lambda summary: classes_of(summary, "ferplus", "private"),
    "fer2013": lambda summary: wild(summary, "fer2013", 7, WILD_COLUMNS),
    "fer2013-confidence": lambda summary: wild(summary, "fer2013", 7, SURE_COLUMNS),
    "fer2013-classes": lambda summary: classes_of(summary, "fer2013", "private"),
    "adjustment": adjustment,
    "camera": camera,
    "twins": twins,
    "cost": cost,
    "speed": speed,
    "model-index": model_index,
}


def render(text: str, summary: Summary, where: str = "text") -> str:
    """A document with every mark filled.

    Raises:
        DataError: an unknown block or key, or a mark that is not closed or not well formed.
    """

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise DataError(f"numbers:{match[2]}; expected one of: {', '.join(BLOCKS)}")
        return f"{match[1]}{BLOCKS[match[2]](summary)}\n{match[4]}"

    def inline(match: re.Match[str]) -> str:
        return match[1] + number(summary, match[2], match[3], match[4]) + match[6]

    pairs = sum(len(mark.findall(text)) for mark in (BLOCK, YAML_BLOCK, INLINE))
    if len(MARK.findall(text)) != 2 * pairs:
        raise DataError(f"{where}: a mark of numbers that is not closed or not well formed")
    try:
        return INLINE.sub(inline, YAML_BLOCK.sub(block, BLOCK.sub(block, text)))
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def documents(summary: Summary) -> dict[Path, str]:
    """What is to stand in each document and each copy of the model card.

    Raises:
        DataError: a document is missing, or see `render`.
    """
    texts = {}
    for name in DOCUMENTS:
        path = ROOT / name
        if not path.is_file():
            raise DataError(f"{name}: no such file; expected it beside reports/")
        texts[path] = render(path.read_text(encoding="utf-8"), summary, name)
    for config in sorted(ROOT.glob(f"fer_cbam/weights/*/{CONFIG_FILE}")):
        texts[config.parent / CARD_FILE] = texts[ROOT / CARD]
    reports = [read_json(path) for path in sorted((REPORTS / ABLATION).glob("*.json"))]
    if reports:
        texts[REPORTS / ABLATION / CARD_FILE] = ablation.page(reports)
    return texts


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.docs.render", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if they differ")
    args = parser.parse_args(argv)
    stale = []
    try:
        summary = read_json(REPORTS / SUMMARY_FILE)
        for path, new in documents(summary).items():
            old = path.read_text(encoding="utf-8") if path.is_file() else None
            if new != old:
                stale.append(path.relative_to(ROOT).as_posix())
                if not args.check:
                    path.write_text(new, encoding="utf-8")
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    if args.check and stale:
        raise SystemExit(f"{', '.join(stale)}: numbers differ from reports/{SUMMARY_FILE}; "
                         "expected: python -m eval.docs.render")  # fmt: skip


if __name__ == "__main__":
    main()
