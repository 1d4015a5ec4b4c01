"""What titles promise, held against the weights they name."""

from __future__ import annotations

import pytest

from fer_cbam import pretrained
from fer_cbam.serve.titles import TITLES, title_of


def config(name: str) -> dict:
    return pretrained.read_config(pretrained.embedded_dir(name))


@pytest.mark.parametrize("name", pretrained.embedded_names())
def test_embedded_weights_have_a_title(name):
    assert name in TITLES
    title = title_of(name, len(pretrained.label_names(config(name))))
    assert "{" not in title and len(title) <= 32  # on one line of a phone


def test_other_weights_have_their_name():
    assert title_of("runs/{count}", 3) == "runs/{count}"


def test_a_seventh_of_the_size():
    small, large = (
        (pretrained.embedded_dir(f"fer_cbam_{size}.ferplus") / pretrained.WEIGHTS_FILE).stat()
        for size in ("tiny", "base")
    )
    assert round(large.st_size / small.st_size) == 7


def test_the_paper_knows_no_neutral():
    assert "neutral" not in pretrained.label_names(config("fer_cbam_paper.ckplus48"))
