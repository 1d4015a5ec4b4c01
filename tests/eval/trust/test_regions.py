"""The section on regions: Shapley values by hand, a sentence that holds and one that does not."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from eval.trust import regions
from eval.trust.page import find
from eval.trust.regions import commonest, facs_records, region_worths, sentence_records, shapley
from fer_cbam.words.regions import REGIONS, region_masks

LANDMARKS = np.array([[14, 18], [34, 18], [24, 28], [17, 34], [31, 34]], np.float32)


def test_shapley_values_are_the_means_over_all_orders():
    worths = np.random.default_rng(0).random(16)
    gains = np.zeros(4)
    for order in permutations(range(4)):
        there = 0
        for player in order:
            gains[player] += worths[there | (1 << player)] - worths[there]
            there |= 1 << player
    np.testing.assert_allclose(shapley(worths), gains / 24)
    assert shapley(worths).sum() == pytest.approx(worths[15] - worths[0])


def test_worths_are_of_what_is_shown(subject):
    x = subject.backend.preprocess(subject.crops[:1])
    worths = region_worths(subject, x, region_masks(LANDMARKS, 48), 1)
    assert worths.shape == (256,)
    logits = subject.backend.forward(x).logits[0].astype(float)
    probs = np.exp(logits) / np.exp(logits).sum()
    assert worths[255] == pytest.approx(probs[1], abs=1e-5)
    flat = np.full_like(x, x.mean())
    logits = subject.backend.forward(flat).logits[0].astype(float)
    assert worths[0] == pytest.approx((np.exp(logits) / np.exp(logits).sum())[1], abs=1e-4)


def losses(strong: str, by: float = 0.3) -> np.ndarray:
    found = np.full((2, len(REGIONS)), 0.01)
    found[:, REGIONS.index(strong)] = by
    return found


def sentences(subject, named, unused, labels=None):
    rows = subject.table.iloc[: len(named)]
    labels = labels or ["happiness"] * len(named)
    return sentence_records(subject, rows, labels, named, np.stack(unused))


def test_a_sentence_that_holds(subject):
    named = ["mouth", "mouth", None, "eyes", "mouth"]
    strong = ["mouth", "mouth", "mouth", "eyes", "mouth"]
    found = sentences(subject, named, [losses(region) for region in strong])
    values = {r["metric"]: r["value"] for r in found}
    assert values["named"] == 0.8
    assert values["holds"] == values["strongest"] == values["among_two_strongest"] == 1
    assert values["commonest_strongest"] == 0.75
    assert values["loss_over_commonest"] == pytest.approx(0.29 / 4)
    assert find(found, metric="holds")["n"] == 4 and find(found, metric="named")["n"] == 5


def test_a_sentence_that_does_not(subject):
    weak = losses("mouth")
    weak[1, REGIONS.index("eyes")] = 0.5  # with the other fill another region
    found = sentences(subject, ["jaw", "jaw"], [weak, losses("mouth", 0.2)])
    values = {r["metric"]: r["value"] for r in found}
    assert values["holds"] == 0 and values["strongest"] == 0
    assert values["loss_over_commonest"] < 0


def test_the_commonest_region_is_that_of_the_other_faces():
    found = commonest(["a", "a", "a", "b"], np.array([4, 4, 2, 1]))
    assert list(found) == [2, 2, 4, 4] or list(found) == [4, 2, 4, 4]
    assert found[2] == 4


def test_share_and_area_of_facs(subject):
    masks = region_masks(LANDMARKS, 48)
    found = list(facs_records(subject, ["happiness", "anger"], np.stack(
        [losses("mouth", 0.93), losses("forehead", 0.93)]), [masks, masks]))  # fmt: skip
    share = {r["group"]: r["value"] for r in found if r["metric"] == "facs_share"}
    # Mouth 0.93 and cheeks 0.01 of 0.99; brows, eyes and mouth 0.03 of 0.99.
    assert share == pytest.approx({"happiness": 0.94 / 0.99, "anger": 0.03 / 0.99})
    face = sum(m.sum() for name, m in masks.items() if name != "surroundings")
    area = find(found, metric="facs_area", group="happiness")["value"]
    assert area == pytest.approx((masks["mouth"].sum() + masks["cheeks"].sum()) / face)


def test_facs_are_drawn_and_told(subject):
    masks = region_masks(LANDMARKS, 48)
    records = list(facs_records(subject, ["happiness", "anger"], np.stack(
        [losses("mouth", 0.93), losses("forehead", 0.93)]), [masks, masks]))  # fmt: skip
    (axes,) = regions.facs_bars(records).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["anger", "happiness"]
    heights = [bar.get_height() for bar in axes.patches]
    share, area = ([find(records, metric=m, group=g)["value"] for g in ("anger", "happiness")]
                   for m in ("facs_share", "facs_area"))  # fmt: skip
    assert heights == [*share, *area]
    page = regions.html(records)
    assert page.count("<img") == 1 and "Action units are open" in page
    assert "<img" not in regions.html([])


def test_noise_has_no_regions(subject):
    with pytest.raises(regions.DataError, match="no face was found in any crop"):
        regions.measure(subject)


@pytest.mark.data
def test_faces_of_a_data_set_have(data_dir, subject):
    from eval.trust.subject import open_subject

    own = open_subject("fer_cbam_tiny.ferplus", data_dir / "ckplus48.zip", "subject10", quick=True)
    regions_found = regions.located(own, np.arange(10))
    assert len(regions_found) >= 7
    for masks in regions_found.values():
        rows = {name: np.mean(np.nonzero(masks[name])[0]) for name in ("brows", "eyes", "mouth")}
        assert rows["brows"] < rows["eyes"] < rows["mouth"]
