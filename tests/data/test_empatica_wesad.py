"""Sessions of a wristband and WESAD's folders, in made-up trees of the published layouts."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.data.empatica import read_empatica
from fer_cbam.data.wesad import read_wesad
from fer_cbam.errors import DataError, SignalError

BVP = b"1495437325.000000\n64.000000\n" + b"".join(b"%d.5\n" % (i % 7) for i in range(640))
EDA = b"1495437325.500000\n4.000000\n" + b"".join(b"1.%d\n" % (i % 9) for i in range(100))
SESSION = {"BVP.csv": BVP, "EDA.csv": EDA, "tags.csv": b"", "info.txt": b"x"}
QUEST = (b"# Subj;S2;\n# ORDER;Base;TSST;Medi 1;Fun;Medi 2;sRead;fRead\n"
         b"# START;7.08;39.55;70.19;81.25;93.38;54.42;89.51\n"
         b"# END;26.32;50.3;77.1;87.47;100.15;56.07;91.15\n;;;\n# PANAS;1;2\n")  # fmt: skip


def test_a_session(write_tree):
    got = read_empatica(write_tree(SESSION))
    assert set(got) == {"ppg", "eda"}
    assert got["ppg"].rate == 64 and got["ppg"].seconds == 10
    assert got["eda"].start == 1495437325.5 and got["eda"].rate == 4
    np.testing.assert_allclose(got["eda"].values[:4], [1.0, 1.1, 1.2, 1.3])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"BVP.csv": b"64\n", "EDA.csv": EDA}, DataError, "begins with 64"),
        ({"BVP.csv": b"1.5\n64\nx\n", "EDA.csv": EDA}, DataError, "a number a row"),
        ({"EDA.csv": b"1.5\n4\n" + b"2000\n" * 9}, SignalError, "another unit"),
        ({"a/EDA.csv": EDA, "b/EDA.csv": EDA}, DataError, "expected one session"),
        ({"HR.csv": b"1\n1\n60\n"}, DataError, r"expected BVP\.csv or EDA\.csv"),
    ],
)
def test_what_is_no_session(write_tree, changes, error, words):
    with pytest.raises(error, match=words):
        read_empatica(write_tree(changes))


def test_wesad_without_opening_its_pickles(write_tree):
    files = {"WESAD/S2/S2_quest.csv": QUEST, "WESAD/S10/S10_quest.csv": QUEST,
             "WESAD/S2/S2.pkl": b"cposix\nsystem\n(S'false'\ntR.",
             "WESAD/S10/S10.pkl": b"never read"}  # fmt: skip
    for subject in ("S2", "S10"):
        files |= {f"WESAD/{subject}/{subject}_E4_Data/{k}": v for k, v in SESSION.items()}
    got = read_wesad(write_tree(files))
    assert [subject.name for subject in got] == ["S2", "S10"]
    stages = got[0].stages
    assert [stage.name for stage in stages][:4] == ["baseline", "stress", "meditation", "amusement"]
    assert (stages[0].begin, stages[0].end) == (7 * 60 + 8, 26 * 60 + 32)
    assert (stages[1].begin, stages[1].end) == (39 * 60 + 55, 50 * 60 + 30)
    assert got[1].signals["ppg"].rate == 64


def test_wesad_that_is_not_whole(write_tree):
    with pytest.raises(DataError, match=r"expected BVP\.csv or EDA\.csv"):
        read_wesad(write_tree({"S2/S2_quest.csv": QUEST}))


@pytest.mark.parametrize("quest", [b"# ORDER;Base;Nap\n# START;1.0;2.0\n# END;2.0;3.0\n",
                                   b"# ORDER;Base\n# START;1.0\n", b"nothing"])  # fmt: skip
def test_stages_that_are_not_known(write_tree, quest):
    with pytest.raises(DataError, match="expected some of Base, TSST"):
        read_wesad(write_tree({"S2/S2_quest.csv": quest, "S2/S2_E4_Data/EDA.csv": EDA}))


def test_no_subject_of_wesad(write_tree):
    with pytest.raises(DataError, match=r"expected S2/S2_quest\.csv"):
        read_wesad(write_tree({"a.txt": b"x"}))
