"""``python -m fer_cbam`` is the command ``fer-cbam``."""

from __future__ import annotations

import sys

from fer_cbam.cli import main

if __name__ == "__main__":
    sys.exit(main())
