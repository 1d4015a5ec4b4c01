"""The forward pass of any number of crops, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_cbam.backends.base import Backend, Forward

BATCH_SIZE = 64  # past this a CPU gains nothing, and the memory of a batch stays small


def forward_many(
    backend: Backend,
    crops: Sequence[np.ndarray],
    batch_size: int = BATCH_SIZE,
    filled: bool = False,
) -> Forward:
    """Preprocess crops and run the network once for each batch of them.

    crops: each uint8 ``(h, w)`` grey or ``(h, w, 3)`` RGB. filled: each call has exactly batch_size
    faces, the last one filled up with blanks. A matrix product rounds otherwise for another number
    of rows, so only then does an answer depend on nothing but its crop. Returns one
    :class:`Forward` with a row for each crop, in their order.

    Raises:
        ImageError: a crop of another shape or dtype.
    """
    starts = range(0, len(crops) or 1, batch_size)  # none at all is one empty batch
    size = batch_size if filled else 0
    return concatenated([_forward(backend, crops[i : i + batch_size], size) for i in starts])


def _forward(backend: Backend, crops: Sequence[np.ndarray], size: int) -> Forward:
    """One call, of at least ``size`` faces; the rows of the crops alone."""
    x = backend.preprocess(crops)
    blanks = size - len(x)
    if blanks <= 0:
        return backend.forward(x)
    forward = backend.forward(np.concatenate([x, np.zeros((blanks, *x.shape[1:]), x.dtype)]))
    embedding, attention = forward.embedding, forward.attention
    return Forward(
        forward.logits[: len(x)],
        forward.class_maps[: len(x)],
        None if embedding is None else embedding[: len(x)],
        None if attention is None else attention[: len(x)],
    )


def concatenated(parts: Sequence[Forward]) -> Forward:
    """The rows of one or more, in order."""
    if len(parts) == 1:
        return parts[0]
    return Forward(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.class_maps for part in parts]),
        _joined([part.embedding for part in parts]),
        _joined([part.attention for part in parts]),
    )


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None
