"""Write the numbers of README and model card from ``reports/summary.json``.

    python -m eval.render_docs [--check]

Two kinds of marks are filled; what stands between them is replaced:

``<!-- numbers:BLOCK -->`` ... ``<!-- /numbers -->``
    a table; BLOCK is a name in `BLOCKS`.
``<!--n:KEY:FORMAT-->`` ... ``<!--/n-->``
    one number. KEY is a key of summary.json, with ``@FIELD`` behind it for another field than
    ``value``: low, high, mean, sd, n, or ``interval`` for "low-high". FORMAT is Python's format
    mini-language, such as ``.3f``, ``.1%`` or ``,d``; ``.1p`` is ``.1%`` without the percent sign.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval import titles
from eval.summary import REPORTS, SUMMARY_FILE, read_json
from fer_cbam.errors import DataError, FerError

ROOT = REPORTS.parent
DOCUMENTS = ("README.md", "model_card.md")
BLOCK = re.compile(r"(<!-- numbers:([\w-]+) -->\n)(.*?)(<!-- /numbers -->)", re.DOTALL)
INLINE = re.compile(r"(<!--n:([^:>\s@]+)(?:@(\w+))?:([^>\s]+?)-->)([^<]*)(<!--/n-->)")
MARK = re.compile(r"<!-- ?/?n(?:umbers)?\b")

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
    """Methods that were measured on a data set with the option plain: ours first."""
    found = {key.split(".")[2] for key in summary if key.startswith(f"{data}.")}
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
    header = ["recall, %", *(f"`{w}`, {titles.PROTOCOLS[p]}" for w in ours
                             for p in ("paper", "subject10"))]  # fmt: skip
    rows = [
        [label, *(_cell(summary, f"ckplus48.{p}.{w}.plain.recall_{label}", ".1p", "interval")
                  for w in ours for p in ("paper", "subject10"))]
        for label in labels
    ]  # fmt: skip
    return _table(header, rows)


BLOCKS: dict[str, Callable[[Summary], str]] = {
    "ckplus48": ckplus48,
    "ckplus48-classes": ckplus48_classes,
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

    pairs = len(BLOCK.findall(text)) + len(INLINE.findall(text))
    if len(MARK.findall(text)) != 2 * pairs:
        raise DataError(f"{where}: a mark of numbers that is not closed or not well formed")
    try:
        return INLINE.sub(inline, BLOCK.sub(block, text))
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.render_docs", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if they differ")
    args = parser.parse_args(argv)
    stale = []
    try:
        summary = read_json(REPORTS / SUMMARY_FILE)
        for name in DOCUMENTS:
            path = ROOT / name
            if not path.is_file():
                raise DataError(f"{name}: no such file; expected it beside reports/")
            old = path.read_text(encoding="utf-8")
            new = render(old, summary, name)
            if new != old:
                stale.append(name)
                if not args.check:
                    path.write_text(new, encoding="utf-8")
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    if args.check and stale:
        raise SystemExit(f"{', '.join(stale)}: numbers differ from reports/{SUMMARY_FILE}; "
                         "expected: python -m eval.render_docs")  # fmt: skip


if __name__ == "__main__":
    main()
