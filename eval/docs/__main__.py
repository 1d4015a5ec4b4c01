"""Write the tables of README and docs, and the cards of embedded weights, from the reports.

python -m eval.docs [--check]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from eval.docs import (
    app,
    batch,
    clips,
    device,
    explanations,
    findings,
    fusion,
    motion,
    pruning,
    results,
    speech,
    text,
    trust,
)
from eval.docs.cards import cards
from eval.docs.records import REPORTS, load
from fer_cbam import pretrained
from fer_cbam.errors import DataError, FerError
from fer_cbam.hub.cards import CARD_FILE

ROOT = REPORTS.parent
BLOCKS = {
    **results.BLOCKS, **findings.BLOCKS, **trust.BLOCKS, **explanations.BLOCKS, **fusion.BLOCKS,
    **clips.BLOCKS, **motion.BLOCKS, **device.BLOCKS, **app.BLOCKS, **batch.BLOCKS,
    **speech.BLOCKS, **text.BLOCKS, **pruning.BLOCKS,
}  # fmt: skip
BLOCK = re.compile(r"(<!-- numbers:([\w-]+) -->\n)(.*?)(<!-- /numbers -->)", re.DOTALL)
MARK = re.compile(r"<!-- ?/?numbers\b")


def fill(text: str, records: pd.DataFrame, where: str = "text") -> str:
    """A document with every block filled.

    Raises:
        DataError: an unknown block, or a mark that is not closed or not well formed.
    """

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise DataError(f"numbers:{match[2]}; expected one of: {', '.join(BLOCKS)}")
        return f"{match[1]}{BLOCKS[match[2]](records)}\n{match[4]}"

    if len(MARK.findall(text)) != 2 * len(BLOCK.findall(text)):
        raise DataError(f"{where}: a mark of numbers that is not closed or not well formed")
    try:
        return BLOCK.sub(block, text)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def documents(records: pd.DataFrame) -> dict[Path, str]:
    """What is to stand in each document and card."""
    paths = [ROOT / "README.md", ROOT / "model_card.md", *sorted((ROOT / "docs").glob("*.md"))]
    beside = (*pretrained.embedded_voices(), *pretrained.embedded_texts())
    cards_beside = [ROOT / "fer_cbam" / "weights" / name / CARD_FILE for name in beside]
    paths += [path for path in cards_beside if path.is_file()]
    texts = {path: fill(path.read_text(encoding="utf-8"), records, path.name) for path in paths}
    return {**texts, **cards(records)}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.docs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if they differ")
    args = parser.parse_args(argv)
    stale = []
    try:
        for path, new in documents(load()).items():
            old = path.read_text(encoding="utf-8") if path.is_file() else None
            if new != old:
                stale.append(path.relative_to(ROOT).as_posix())
                if not args.check:
                    path.write_text(new, encoding="utf-8")
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    if args.check and stale:
        raise SystemExit(f"{', '.join(stale)}: not what the reports say; expected: "
                         "python -m eval.docs, then a look at the difference")  # fmt: skip


if __name__ == "__main__":
    main()
