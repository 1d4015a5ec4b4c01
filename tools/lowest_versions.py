"""The lowest versions that a file of requirements admits, as constraints for pip.

    python -m tools.lowest_versions requirements-app.txt > lowest.txt
    pip install -r requirements-app.txt -c lowest.txt

What those packages need themselves stays as pip likes it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fer_cbam.errors import FerError

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:==|>=)\s*([0-9][0-9a-z.]*)")


def lowest(path: Path) -> Iterator[str]:
    """``name==version`` for each requirement of a file and of the files that it names.

    Raises:
        FerError: a requirement without a lower limit.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted.startswith("-r"):
            yield from lowest(path.parent / wanted[2:].strip())
        elif wanted:
            found = REQUIREMENT.match(wanted)
            if not found:
                raise FerError(f"{path.name}: got {wanted!r}; expected name>=version")
            yield f"{found[1]}=={found[2]}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("requirements", type=Path)
    for line in lowest(parser.parse_args(argv).requirements):
        print(line)


if __name__ == "__main__":
    main()
