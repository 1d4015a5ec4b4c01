"""FER+: the modes on rows worked out by hand, and the join with FER2013."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_sets import FER2013_HEADER, csv_row, noise, png

from fer_cbam.data import ferplus, load
from fer_cbam.data.base import Dataset
from fer_cbam.data.files import open_files
from fer_cbam.errors import DataError
from fer_cbam.labels import EMOTIONS

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
NEUTRAL, HAPPINESS, SURPRISE, SADNESS, ANGER, DISGUST, FEAR, CONTEMPT = range(8)

# Votes in file order; then what each mode makes of them: emotion -> probability, None = dropped.
# "of n" is the sum that is left when lone votes are gone.
CASES = [
    # 4, 3, 2 of 9: no half; 4 + 3 = 7 is three quarters (6.75), so disgust is not taken.
    ((4, 0, 0, 1, 3, 2, 0, 0, 0, 0), None,
     {NEUTRAL: 4 / 7, ANGER: 3 / 7}, {NEUTRAL: 4 / 9, ANGER: 3 / 9, DISGUST: 2 / 9}),
    # 6 and unknown 2 of 8: exactly three quarters stop it, before unknown as before anger.
    ((6, 0, 1, 1, 0, 0, 0, 0, 2, 0), {NEUTRAL: 1}, {NEUTRAL: 1}, {NEUTRAL: 1}),
    ((6, 0, 1, 0, 2, 0, 0, 0, 1, 0), {NEUTRAL: 1}, {NEUTRAL: 1}, {NEUTRAL: 0.75, ANGER: 0.25}),
    # Half of the votes is no majority.
    ((5, 0, 0, 0, 0, 0, 0, 0, 5, 0), None, None, {NEUTRAL: 1}),
    ((5, 5, 0, 0, 0, 0, 0, 0, 0, 0), None,
     {NEUTRAL: 0.5, HAPPINESS: 0.5}, {NEUTRAL: 0.5, HAPPINESS: 0.5}),
    # Unknown and no face win, or nobody does.
    ((0, 0, 0, 0, 0, 0, 0, 0, 0, 10), None, None, None),
    ((2, 0, 0, 0, 0, 0, 0, 0, 6, 2), None, None, None),
    ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), None, None, None),
    # The second level brings three equals: four emotions are too many.
    ((4, 2, 2, 2, 0, 0, 0, 0, 0, 0), None, None,
     {NEUTRAL: 0.4, HAPPINESS: 0.2, SURPRISE: 0.2, SADNESS: 0.2}),
    ((3, 3, 2, 2, 0, 0, 0, 0, 0, 0), None, None,
     {NEUTRAL: 0.3, HAPPINESS: 0.3, SURPRISE: 0.2, SADNESS: 0.2}),
    # Three emotions are not.
    ((4, 3, 3, 0, 0, 0, 0, 0, 0, 0), None,
     {NEUTRAL: 0.4, HAPPINESS: 0.3, SURPRISE: 0.3},
     {NEUTRAL: 0.4, HAPPINESS: 0.3, SURPRISE: 0.3}),
    # Unknown comes level with the leader: 4 of 10 is not more than half.
    ((4, 0, 0, 0, 2, 0, 0, 0, 4, 0), None, None, {NEUTRAL: 4 / 6, ANGER: 2 / 6}),
    # Unknown comes second and ends the taking, before sadness: 5 of 10, and 5 of 8.
    ((5, 0, 0, 2, 0, 0, 0, 0, 3, 0), None, None, {NEUTRAL: 5 / 7, SADNESS: 2 / 7}),
    ((5, 0, 0, 1, 0, 0, 0, 0, 3, 1), {NEUTRAL: 1}, {NEUTRAL: 1}, {NEUTRAL: 1}),
    # Unknown among the equals: the emotions of that level still count, here 7 of 9.
    ((3, 2, 2, 0, 0, 0, 0, 0, 2, 1), None,
     {NEUTRAL: 3 / 7, HAPPINESS: 2 / 7, SURPRISE: 2 / 7},
     {NEUTRAL: 3 / 7, HAPPINESS: 2 / 7, SURPRISE: 2 / 7}),
    ((0, 4, 4, 2, 0, 0, 0, 0, 0, 0), None,
     {HAPPINESS: 0.5, SURPRISE: 0.5}, {HAPPINESS: 0.4, SURPRISE: 0.4, SADNESS: 0.2}),
    # Contempt, the last column that is an emotion; four lone votes do not count: 6 of 6.
    ((1, 1, 1, 0, 1, 0, 0, 6, 0, 0), {CONTEMPT: 1}, {CONTEMPT: 1}, {CONTEMPT: 1}),
]  # fmt: skip


def _vector(probs: dict[int, float] | None) -> object:
    return None if probs is None else pytest.approx([probs.get(i, 0) for i in range(8)], abs=1e-12)


@pytest.mark.parametrize(("votes", "majority", "probability", "distribution"), CASES)
def test_modes(votes: tuple, majority: dict, probability: dict, distribution: dict) -> None:
    assert ferplus.majority(votes) == _vector(majority)
    assert ferplus.probability(votes) == _vector(probability)
    assert ferplus.distribution(votes) == _vector(distribution)


# Five images; the third has no name, the fourth is dropped by majority, the fifth is a tie.
USAGES = ["Training", "PublicTest", "Training", "PrivateTest", "Training"]
VOTES = [
    "Training,fer0000000.png,1,1,1,0,1,0,0,6,0,0",
    "PublicTest,fer0000001.png,0,9,0,0,0,0,0,0,1,0",
    "Training,,0,0,0,0,0,0,0,0,0,10",
    "PrivateTest,fer0000002.png,4,0,0,1,3,2,0,0,0,0",
    "Training,fer0000003.png,0,0,4,4,2,0,0,0,0,0",
]


@pytest.fixture
def fer2013_csv(write_csv: Callable[..., Path]) -> Path:
    rows = [csv_row(0, noise(i), usage) for i, usage in enumerate(USAGES)]
    return write_csv([FER2013_HEADER, *rows])


@pytest.fixture
def load_votes(
    fer2013_csv: Path, write_csv: Callable[..., Path]
) -> Callable[[list[str], str], Dataset]:
    def read(lines: list[str], mode: str = "majority") -> Dataset:
        return load(fer2013_csv, votes=write_csv(lines, "fer2013new.csv"), votes_mode=mode)

    return read


def test_majority_joins_by_row(load_votes: Callable[..., Dataset]) -> None:
    dataset = load_votes([HEADER, *VOTES])
    assert (dataset.name, dataset.label_names) == ("ferplus", EMOTIONS)
    found = [(s.sample_id, s.label, s.split, dict(s.label_probs)) for s in dataset.samples]
    assert found == [
        ("fer2013:0", "contempt", "Training", {}),
        ("fer2013:1", "happiness", "PublicTest", {}),
    ]
    assert (dataset.pixels() == [noise(0), noise(1)]).all()


def test_probability_carries_the_distribution(load_votes: Callable[..., Dataset]) -> None:
    dataset = load_votes([HEADER, *VOTES], "probability")
    # The tie of surprise and sadness goes to the column that comes first.
    found = {s.sample_id: (s.label, dict(s.label_probs)) for s in dataset.samples}
    assert found == {
        "fer2013:0": ("contempt", {}),
        "fer2013:1": ("happiness", {}),
        "fer2013:3": ("neutral", {"neutral": pytest.approx(4 / 7), "anger": pytest.approx(3 / 7)}),
        "fer2013:4": ("surprise", {"surprise": 0.5, "sadness": 0.5}),
    }
    probs = dataset.target_probs()
    # anger, contempt, disgust, fear, happiness, neutral, sadness, surprise
    assert probs[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert probs[3].tolist() == [0, 0, 0, 0, 0, 0, 0.5, 0.5]


def _edited(row: int, old: str, new: str) -> list[str]:
    lines = [HEADER, *VOTES]
    assert old in lines[row]
    lines[row] = lines[row].replace(old, new, 1)
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, *VOTES[:-1]], "4 rows of votes; expected 5"),
        ([HEADER, *VOTES, VOTES[0]], "6 rows of votes; expected 5"),
        (_edited(2, "PublicTest", "Training"),
         "line 3: Usage 'Training'; expected 'PublicTest', as of the image"),
        (_edited(2, "PublicTest", "Test"), "line 3: Usage 'Test'; expected one of"),
        (_edited(4, ",4,", ",11,"), "line 5: votes '11'; expected 0 to 10"),
        (_edited(4, ",4,", ",-4,"), "line 5: votes '-4'; expected 0 to 10"),
        (_edited(4, ",4,", ",,"), "line 5: votes ''; expected 0 to 10"),
        (_edited(4, ",4,", ",9,"), "line 5: 15 votes in all; expected 1 to 10"),
        (_edited(3, ",10", ",0"), "line 4: 0 votes in all; expected 1 to 10"),
        (_edited(4, ",4,", ",4,0,"), "line 5: 13 fields; expected 12"),
        (_edited(0, "NF", "none"), "line 1 is .*; expected fer2013new.csv with the columns"),
    ],
)  # fmt: skip
def test_wrong_votes_are_named(
    lines: list[str], message: str, load_votes: Callable[..., Dataset]
) -> None:
    with pytest.raises(DataError, match=message):
        load_votes(lines)


def test_an_unknown_mode_is_named(load_votes: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match="mode 'average'; expected one of majority, probability"):
        load_votes([HEADER, *VOTES], "average")


def test_votes_need_the_rows_of_the_csv(
    write_tree: Callable[..., Path], write_csv: Callable[..., Path]
) -> None:
    """A folder of images has lost the order that the votes are joined by."""
    images = write_tree({"train/happy/Training_0.png": png(noise(0))})
    with pytest.raises(DataError, match=r"no CSV with these columns; expected fer2013\.csv"):
        load(images, votes=write_csv([HEADER, *VOTES], "fer2013new.csv"))


@pytest.mark.data
@pytest.mark.parametrize(
    ("mode", "training", "public", "private"),
    [
        # 3,199 and 3,153 are the counts that published FER+ figures are made on.
        ("majority", 25060, 3199, 3153),
        ("probability", 27956, 3505, 3505),
        ("distribution", 28389, 3553, 3546),
    ],
)
def test_images_kept_of_the_real_file(
    mode: str, training: int, public: int, private: int, data_dir: Path, real_fer2013: Dataset
) -> None:
    with open_files(data_dir / "fer2013new.csv") as votes:
        dataset = ferplus.relabel(real_fer2013, votes, mode)
    splits = Counter(s.split for s in dataset.samples)
    assert splits == {"Training": training, "PublicTest": public, "PrivateTest": private}
    assert dataset.target_probs().sum(1) == pytest.approx(1, abs=1e-6)
    if mode == "majority":
        rare = Counter(s.label for s in dataset.samples if s.split == "PrivateTest")
        assert (rare["contempt"], rare["disgust"]) == (16, 18)
