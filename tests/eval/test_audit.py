"""The audit finds a known bias, is silent on fair tables, and agrees with fairlearn."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.metrics import accuracy_score

from eval import audit, table
from eval.__main__ import main
from fer_cbam.errors import DataError
from tests.eval.conftest import make_table

EMOTIONS = ("anger", "fear", "happiness")
MIX = {"a": (0.2, 0.2, 0.6), "b": (0.4, 0.2, 0.4)}  # group b shows more anger
RECALL = {"anger": 0.6, "fear": 0.7, "happiness": 0.9}  # and anger is hard, for everybody


def faces(seed: int, n: int = 3000, bias: float = 0.0) -> tuple[audit.Answers, np.ndarray]:
    """Faces of two groups; in group b the recall of anger is lower by bias."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n, p=(0.6, 0.4))
    targets = np.array([rng.choice(EMOTIONS, p=MIX[g]) for g in group], object)
    recall = np.array([RECALL[t] for t in targets]) - bias * ((group == "b") & (targets == "anger"))
    others = np.array([EMOTIONS[(EMOTIONS.index(t) + 1) % 3] for t in targets], object)
    said = np.where(rng.random(n) < recall, targets, others)
    confidence = np.clip(np.array([RECALL[t] for t in targets]) + rng.normal(0, 0.05, n), 0, 1)
    return audit.Answers(targets, said, np.arange(n), confidence), group


def run(answers: audit.Answers, column, shuffles: int = 500) -> audit.Audit:
    return audit.audit(answers, column, np.random.default_rng(0), shuffles)


def test_a_known_bias_is_found_where_it_is():
    found = run(*faces(0, bias=0.2))
    assert {"recall_anger", "standardised_accuracy", "calibration"} <= set(found.found)
    assert not {"recall_fear", "recall_happiness", "selection_rate_happiness"} & set(found.found)
    assert found.gaps["recall_anger"] == pytest.approx(0.2, abs=0.06)
    own = found.values["recall_anger"]
    assert own[0] > own[1]  # group b is served worse
    assert found.values["calibration"][1] > found.values["calibration"][0] + 0.02
    assert any("recall_anger" in text and "least for b" in text for text in audit.sentences(found))


def test_a_fair_table_stays_silent_though_its_accuracies_differ():
    loud = 0
    for seed in range(12):
        found = run(*faces(seed, 2000), 300)
        raw = found.values["accuracy"]
        assert raw[0] - raw[1] > 0.01  # b shows more of what is hard for everybody
        loud += bool(found.found)
    assert loud <= 2  # 5 % of tables by design
    assert audit.sentences(run(*faces(1, 2000))) == [
        "no gap that shuffled groups do not show as well"
    ]


def test_fairlearn_says_the_same():
    answers, group = faces(3, bias=0.1)
    found = run(answers, group)
    frame = MetricFrame(metrics=accuracy_score, y_true=answers.targets, y_pred=answers.said,
                        sensitive_features=group)  # fmt: skip
    np.testing.assert_allclose(found.values["accuracy"], frame.by_group)
    cells = MetricFrame(metrics=accuracy_score, y_true=answers.targets, y_pred=answers.said,
                        sensitive_features=group, control_features=answers.targets)  # fmt: skip
    recall = cells.by_group.unstack(0)
    share = pd.Series(answers.targets).value_counts(normalize=True)
    for emotion in EMOTIONS:
        np.testing.assert_allclose(found.values[f"recall_{emotion}"], recall[emotion])
        said = (answers.said == emotion).astype(int)
        chosen = MetricFrame(
            metrics=selection_rate, y_true=said, y_pred=said, sensitive_features=group,
            control_features=answers.targets,
        )  # fmt: skip
        expected = (chosen.by_group.unstack(0) * share).sum(axis=1)
        np.testing.assert_allclose(found.values[f"selection_rate_{emotion}"], expected)
        assert found.gaps[f"recall_{emotion}"] == pytest.approx(
            cells.difference(method="between_groups")[emotion]
        )
    standardised = (recall * share).sum(axis=1)
    np.testing.assert_allclose(found.values["standardised_accuracy"], standardised)
    sure = pd.Series(answers.confidence).groupby([group, answers.targets]).mean().unstack()
    np.testing.assert_allclose(
        found.values["calibration"], ((sure - recall) * share).sum(axis=1), atol=1e-12
    )


def test_cells_of_fewer_than_50_are_silent():
    targets = np.array(["anger"] * 99 + ["happiness"] * 200, object)
    group = np.array(["a"] * 50 + ["b"] * 49 + ["a"] * 100 + ["b"] * 100)
    answers = audit.Answers(targets, targets, np.arange(299))
    found = run(answers, group, 50)
    own = found.values["recall_anger"]
    assert own[0] == 1 and np.isnan(own[1])
    assert "recall_anger" not in found.gaps and "recall_happiness" in found.gaps
    assert "selection_rate_anger" not in found.gaps
    assert "not said of anger" in audit.silence(found)[0]
    records = list(audit.audit_records(found, "x"))
    value = {r["metric"]: r["value"] for r in records}
    assert (value["silent_anger"], value["weight_anger"], value["weight_happiness"]) == (49, 0, 1)
    assert not [r for r in records if r["metric"] == "recall_anger" and r.get("group") == "b"]


def test_many_small_groups_differ_by_their_spread_alone():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(60), 10)
    targets = np.tile(np.array(["anger", "happiness"], object), 300)
    spreads = {}
    for name, recall in (("same", np.full(60, 0.7)), ("torn", rng.choice([0.45, 0.95], 60))):
        right = rng.random(600) < recall[person]
        said = np.where(right, targets, "fear")
        found = run(audit.Answers(targets, said, np.arange(600)), person)
        assert set(found.gaps) == {"spread"}  # every cell is silent
        spreads[name] = found
    assert spreads["torn"].found == ("spread",) and spreads["same"].found == ()
    means = pd.Series(right - pd.Series(right).groupby(targets).transform("mean"))
    expected = np.sqrt((means.groupby(person).mean() ** 2).mean())  # ten faces each
    assert spreads["torn"].gaps["spread"] == pytest.approx(expected)


def test_units_are_shuffled_whole_and_within_an_emotion():
    codes = np.repeat([0, 1, 0, 1, 1], 3)
    targets = np.repeat([0, 0, 1, 1, 1], 3)
    units = np.repeat([7, 3, 9, 1, 4], 3)
    seen = set()
    for drawn in audit._shuffled(codes, targets, units, np.random.default_rng(0), 100):
        assert (drawn.reshape(5, 3) == drawn[::3, None]).all()
        assert (drawn[:6].sum(), drawn[6:].sum()) == (3, 6)
        seen.add(tuple(drawn[::3]))
    assert len(seen) == 2 * 3
    # Faces that are copies of each other count once: a bias that one sequence shows is none.
    answers, group = faces(5, 600, bias=0.2)
    copied = audit.Answers(*(np.repeat(v, 10) for v in (answers.targets, answers.said)),
                           np.repeat(np.arange(600), 10))  # fmt: skip
    whole = run(copied, np.repeat(group, 10))
    alone = run(audit.Answers(copied.targets, copied.said, np.arange(6000)), np.repeat(group, 10))
    assert whole.gaps == alone.gaps
    assert whole.shuffled["recall_anger"].mean() > 2 * alone.shuffled["recall_anger"].mean()


def test_needed_n_holm_and_bands():
    assert audit.needed_n(0.8) == 294  # Fleiss et al., p1 0.8, p2 0.7, without correction
    assert audit.needed_n(0.9, 0.05) == 686
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    assert audit.holm(p) == ("d", "a")  # 0.005 <= 0.0125, 0.01 <= 0.0167, 0.03 > 0.025
    assert audit.holm({"a": 0.06}) == ()
    values = [5.0, 1, 9, np.nan, 3, 7, 2]
    means = audit.unit_means(np.array([1.0, 3, np.nan, 5, np.nan]), np.array([0, 0, 0, 1, 2]))
    np.testing.assert_array_equal(means, [2, 2, 2, 5, np.nan])
    expected = pd.qcut(pd.Series(values), 3, labels=audit.BANDS)
    assert audit.bands(values) == [None if pd.isna(v) else v for v in expected]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a"] * 10, "groups: a; expected two or more"),
        ([None] * 10, "groups: none"),
        (["a", "b"], "2 values; expected 10"),
    ],
)
def test_what_cannot_be_compared_is_an_error(column, message):
    labels = np.array(["fear"] * 10, object)
    with pytest.raises(DataError, match=message):
        run(audit.Answers(labels, labels, np.arange(10)), column)


def test_from_the_command_line(tmp_path, capsys):
    answers, group = faces(0, bias=0.25)
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({
        "target": answers.targets, "prediction": answers.said, "confidence": answers.confidence,
        "agreement": rng.random(len(group)), "where": group,
        "age": rng.integers(18, 80, len(group)),
    })  # fmt: skip
    frame.loc[:9, "where"] = None
    frame["target"] = frame["target"].replace("anger", "Angry")
    frame.to_csv(tmp_path / "faces.csv", index=False)
    common = ["audit", "--table", str(tmp_path / "faces.csv"), "--out", str(tmp_path / "out")]
    main([*common, "--group", "where", "age"])
    content = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert content["study"] == "audit" and content["faces"] == 3000
    records = content["records"]
    value = {(r["condition"], r.get("group"), r["metric"]): r["value"] for r in records}
    assert value["where", None, "found_recall_anger"] == 1
    assert value["age", None, "found_recall_anger"] == 0
    assert value["where", "a", "faces"] + value["where", "b", "faces"] == 2990
    kept = frame[frame["where"] == "b"]
    assert value["where", "b", "agreement"] == pytest.approx(kept["agreement"].mean(), abs=1e-6)
    assert [g for c, g, m in value if (c, m) == ("age", "faces")] == list(audit.BANDS)
    out = capsys.readouterr().out
    assert "recall_anger" in out.partition("age\n")[0]
    with pytest.raises(SystemExit, match=r"^DataError: group 'race'; expected one of: target"):
        main([*common, "--group", "race"])
    frame.drop(columns="prediction").to_csv(tmp_path / "faces.csv", index=False)
    with pytest.raises(SystemExit, match=r"expected also prediction"):
        main([*common, "--group", "where"])


def test_predictions_of_eval_with_groups_of_another_table(tmp_path):
    targets = ["anger", "happiness"] * 30
    logits = np.random.default_rng(0).normal(size=(60, 3))
    whole = make_table(targets, logits, subjects=[f"S{i // 6}" for i in range(60)])
    table.write(whole, tmp_path / "predictions.parquet")
    groups = pd.DataFrame({"sample_id": [str(i) for i in range(60)][::-1], "glasses": [0, 1] * 30})
    groups.to_csv(tmp_path / "groups.csv", index=False)
    read = audit.read_table(tmp_path / "predictions.parquet", tmp_path / "groups.csv")
    s = table.scored(whole)
    assert list(read["prediction"]) == [s.label_names[p] for p in s.preds]
    np.testing.assert_allclose(read["confidence"], s.confidence)
    assert list(read["glasses"]) == [1, 0] * 30  # joined by name, not by place
    assert audit.answers_of(read).units.tolist() == [i // 6 for i in range(60)]
    groups.drop(columns="sample_id").to_csv(tmp_path / "groups.csv", index=False)
    with pytest.raises(DataError, match="no column sample_id in both tables"):
        audit.read_table(tmp_path / "predictions.parquet", tmp_path / "groups.csv")
