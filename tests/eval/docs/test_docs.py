"""Summary, README and model card say what the committed reports say."""

from __future__ import annotations

import json

import pytest

from benchmarks import report
from eval.docs import render as render_docs
from eval.docs import summary
from eval.docs.render import number, render
from eval.report import dumps
from fer_cbam import pretrained
from fer_cbam.errors import DataError
from fer_cbam.hub.cards import CARD_FILE

ENTRY = {"value": 0.98712, "low": 0.97, "high": 0.9951, "mean": 0.987, "sd": 0.004, "n": 985,
         "command": "python -m eval"}  # fmt: skip
KEY = "ckplus48.paper.fer_cbam_paper.plain.accuracy"


def made_report(weights="fer_cbam_paper", **changes):
    values = {"value": 0.5, "low": 0.4, "high": 0.6}
    return {
        "data": "ckplus48", "protocol": "paper", "weights": weights, "option": "plain", "n": 10,
        "sequence_overlap": 0.9, "metrics": {"accuracy": values},
        "classes": {"fear": {"support": 3, "recall": {"value": 0.1, "low": 0.0, "high": 0.2}}},
        **changes,
    }  # fmt: skip


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_collect(tmp_path):
    write(tmp_path / "a" / "metrics.json", {"command": "one", **made_report()})
    write(tmp_path / "a" / "baselines.json",
          {"command": "two", "baselines": {"majority": made_report("majority")}})  # fmt: skip
    write(tmp_path / "a" / "other.json", {"nothing": "of ours"})
    got = summary.collect(tmp_path)
    prefix = "ckplus48.paper.fer_cbam_paper.plain"
    assert got[f"{prefix}.accuracy"] == {
        "value": 0.5, "low": 0.4, "high": 0.6, "n": 10, "command": "one"
    }  # fmt: skip
    assert got[f"{prefix}.recall_fear"]["value"] == 0.1
    assert got[f"{prefix}.sequence_overlap"]["value"] == 0.9
    assert got["ckplus48.paper.majority.plain.accuracy"]["command"] == "two"
    assert list(got) == sorted(got)
    assert len(got) == 6


def test_collect_counts_and_reports(tmp_path):
    of = {"data": "fer2013", "protocol": "all", "weights": "twins", "n": 7}
    write(tmp_path / "twins.json", {"command": "t", **of, "counts": {"images": 5}})
    shown = made_report("fer_cbam_base", option="camera_pasted")
    write(tmp_path / "camera.json", {"command": "c", "reports": {"pasted": shown}})
    got = summary.collect(tmp_path)
    assert got["fer2013.all.twins.plain.images"] == {
        "value": 5, "low": None, "high": None, "n": 7, "command": "t"
    }  # fmt: skip
    assert got["ckplus48.paper.fer_cbam_base.camera_pasted.accuracy"]["command"] == "c"


def test_two_reports_of_one_key_are_an_error(tmp_path):
    for name in "ab":
        write(tmp_path / name / "metrics.json", {"command": "x", **made_report()})
    with pytest.raises(DataError, match=r"b/metrics.json and .*a/metrics.json: both report"):
        summary.collect(tmp_path)


def test_a_name_that_would_break_the_keys_is_an_error(tmp_path):
    write(tmp_path / "metrics.json", {"command": "x", **made_report("fer_cbam_paper.ckplus48")})
    with pytest.raises(DataError, match=r"expected none with a '\.'"):
        summary.collect(tmp_path)


@pytest.mark.parametrize("text", ["no json", "[]", '{"command": "x"}'])
def test_a_file_that_is_no_report_is_an_error(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DataError, match=r"metrics\.json"):
        summary.collect(tmp_path)


@pytest.mark.parametrize(
    ("field", "spec", "expected"),
    [
        (None, ".1p", "98.7"),
        (None, ".2%", "98.71%"),
        ("sd", ".3f", "0.004"),
        ("n", ",d", "985"),
        ("interval", ".1p", "97.0\u201399.5"),
    ],
)
def test_formats(field, spec, expected):
    assert number({KEY: ENTRY}, KEY, field, spec) == expected


@pytest.mark.parametrize(
    ("key", "field", "spec", "message"),
    [
        (KEY.replace("paper.fer", "paper.fre"), None, ".1p", f"close to it: {KEY}"),
        (KEY, "median", ".1p", "expected numbers"),
        (KEY, "command", ".1p", "expected numbers"),
        (KEY, None, "d", "format 'd'"),
    ],
)
def test_numbers_that_do_not_exist_are_errors(key, field, spec, message):
    with pytest.raises(DataError, match=message):
        number({KEY: ENTRY}, key, field, spec)


def test_inline_numbers():
    text = f"It is <!--n:{KEY}:.1p-->99.9<!--/n--> % of <!--n:{KEY}@n:d--><!--/n-->."
    expected = f"It is <!--n:{KEY}:.1p-->98.7<!--/n--> % of <!--n:{KEY}@n:d-->985<!--/n-->."
    assert render(text, {KEY: ENTRY}) == expected
    assert render(expected, {KEY: ENTRY}) == expected


def full_summary():
    got = {}
    for protocol, value in (("paper", 0.96), ("subject10", 0.61)):
        for weights in ("fer_cbam_paper", "nn1_pixels"):
            prefix = f"ckplus48.{protocol}.{weights}.plain"
            for metric in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "recall_fear"):
                got[f"{prefix}.{metric}"] = {**ENTRY, "value": value}
            got[f"{prefix}.sequence_overlap"] = {
                "value": 0.957 if protocol == "paper" else 0.0, "low": None, "high": None
            }  # fmt: skip
    return got


def test_blocks():
    text = "a\n<!-- numbers:ckplus48 -->\nold\n<!-- /numbers -->\nb\n"
    got = render(text, full_summary())
    lines = got.splitlines()
    assert lines[0] == "a" and lines[-1] == "b"
    assert "old" not in got
    assert lines[4] == (
        "| `fer_cbam_paper` | 96.0 \u00b1 0.4 | 96.00 "
        "| 61.0 (97.0\u201399.5) | 61.0 | 61.0 | 61.00 |"
    )
    assert lines[5].startswith("| 1-nearest-neighbour on pixels | 96.0 \u00b1 0.4 |")
    assert "in training: 95.7 % (random 80/20), 0.0 % (subjects apart)." in got
    assert render(got, full_summary()) == got


def test_block_of_classes_shows_our_weights_only():
    text = "<!-- numbers:ckplus48-classes -->\n<!-- /numbers -->\n"
    lines = render(text, full_summary()).splitlines()
    assert lines[1].count("fer_cbam_paper") == 2
    assert lines[3] == "| fear | 96.0 (97.0\u201399.5) | 61.0 (97.0\u201399.5) |"


@pytest.mark.parametrize(
    "text",
    [
        f"<!--n:{KEY}:.1p-->98.7",
        f"<!--n:{KEY}-->98.7<!--/n-->",
        "<!-- numbers:ckplus48 -->\n",
        "98.7<!--/n-->",
        "<!-- numbers:ckplus48 -->no line end<!-- /numbers -->",
    ],
)
def test_broken_marks_are_errors(text):
    with pytest.raises(DataError, match="not closed or not well formed"):
        render(text, {KEY: ENTRY})


def test_an_unknown_block_is_an_error():
    with pytest.raises(DataError, match="numbers:kdef; expected one of: ckplus48"):
        render("<!-- numbers:kdef -->\n<!-- /numbers -->", {KEY: ENTRY})


def test_check_fails_when_a_document_differs(tmp_path, monkeypatch):
    monkeypatch.setattr(render_docs, "ROOT", tmp_path)
    monkeypatch.setattr(render_docs, "REPORTS", tmp_path)
    (tmp_path / "summary.json").write_text(dumps({KEY: ENTRY}))
    stale = f"<!--n:{KEY}:.1p-->99.9<!--/n-->\n"
    embedded = tmp_path / "fer_cbam" / "weights" / "fer_cbam_some.data"
    embedded.mkdir(parents=True)
    (embedded / "config.json").write_text("{}")
    for name in render_docs.DOCUMENTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(stale)
    with pytest.raises(
        SystemExit, match=r"README\.md, .*model_card\.md, .*some.data/README\.md: numbers differ"
    ):
        render_docs.main(["--check"])
    assert (tmp_path / "README.md").read_text() == stale
    render_docs.main([])
    assert (tmp_path / "README.md").read_text() == f"<!--n:{KEY}:.1p-->98.7<!--/n-->\n"
    assert (embedded / "README.md").read_text() == (tmp_path / "model_card.md").read_text()
    render_docs.main(["--check"])


def test_all_embedded_weights_have_the_model_card():
    card = (render_docs.ROOT / render_docs.CARD).read_text(encoding="utf-8")
    assert pretrained.embedded_names()
    for name in pretrained.embedded_names():
        path = pretrained.embedded_dir(name) / CARD_FILE
        assert path.is_file(), "run: python -m eval.docs.render"
        assert path.read_text(encoding="utf-8") == card, "run: python -m eval.docs.render"


def test_committed_summary_is_what_the_reports_say():
    summary.main(["--check"])


@pytest.mark.parametrize("name", render_docs.DOCUMENTS)
def test_committed_documents_say_what_the_summary_says(name):
    text = (render_docs.ROOT / name).read_text(encoding="utf-8")
    assert render_docs.MARK.search(text), f"{name} has no number from the reports"
    numbers = summary.read_json(summary.REPORTS / summary.SUMMARY_FILE)
    assert render(text, numbers, name) == text, "run: python -m eval.docs.render"


WILD = ("ferplus", "ferplus-confidence", "ferplus-classes", "fer2013", "fer2013-confidence",
        "adjustment", "fer2013-classes", "ckplus48-strangers", "camera",
        "twins", "cost", "speed")  # fmt: skip


def block(name, numbers):
    text = render(f"<!-- numbers:{name} -->\n<!-- /numbers -->\n", numbers)
    return text.splitlines()[1:-1]


@pytest.mark.parametrize("name", WILD)
def test_blocks_of_what_is_not_measured_say_so(name):
    assert block(name, full_summary()) == [render_docs.NOT_YET]


def wild_summary():
    got = full_summary()
    for prefix in (
        "ferplus.private.fer_cbam_base.plain", "ferplus.private.fer_cbam_base.tencrop",
        "ferplus.private.one_rater.plain", "fer2013.private.fer_cbam_base.plain",
        "ckplus48.subject10.fer_cbam_base-ferplus.plain",
        "ferplus.public.fer_cbam_base.camera_low_light",
    ):  # fmt: skip
        for metric in ("accuracy", "balanced_accuracy", "recall_fear", "found"):
            got[f"{prefix}.{metric}"] = {**ENTRY, "value": 0.8}
    for prefix in ("ferplus.public.fer_cbam_base", "ckplus48.subject10.fer_cbam_base-ferplus"):
        got[f"{prefix}.balance_50.accuracy"] = {**ENTRY, "value": 0.7}
    got["ferplus.private.fer_cbam_base.plain.ece"] = {**ENTRY, "value": 0.02}
    got["ferplus.training.fer_cbam_base.plain.core_hours"] = {**ENTRY, "value": 2.5}
    return got


def test_tables_of_the_wild():
    got = wild_summary()
    lines = block("ferplus", got)
    assert [line.split(" |")[0] for line in lines[2:]] == [
        "| `fer_cbam_base`", "| `fer_cbam_base`, ten crops",
        "| one FER+ rater against the other nine",
    ]  # fmt: skip
    assert lines[2].startswith(
        "| `fer_cbam_base` | 80.0 (97.0\u201399.5) | 80.0 (97.0\u201399.5) | \u2013 |"
    )
    # One rater has no confidence.
    assert block("ferplus-confidence", got)[2:] == [
        "| `fer_cbam_base` | \u2013 | 2.0 | \u2013 | \u2013 | \u2013 |"
    ]
    assert block("fer2013", got)[2].startswith("| `fer_cbam_base` | 80.0 (")
    assert block("ferplus-classes", got)[2].count("80.0 (") == 2
    assert block("ckplus48-strangers", got)[2].startswith("| `fer_cbam_base-ferplus` | 80.0 (")
    assert block("camera", got)[2] == (
        "| `fer_cbam_base`, FER+ PublicTest: low light "
        "| 985 | 80.0 | 80.0 (97.0\u201399.5) | 80.0 |"
    )
    assert block("cost", got)[2] == "| `fer_cbam_base`, FER+ | \u2013 | \u2013 | \u2013 | 2.5 |"
    assert block("adjustment", got)[2:] == [
        "| `fer_cbam_base`, FER+, 0.5 | 70.0 | \u2013 | 70.0 | \u2013 |"
    ]
    # Strangers stand in a table of their own.
    assert not [line for line in block("ckplus48", got) if "ferplus" in line]


def test_times_come_from_a_benchmark_s_report(tmp_path):
    prefix = "faces.batch_1.fer_cbam_base"
    taken = {f"{prefix}.torch": {"milliseconds": 9.0, "explained_milliseconds": 10.0},
             f"{prefix}.onnx": {"milliseconds": 4.5, "explained_milliseconds": 8.0},
             f"{prefix}.onnx-int8": {"milliseconds": 1.5},
             "faces.batch_64.fer_cbam_base.onnx": {"milliseconds": 3.0},
             "faces.batch_64.fer_cbam_base.torch": {"milliseconds": 6.0}}  # fmt: skip
    report.write(tmp_path / "speed.json", "benchmarks.runtime", ["--rounds", "7"], 7, taken)
    got = summary.collect(tmp_path)
    entry = got[f"{prefix}.onnx.milliseconds"]
    assert (entry["value"], entry["n"]) == (4.5, 7)
    assert entry["command"] == "python -m benchmarks.runtime --rounds 7"
    lines = block("speed", {**full_summary(), **got})
    assert lines[0].startswith(f"| milliseconds a face, one thread of {report.processor()} |")
    assert lines[2:] == [
        "| `fer_cbam_base`, one face | 9.00 | 4.50 (2.0\u00d7) | 1.50 (6.0\u00d7) |",
        "| `fer_cbam_base`, one face, with both maps | 10.00 | 8.00 (1.2\u00d7) | \u2013 |",
        "| `fer_cbam_base`, 64 faces | 6.00 | 3.00 (2.0\u00d7) | \u2013 |",
        "| `fer_cbam_base`, 64 faces, with both maps | \u2013 | \u2013 | \u2013 |",
    ]


def test_times_of_two_processors_are_not_put_into_one_table():
    got = {f"faces.batch_{n}.fer_cbam_base.torch.milliseconds": {**ENTRY, "processor": name}
           for n, name in ((1, "one"), (64, "another"))}  # fmt: skip
    with pytest.raises(DataError, match=r"\['another', 'one'\] in one table"):
        block("speed", got)


def test_the_card_is_one_that_a_hub_reads():
    from huggingface_hub import ModelCard

    card = "---\nlicense: other\n# numbers:model-index\n# /numbers\n---\n# Card\n"
    numbers = wild_summary()
    data = ModelCard(render(card, numbers)).data
    found = {(r.dataset_type, r.dataset_name, r.metric_type): r.metric_value
             for r in data.eval_results}  # fmt: skip
    assert data.license == "other"
    index = render_docs.model_index(numbers)
    assert "low_light" not in index and "tencrop" not in index and "one_rater" not in index
    assert found
    for (_, _, metric), value in found.items():
        assert metric in render_docs.INDEX_METRICS
        assert value in (0.8, 0.96, 0.61, 0.02)
    again = render(render(card, numbers), numbers)
    assert again == render(card, numbers)
    assert render_docs.model_index({}) == "# none measured yet"


def test_the_committed_card_is_one_that_a_hub_reads():
    from huggingface_hub import ModelCard

    data = ModelCard.load(render_docs.ROOT / "model_card.md").data
    numbers = summary.read_json(summary.REPORTS / summary.SUMMARY_FILE)
    key = "ckplus48.subject10.fer_cbam_paper.plain.accuracy"
    found = [r.metric_value for r in data.eval_results if r.metric_type == "accuracy"]
    assert round(numbers[key]["value"], 4) in found
    # Exactly what the embedded weights say that they were trained on, all heads of it.
    configs = [
        pretrained.read_config(pretrained.embedded_dir(n)) for n in pretrained.embedded_names()
    ]
    trained_on = {config["training"]["data"] for config in configs}
    for config in configs:
        trained_on |= {head["labels"] for head in config["training"]["recipe"].get("heads", ())}
    assert set(data.datasets) == trained_on
