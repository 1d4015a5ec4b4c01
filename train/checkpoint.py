"""Checkpoints and arrays that took minutes, written so that a cut leaves no half of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_cbam.errors import FerError

CHECKPOINT_FILE = "checkpoint.pt"


def save_checkpoint(run_dir: Path, state: Mapping[str, Any]) -> None:
    """Write next to the old file, flush to disk, then replace it in one step."""
    partial = run_dir / f"{CHECKPOINT_FILE}.partial"
    with partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(run_dir / CHECKPOINT_FILE)


def save_array(path: Path, array: np.ndarray) -> None:
    """Write next to the file, then replace it in one step. The name beside it is the process's own:
    several may compute the same at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, array)
    partial.replace(path)


def load_checkpoint(run_dir: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state of an earlier run, None where there is none.

    identity: what decides the run's result, as it was saved in it. Read with ``weights_only``:
    tensors and plain values, nothing that could run code.

    Raises:
        FerError: the checkpoint belongs to another run.
    """
    path = run_dir / CHECKPOINT_FILE
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    begun = state["identity"]
    changed = sorted(k for k in {*begun, *identity} if begun.get(k) != identity.get(k))
    if changed:
        raise FerError(
            f"{path} belongs to another run (different: {', '.join(changed)}); go on with what it "
            "was started with, or choose another --out"
        )
    return state
