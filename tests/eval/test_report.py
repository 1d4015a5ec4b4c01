from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eval import report as r
from eval import table
from eval.table import scored
from fer_cbam.errors import DataError
from tests.eval.conftest import LABELS, make_table

NAMES = ["anger", "happiness", "surprise", "anger", "happiness", "surprise"]


def logits_for(predicted, labels=LABELS):
    return 4.0 * np.array([[name == label for label in labels] for name in predicted])


def two_splits(ids):
    # First split 2 of 3 right, second 1 of 3.
    predicted = ["anger", "happiness", "anger", "anger", "anger", "anger"]
    return make_table(
        NAMES, logits_for(predicted), splits=["fold0"] * 3 + ["fold1"] * 3, ids=list(ids)
    )


def test_disjoint_splits_are_pooled():
    got = r.report(two_splits("abcdef"), n_resamples=50)
    assert got["value"] == "pooled over splits, AUC and AP mean over splits"
    accuracy = got["metrics"]["accuracy"]
    assert accuracy["value"] == accuracy["mean"] == pytest.approx(0.5)
    assert accuracy["sd"] == pytest.approx(np.std([2 / 3, 1 / 3], ddof=1))
    # anger: 2 right of 5 predictions in all, but 1 of 2 and 1 of 3 in the splits.
    precision = got["classes"]["anger"]["precision"]
    assert precision["value"] == pytest.approx(2 / 5)
    assert precision["mean"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert got["n"] == got["images"] == 6


def test_auc_never_compares_scores_of_two_folds():
    # In each fold the ranking is perfect; the second fold's scores are all below the first's.
    names = ["anger", "happiness"] * 2
    logits = [[5.0, 3.0, 0.0], [4.0, 4.5, 0.0], [1.0, 3.0, 0.0], [0.0, 4.5, 0.0]]
    got = r.report(make_table(names, logits, splits=["fold0"] * 2 + ["fold1"] * 2), n_resamples=50)
    auc = got["classes"]["anger"]["auc"]
    assert auc["value"] == auc["mean"] == 1.0
    # Drawn together, half of the pairs across the folds would be the wrong way round.
    together = r.measure(scored(make_table(names, logits)))
    assert together["auc_anger"] == pytest.approx(3 / 4)
    assert got["metrics"]["accuracy"]["value"] == pytest.approx(3 / 4)


def test_overlapping_splits_are_averaged():
    got = r.report(two_splits("abcabc"), n_resamples=50)
    assert got["value"] == "mean over splits"
    precision = got["classes"]["anger"]["precision"]
    assert precision["value"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert (got["n"], got["images"]) == (6, 3)
    assert got["confusion_matrix"]["rows"]["surprise"] == [2, 0, 0]
    assert got["splits"]["fold1"] == {"n": 3, "accuracy": pytest.approx(1 / 3)}


def test_interval_holds_the_value_and_names_what_was_drawn():
    rng = np.random.default_rng(0)
    targets = list(rng.choice(LABELS, 60))
    logits = logits_for(targets) + rng.normal(0, 3, (60, 3))
    subjects = [f"S{i % 12}" for i in range(60)]
    got = r.report(make_table(targets, logits, subjects=subjects), n_resamples=300)
    assert "300 resamples of subjects" in got["interval"]
    assert got["subjects"] == 12
    for name in ("accuracy", "macro_f1", "macro_auc", "log_loss", "brier"):
        entry = got["metrics"][name]
        assert entry["low"] < entry["value"] < entry["high"], name
        assert "mean" not in entry


def test_margins_have_no_probability_metrics():
    got = r.report(make_table(NAMES, logits_for(NAMES), scores="margins"), n_resamples=20)
    for name in ("log_loss", "brier", "ece"):
        assert np.isnan(list(got["metrics"][name].values())).all()
    assert got["metrics"]["accuracy"]["value"] == 1


def test_a_prediction_that_is_no_class_of_the_data_is_an_error():
    labels = ("neutral", "anger", "happiness")  # the model knows no surprise
    logits = logits_for(["anger", "neutral", "anger", "anger", "happiness", "neutral"], labels)
    got = r.report(make_table(NAMES, logits, labels=labels), n_resamples=20)
    assert got["metrics"]["accuracy"]["value"] == pytest.approx(3 / 6)
    assert got["confusion_matrix"]["columns"] == [*LABELS, "other"]
    assert got["confusion_matrix"]["rows"]["surprise"] == [1, 0, 0, 1]
    assert got["classes"]["surprise"]["recall"]["value"] == 0
    # Nothing ranks an emotion that the model does not know.
    assert got["classes"]["surprise"]["auc"]["value"] == 0.5


def test_scored_keeps_the_order_of_both_label_sets():
    labels = ("neutral", "anger", "happiness")
    made = make_table(NAMES, np.tile([3.0, 1.0, 2.0], (6, 1)), labels=labels)
    made.attrs["decisions"] = {"only": {"temperature": 2.0}}
    s = scored(made)
    assert s.label_names == (*LABELS, "neutral")
    assert s.outside == ("neutral",)
    assert list(s.preds) == [3] * 6
    e = np.exp([1.0, 2.0, 3.0]) ** 0.5
    np.testing.assert_allclose(s.probs[0], [e[0] / e.sum(), e[1] / e.sum(), 0, e[2] / e.sum()])


def test_equal_logits_go_to_the_first_label_of_the_model():
    made = make_table(["anger"], [[1.0, 1.0, 0.0]], labels=("surprise", "anger", "happiness"))
    assert scored(made).label_names[scored(made).preds[0]] == "surprise"


def test_an_image_twice_in_a_split_is_an_error():
    with pytest.raises(DataError, match="expected each once"):
        r.report(make_table(NAMES, logits_for(NAMES), ids=list("aabcde")))


def test_the_table_survives_its_file(tmp_path):
    made = make_table(NAMES, logits_for(NAMES), subjects=["S1", None] * 3)
    table.write(made, tmp_path / "predictions.parquet")
    back = table.read(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(
        back.astype(object).fillna("none"), made.astype(object).fillna("none")
    )
    assert list(back["subject_id"].isna()) == [False, True] * 3
    assert back.attrs == made.attrs


def test_a_file_that_is_no_table_is_an_error(tmp_path):
    pd.DataFrame({"sample_id": ["a"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"subject_id.*missing; expected a table of eval\.predict"):
        table.read(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="not a readable parquet file"):
        table.read(tmp_path / "text.parquet")


def test_a_report_as_records():
    got = r.report(two_splits("abcdef"), n_resamples=50)
    records = list(r.report_records(got))
    common = {"data": "tiny", "protocol": "paper", "weights": "w", "option": "plain"}
    assert all({k: record[k] for k in common} == common for record in records)
    found = {(record["metric"], record.get("group")): record for record in records}
    assert len(found) == len(records)
    assert found["accuracy", None]["value"] == pytest.approx(0.5)
    assert found["accuracy", None]["n"] == 6
    assert found["precision", "anger"]["sd"] == got["classes"]["anger"]["precision"]["sd"]
    assert found["support", "surprise"]["value"] == 2
    assert found["images", None]["value"] == 6
    assert ("subjects", None) not in found  # nobody's name is known
    assert [row["split"] for row in r.splits_table(got)] == ["fold0", "fold1"]
