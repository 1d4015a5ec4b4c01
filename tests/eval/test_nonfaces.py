"""Pictures that are no faces, and the read that tells them from faces."""

from __future__ import annotations

import numpy as np
import pytest

from eval import nonfaces as n
from eval.predict import jobs
from fer_cbam.decide import Decision
from fer_cbam.errors import DataError

FACES = [np.random.default_rng(i).integers(0, 256, (48, 48), np.uint8) for i in range(6)]


@pytest.mark.parametrize("kind", n.KINDS)
def test_every_kind_is_made_the_same_again_and_each_another(kind):
    first, again = (n.made(kind, 8, FACES, 3) for _ in range(2))
    assert all(p.shape == (48, 48) and p.dtype == np.uint8 for p in first)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert len({p.tobytes() for p in first}) >= (2 if kind in ("flat", "checks") else 6)
    other = n.made(kind, 8, FACES, 4)
    if kind != "negative":  # of which nothing is drawn
        assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_negatives_and_tiles_are_of_the_faces():
    np.testing.assert_array_equal(n.made("negative", 7, FACES, 0)[6], 255 - FACES[0])
    for face, picture in zip(FACES, n.made("tiles", 6, FACES, 0), strict=True):
        np.testing.assert_array_equal(np.sort(picture, None), np.sort(face, None))
        assert (picture != face).mean() > 0.9
    colour = np.repeat(np.repeat(FACES[0], 2, 0), 2, 1)[..., None].repeat(3, 2)
    np.testing.assert_array_equal(n.made("negative", 1, [colour], 0)[0], 255 - FACES[0])


def test_the_read_passes_99_of_100_faces_and_refuses_what_is_none(save_weights, tiny, monkeypatch):
    """Faces of one kind (a bright half), which weights that were never trained can tell."""
    monkeypatch.setattr(n, "EACH", 30)
    (job, *_) = jobs(str(save_weights("w", {"data": "other"})), tiny, "public")
    rng = np.random.default_rng(0)

    def faces(count: int) -> list[np.ndarray]:
        made = rng.integers(0, 60, (count, 48, 48), np.uint8)
        made[:, 10:24, 8:20] += 150
        made[:, 10:24, 28:40] += 150
        return list(made)

    public = n.embeddings(job.backend, faces(150))
    probe = n.fit_probe(job.backend, faces(150), public)
    decision = Decision.of({"face_probe": probe}, tiny.label_names)
    assert (~decision.is_face(public, 150)).sum() == 1
    assert decision.is_face(n.embeddings(job.backend, faces(100)), 100).mean() > 0.93
    answered = [decision.is_face(n.embeddings(job.backend, n.made(kind, 30, faces(30), 9)), 30)
                for kind in ("noise", "flat", "stripes", "blocks")]  # fmt: skip
    assert np.mean(answered) < 0.1
    assert n.fit_probe(job.backend, FACES, public) == n.fit_probe(job.backend, FACES, public)
    with pytest.raises(DataError, match="no training faces"):
        n.fit_probe(job.backend, [], public)
