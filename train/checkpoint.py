"""Checkpoints: the full state of a run, arrays that took minutes, and notes, written so that a cut
leaves no half of a file."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_cbam.errors import FerError
from train.recipe import Recipe, merged

CHECKPOINT_FILE = "checkpoint.pt"


def save_checkpoint(run_dir: Path, state: dict[str, Any]) -> None:
    """Write next to the old file, flush to disk, then replace it in one step."""
    partial = run_dir / f"{CHECKPOINT_FILE}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
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


def save_text(path: Path, text: str) -> None:
    """As :func:`save_array`, for text in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def load_checkpoint(run_dir: Path, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """The state of an earlier run, None where there is none.

    Read with ``weights_only``: tensors and plain values, nothing that could run code.

    Raises:
        FerError: the checkpoint belongs to another recipe.
    """
    path = run_dir / CHECKPOINT_FILE
    if not path.exists():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    # What recipes could not say yet when the run began was left at its default.
    defaults = dataclasses.asdict(Recipe("", schedule="constant"))
    whole = merged(defaults, state["recipe"])
    begun = {key: whole[key] for key in recipe}
    if begun != recipe:
        changed = sorted(key for key in recipe if begun[key] != recipe[key])
        raise FerError(
            f"{path} belongs to another recipe (different: {', '.join(changed)}); "
            "resume with the recipe it was started with, or choose another --out"
        )
    return state
