"""Links of the Markdown files of this repository.

python -m tests.docs.links lists the addresses outside it, which no test asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "docs/**/*.md", "fer_cbam/**/README.md", "reports/**/*.md", ".github/*.md")

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
INLINE = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
HTML = re.compile(r"<(?:a|img|source|video)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")
BARE = re.compile(r"(?<![\w(\"])https?://[^\s)>\"`|]+")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
ANCHOR = re.compile(r"\{[^}]*#([\w-]+)[^}]*\}|<a (?:id|name)=\"([\w-]+)\"")


def documents() -> list[Path]:
    """Every page that a reader may open."""
    return sorted({path for pattern in PATTERNS for path in ROOT.glob(pattern)})


def links(text: str) -> list[str]:
    """Targets in the order of the text; what stands in code is no link."""
    text = CODE.sub("``", COMMENT.sub("", FENCE.sub("", text)))
    found = [(m.start(), m[1]) for pattern in (INLINE, HTML) for m in pattern.finditer(text)]
    found += [(m.start(), m[0].rstrip(".,;:")) for m in BARE.finditer(text)]
    return [target for _, target in sorted(found)]


def anchors(text: str) -> set[str]:
    """Names that a ``#`` can lead to: headings as GitHub and mkdocs both write them."""
    text = COMMENT.sub("", FENCE.sub("", text))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", m[1]) for m in HEADING.finditer(text))
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    return slugs | {a or b for a, b in ANCHOR.findall(text)}


def is_external(target: str) -> bool:
    return re.match(r"[a-z][a-z+.-]*:", target) is not None


def broken(page: Path, root: Path = ROOT) -> Iterator[str]:
    """Links of a page that lead nowhere, or out of the repository."""
    for target in links(page.read_text(encoding="utf-8")):
        if is_external(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_relative_to(root) or not file.exists():
            yield f"{page.relative_to(root)}: {target}: no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8")):
            yield f"{page.relative_to(root)}: {target}: {file.name} has no such heading"


def main() -> None:
    pages: dict[str, list[str]] = {}
    for page in documents():
        for target in filter(is_external, links(page.read_text(encoding="utf-8"))):
            pages.setdefault(target, []).append(str(page.relative_to(ROOT)))
    for target, where in sorted(pages.items()):
        print(f"{target}  ({', '.join(sorted(set(where)))})")


if __name__ == "__main__":
    main()
