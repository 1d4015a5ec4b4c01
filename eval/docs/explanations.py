"""Tables of explanations, from the reports of ``python -m eval trust``."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from eval.docs import titles
from eval.docs.markdown import cell, table, text
from eval.docs.records import select

UNUSED = "unused fills"
#: Metric -> what it says, of the regions that the sentence names.
SENTENCE = {
    "named": "faces for which a region is named",
    "holds": "hiding it takes at least 0.02 with both unused fills",
    "strongest": "it is the strongest with the unused fills",
    "among_two_strongest": "it is among the two strongest",
    "commonest_strongest": "the commonest region of the emotion is the strongest",
    "loss_over_commonest": "probability lost beyond that of the commonest region",
}
#: What maps are held against, and its title; what was not measured has no column.
TESTS = {"head": "head shuffled", "labels": "labels shuffled", "another face": "another face",
         "another class": "another class"}  # fmt: skip


def _trust(records: pd.DataFrame) -> pd.DataFrame:
    return select(records, study="trust")


def _of_each(records: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Title of weights and data -> their records."""
    groups = records.groupby(["weights", "data"], sort=True)
    return [(f"{titles.method(w)} on {titles.data(d)}", own) for (w, d), own in groups]


def faithfulness(records: pd.DataFrame) -> str:
    """ABPC of every method by the fills that none explains with, from the best down."""
    rows = []
    for title, own in _of_each(_trust(records)):
        found = select(own, metric="abpc", option=UNUSED).sort_values("value", ascending=False)
        for method in found["condition"]:
            where = {"condition": method, "option": UNUSED}
            rows.append([
                title, method, cell(own, ".3f", "interval", metric="abpc", **where),
                cell(own, "+.3f", "interval", metric="abpc_gain", group="over Gaussian", **where),
                cell(own, ".1f", metric="milliseconds", condition=method),
            ])  # fmt: skip
    return table(["weights", "map", "ABPC", "above the Gaussian", "ms"], rows)


def sanity(records: pd.DataFrame) -> str:
    """Rank correlations of maps that should differ."""
    found = select(_trust(records), metric="rank_correlation")
    tests = [test for test in TESTS if test in set(found["option"])]
    rows = []
    for title, own in _of_each(_trust(records)):
        rhos = select(own, metric="rank_correlation")
        rows += [
            [title, method, *(cell(rhos, ".2f", condition=method, option=test) for test in tests)]
            for method in dict.fromkeys(rhos["condition"])
        ]
    return table(["weights", "map", *(TESTS[test] for test in tests)], rows)


def gates(records: pd.DataFrame) -> str:
    """Answers that change when CBAM's gates are replaced."""
    rows = []
    for title, own in _of_each(_trust(records)):
        changed = select(own, metric="answers_changed")
        rows += [
            [title, gate, *(cell(changed, ".1p", condition=gate, option=which)
                            for which in ("last gate", "all gates"))]
            for gate in dict.fromkeys(changed["condition"])
        ]  # fmt: skip
    return table(["% of answers changed", "gate replaced by", "the last", "all"], rows)


def sentence(records: pd.DataFrame) -> str:
    """How often the sentence names a region, and whether it is right."""
    each = [(title, own) for title, own in _of_each(_trust(records))
            if len(select(own, metric="named"))]  # fmt: skip
    rows = []
    for metric, said in SENTENCE.items():
        spec = "+.3f" if metric == "loss_over_commonest" else ".1p"
        unit = "" if spec == "+.3f" else " (%)"
        rows.append([said + unit, *(cell(own, spec, "interval", metric=metric)
                                    for _, own in each)])  # fmt: skip
    return table(["", *(title for title, _ in each)], rows if each else [])


def facs(records: pd.DataFrame) -> str:
    """Share of what hiding takes that lies in the regions that FACS ties to an emotion."""
    rows = []
    for title, own in _of_each(_trust(records)):
        shares = select(own, metric="facs_share")
        for _, row in shares.iterrows():
            area = cell(own, ".0p", metric="facs_area", group=row["group"])
            shown = text(row["value"], ".0p")
            rows.append([title, row["group"], shown, area, text(row["n"], ".0f")])
    return table(["weights", "emotion", "share (%)", "of the area (%)", "faces"], rows)


BLOCKS: dict[str, Callable[[pd.DataFrame], str]] = {
    "trust-faithfulness": faithfulness,
    "trust-sanity": sanity,
    "trust-gates": gates,
    "trust-sentence": sentence,
    "trust-facs": facs,
}
