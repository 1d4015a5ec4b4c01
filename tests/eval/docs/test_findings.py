from __future__ import annotations

import pytest

from eval.docs import findings
from eval.docs.markdown import NOT_YET
from eval.docs.records import select
from eval.records import record


def test_the_first_row_is_a_mean_and_the_others_are_differences(loaded):
    of = {"data": "ferplus", "weights": "net.ferplus"}
    away = {"data": "ckplus48", "weights": "net.ferplus", "condition": "base"}
    records = loaded(plan=[
        record("accuracy", 0.8, sd=0.01, n=3, condition="base", **of),
        record("accuracy", 0.9, sd=0.01, n=2, condition="other", **of),
        record("accuracy_difference", 0.1, low=-0.05, high=0.25, n=2, condition="other", **of),
        record("balanced_accuracy", 0.5, n=3, condition="base", **of),
        record("accuracy", 0.4, n=3, **away),
        record("accuracy", 0.3, n=1, condition="one run", **of),
        record("accuracy_difference", -0.5, n=1, condition="one run", **of),
    ])  # fmt: skip
    assert findings.finding(records, "plan", None).splitlines() == [
        "| % | runs | FER+: accuracy | FER+: balanced | CK+48, never seen: accuracy |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| base | 3 | 80.0 \u00b1 1.0 | 50.0 | 40.0 |",
        "| other | 2 | +10.0 (-5.0 to +25.0) | \u2013 | \u2013 |",
        "| one run | 1 | -50.0 | \u2013 | \u2013 |",
    ]
    chosen = findings.finding(records, "plan", ("base", "one run"))
    assert "other" not in chosen and "one run" in chosen
    assert findings.finding(records, "no such plan", None) == NOT_YET


def test_a_search_in_n_frames(loaded):
    of = {"data": "single_face", "condition": "every 2"}
    records = loaded(tracked_search=[
        record("lost", 3, **of), record("faces", 1200, **of),
        record("landmarks_apart", 0.0213, **of), record("share_of_time", 0.66, **of),
    ])  # fmt: skip
    last = findings.tracked(records).splitlines()[-1]
    assert last == "| a clip of one face, a search in 2 | 3 of 1,200 | 2.1 | 66 |"
    assert findings.tracked(records[:0]) == NOT_YET


@pytest.mark.parametrize("name", findings.TOPICS)
def test_archived_findings_have_the_rows_that_are_shown(name, committed):
    study, rows = findings.TOPICS[name]
    have = set(select(committed, study=study)["condition"])
    assert have and set(rows or ()) <= have


def test_archived_differences_are_those_of_their_runs():
    """Means and paired differences, computed anew from the single runs that are archived too."""
    import json

    import numpy as np
    from scipy import stats

    from eval.docs.records import REPORTS

    checked = 0
    for path in sorted((REPORTS / "findings").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "runs" not in content:  # a measurement, not a mean over trainings
            continue
        first = content["runs"][0]["condition"]
        runs = {(r["condition"], r["data"], r["split"], r["seed"]): r for r in content["runs"]}
        for made in content["records"]:
            metric = made["metric"].removesuffix("_difference")
            own = {key: r[metric] for key, r in runs.items()
                   if key[:2] == (made["condition"], made["data"]) and metric in r}  # fmt: skip
            values = np.array(list(own.values()))
            if metric != made["metric"]:
                pairs = {key: (first, *key[1:]) for key in own}
                values = np.array([own[k] - runs[p][metric] for k, p in pairs.items()
                                   if p in runs and metric in runs[p]])  # fmt: skip
            assert made["value"] == pytest.approx(values.mean(), abs=2e-6)
            assert made["n"] == len(values)
            if "low" in made:
                ends = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
                assert (made["low"], made["high"]) == pytest.approx(ends, abs=2e-5)
            checked += 1
    assert checked > 500
