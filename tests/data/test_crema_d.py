"""CREMA-D's ratings: one made-up table in the published form, and the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_cbam.data.crema_d import read_votes
from fer_cbam.errors import DataError

HEADER = '"","A","D","F","H","N","S","fileName","numResponses"'
ROWS = [
    '"100001",0,0,0,1,10,0,"1001_IEO_NEU_XX",11',
    '"200001",0,1,0,2,7,0,"1001_IEO_NEU_XX",10',
    '"300001",0,0,0,3,6,0,"1001_IEO_NEU_XX",9',
    '"100002",5,0,0,0,5,0,"1002_DFA_ANG_HI",10',
    '"200002",9,0,0,0,1,0,"1002_DFA_ANG_HI",10',
    '"300002",8,1,0,0,1,0,"1002_DFA_ANG_HI",10',
]


def table(*rows: str) -> dict[str, bytes]:
    return {"votes/tabulatedVotes.csv": "\n".join([HEADER, *rows, ""]).encode()}


def test_votes_of_each_way_of_rating(write_tree: Callable[..., Path]) -> None:
    ratings = read_votes(write_tree(table(*ROWS)))
    assert ratings.clips == ("1001_IEO_NEU_XX", "1002_DFA_ANG_HI")
    assert ratings.actors == ("1001", "1002") and len(ratings) == 2
    np.testing.assert_array_equal(ratings.voice, [[0, 0, 0, 1, 10, 0], [5, 0, 0, 0, 5, 0]])
    np.testing.assert_array_equal(ratings.face[0], [0, 1, 0, 2, 7, 0])
    np.testing.assert_array_equal(ratings.both[1], [8, 1, 0, 0, 1, 0])


def test_clips_without_all_three_ratings_are_left_out(write_tree: Callable[..., Path]) -> None:
    nobody = '"300002",0,0,0,0,0,0,"1002_DFA_ANG_HI",0'
    assert read_votes(write_tree(table(*ROWS[:5], nobody))).clips == ("1001_IEO_NEU_XX",)


def test_the_first_of_two_rows_counts(write_tree: Callable[..., Path]) -> None:
    again = '"309999",6,0,0,0,0,0,"1001_IEO_NEU_XX",6'
    assert read_votes(write_tree(table(*ROWS, again))).both[0, 4] == 6


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (('"400001",0,0,0,1,1,0,"1001_IEO_NEU_XX",2',), "line 2: row '400001'"),
        (('"100001",0,0,0,1,1,0,"clip.wav",2',), "of clip 'clip.wav'"),
        (('"100001",0,0,-1,1,1,0,"1001_IEO_NEU_XX",2',), "votes 0, 0, -1, 1, 1, 0; expected whole"),
        (ROWS[:2], "no clip is rated from voice, face and both"),
    ],
)
def test_what_is_not_a_table_of_ratings(write_tree, rows, message) -> None:
    with pytest.raises(DataError, match=message):
        read_votes(write_tree(table(*rows)))


def test_a_folder_without_the_table(write_tree: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"no tabulatedVotes\.csv"):
        read_votes(write_tree({"summaryTable.csv": b"a,b\n"}))


@pytest.mark.data
def test_the_published_ratings(data_dir: Path) -> None:
    ratings = read_votes(data_dir / "votes/crema_d_votes.zip")
    assert len(ratings) == 7442 and len(set(ratings.actors)) == 91
    assert 9 < ratings.both.sum(1).mean() < 10
