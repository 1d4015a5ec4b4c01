"""A subject of noise faces and weights that were never trained."""

from __future__ import annotations

import pytest

from eval.predict import jobs, predict
from eval.trust.section import Subject


@pytest.fixture
def subject(tiny, save_weights) -> Subject:
    """18 faces of PublicTest."""
    folder = save_weights("w", {"data": "other"})
    pairs = jobs(str(folder), tiny, "public", "torch", "cpu")
    table = predict(pairs, tiny, "public", name="w")
    by_id = {s.sample_id: s for s in tiny.samples}
    samples = [by_id[name] for name in table["sample_id"]]
    return Subject(pairs[0].backend, tiny.name, "public", "w", table, samples, quick=True)
