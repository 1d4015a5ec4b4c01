"""Tables of results from records whose cells are known."""

from __future__ import annotations

import pytest

from eval.docs import results
from eval.docs.markdown import DASH, NOT_YET
from eval.records import metric_records, record
from fer_cbam import pretrained
from fer_cbam.errors import DataError

SPREAD = {"low": 0.1, "high": 0.9}


def of(data, protocol, weights, option="plain", **metrics):
    classes = metrics.pop("classes", None)
    return list(metric_records(metrics, classes, data=data, protocol=protocol, weights=weights,
                               option=option, n=10))  # fmt: skip


def rows(text):
    """First cell -> the others."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {first: rest for first, *rest in lines[2:]}


def test_both_protocols_of_ckplus48_side_by_side(loaded):
    records = loaded(evaluation=[
        *of("ckplus48", "paper", "net.ckplus48", accuracy={"value": 0.98, "sd": 0.01},
            macro_auc=0.999, sequence_overlap=0.957),
        *of("ckplus48", "subject10", "net.ckplus48", accuracy={"value": 0.5, **SPREAD},
            balanced_accuracy=0.4, macro_f1=0.3, macro_auc=0.6, sequence_overlap=0.0),
        *of("ckplus48", "subject10", "majority", accuracy=0.25),
        *of("ckplus48", "subject10", "hog_svm", accuracy=0.75),
        *of("ckplus48", "subject10", "net.ferplus", accuracy=0.7),
    ])  # fmt: skip
    text = results.ckplus48(records)
    got = rows(text)
    assert list(got) == ["`net.ckplus48`", "HOG + linear SVM", "majority class"]
    assert got["`net.ckplus48`"] == [
        "98.0 \u00b1 1.0", "99.90", "50.0 (10.0\u201390.0)", "40.0", "30.0", "60.00"
    ]  # fmt: skip
    assert text.endswith("in training: 95.7 % (random 80/20), 0.0 % (subjects apart).")


def test_two_overlaps_of_one_protocol_are_an_error(loaded):
    records = loaded(evaluation=[
        *of("ckplus48", "paper", "a.ckplus48", sequence_overlap=0.9),
        *of("ckplus48", "paper", "b.ckplus48", sequence_overlap=0.8),
    ])  # fmt: skip
    with pytest.raises(DataError, match=r"random 80/20: \[0\.8, 0\.9\]; expected one value"):
        results.ckplus48(records)


def test_faces_of_another_data_set_are_apart_from_those_of_the_own(loaded):
    classes = {"fear": {"recall": {"value": 0.2}}}
    records = loaded(evaluation=[
        *of("ckplus48", "subject10", "net.ckplus48", accuracy=0.9),
        *of("ckplus48", "subject10", "net.ferplus", accuracy={"value": 0.5, **SPREAD},
            balanced_accuracy=0.4, classes=classes),
        *of("ckplus48", "subject10", "net.ferplus", "flip", accuracy=0.6),
        *of("ckplus48", "subject10", "hog_svm", accuracy=0.8),
    ])  # fmt: skip
    assert rows(results.cross_dataset(records)) == {
        "`net.ferplus`": ["50.0 (10.0\u201390.0)", "40.0", "20.0"]
    }


def test_private_test_with_options_and_people(loaded):
    records = loaded(evaluation=[
        *of("ferplus", "private", "one_rater", accuracy=0.77),
        *of("ferplus", "private", "net.ferplus", "tencrop", accuracy=0.8, ece=0.01),
        *of("ferplus", "private", "net.ferplus", accuracy={"value": 0.7, **SPREAD},
            accuracy_without_twins=0.6),
        *of("ferplus", "public", "net.ferplus", accuracy=0.1),
    ])  # fmt: skip
    got = rows(results.BLOCKS["ferplus"](records))
    assert got == {
        "`net.ferplus`": ["70.0 (10.0\u201390.0)", "\u2013", "\u2013", "60.0"],
        "`net.ferplus`, ten crops": ["80.0", "\u2013", "\u2013", "\u2013"],
        "one FER+ rater against the other nine": ["77.0", "\u2013", "\u2013", "\u2013"],
    }
    # Only what has a confidence.
    sure = rows(results.BLOCKS["ferplus-confidence"](records))
    assert sure == {"`net.ferplus`, ten crops": ["\u2013", "1.0", "\u2013", "\u2013", "\u2013"]}


def test_recalls_of_weights_and_people(loaded):
    records = loaded(evaluation=[
        *of("ferplus", "private", "net.ferplus",
            classes={"fear": {"recall": {"value": 0.3, **SPREAD}}, "anger": {"recall": 0.5}}),
        *of("ferplus", "private", "one_rater", classes={"fear": {"recall": 0.6}}),
    ])  # fmt: skip
    text = results.BLOCKS["ferplus-classes"](records)
    assert text.splitlines()[0] == (
        "| recall, FER+, PrivateTest, % | `net.ferplus` | one FER+ rater against the other nine |"
    )
    assert rows(text) == {
        "anger": ["50.0", "\u2013"],
        "fear": ["30.0 (10.0\u201390.0)", "60.0"],
    }


def test_operating_points_at_home_and_away(loaded):
    of = {"weights": "net.ferplus", "condition": "balance 0.5"}
    home = {"data": "ferplus", "protocol": "public", **of}
    swept = [
        *metric_records({"accuracy": 0.7, "balanced_accuracy": 0.6, "macro_precision": 0.55},
                        {"fear": {"precision": 0.4, "said": 9}, "contempt": {"said": 0}}, **home),
        record("accuracy", 0.5, data="ckplus48", protocol="subject10", **of),
    ]  # fmt: skip
    lines = results.operating_points(loaded(operating_points=swept)).splitlines()
    dash = "\u2013"
    expected = [
        "`net.ferplus`",
        "balance 0.5",
        "70.0",
        "60.0",
        "55.0",
        dash,
        dash,
        "40.0",
        "50.0",
        dash,
    ]
    assert lines[2:] == [f"| {' | '.join(expected)} |"]


def test_calibration_before_and_cross_fitted(loaded):
    made = [
        record(metric, value, weights="net.ferplus", condition=side)
        for side, value in (("before", 0.8), ("cross-fitted", 0.9), ("after", 0.95))
        for metric in ("accuracy", "ece", "log_loss")
    ]
    lines = results.calibration(loaded(calibration=made)).splitlines()
    assert (
        lines[2]
        == "| `net.ferplus`: logits alone | 80.0 | \u2013 | 80.0 | \u2013 | \u2013 | 0.800 |"
    )
    assert lines[3].startswith("| `net.ferplus`: cross-fitted | 90.0 |") and len(lines) == 4


def test_camera_what_costs_least_first(loaded):
    shot = [
        *metric_records({"accuracy": {"value": 0.6, **SPREAD}, "found": 0.9}, weights="net.ferplus",
                        condition="low_light", n=1000),
        *metric_records({"accuracy": 0.8, "found": 1.0, "balanced_accuracy": 0.7},
                        weights="net.ferplus", condition="as_is", n=1000),
    ]  # fmt: skip
    got = rows(results.camera(loaded(camera=shot)))
    assert got == {
        "`net.ferplus`: as is": ["1,000", "100.0", "80.0", "70.0"],
        "`net.ferplus`: low light": ["1,000", "90.0", "60.0 (10.0\u201390.0)", "\u2013"],
    }
    assert next(iter(got)) == "`net.ferplus`: as is"


def test_counts(loaded):
    names = (
        "images",
        "groups",
        "public_images_with_twin_in_training",
        "private_images_with_twin_in_training",
        "training_images_with_twin_in_test",
    )
    counts = {name: 1000 + i for i, name in enumerate(names)} | {"label_agreement": 0.825}
    spent = {"images_seen": 4_000_000, "core_hours": 2.5}
    records = loaded(
        twins=metric_records(counts, data="fer2013", n=35887),
        cost=metric_records(spent, weights="net.ferplus", protocol="training"),
    )
    text = results.twins(records)
    assert text.startswith("| FER2013, 35,887 images |  |")
    assert [cells[0] for cells in rows(text).values()] == [
        "1,000", "1,001", "1,002", "1,003", "1,004", "82.5 %"
    ]  # fmt: skip
    assert rows(results.cost(records)) == {
        "`net.ferplus`": ["4,000,000", "\u2013", "\u2013", "2.5"]
    }


def timed(way, ms, batch=1, metric="milliseconds"):
    return record(metric, ms, weights="net.ferplus", option=way, condition=f"batch {batch}", n=7)


def test_speed_and_how_many_times_faster(loaded):
    taken = [timed("torch", 9.0), timed("onnx", 4.5), timed("onnx-int8", 1.5),
             timed("torch", 10.0, metric="explained_milliseconds"),
             timed("onnx", 8.0, metric="explained_milliseconds"), timed("onnx", 3.0, batch=64),
             timed("torch", 6.0, batch=64)]  # fmt: skip
    frame = metric_records({"label_milliseconds": 9.04}, weights="net.ferplus", option="onnx",
                           condition="640x480")  # fmt: skip
    records = loaded(speed=taken, frame=frame)
    text = results.speed(records)
    assert text.startswith("| milliseconds a face, one thread of a processor |")
    assert rows(text) == {
        "`net.ferplus`, one face": ["9.00", "4.50 (2.0\u00d7)", "1.50 (6.0\u00d7)", DASH, DASH],
        "`net.ferplus`, one face, with maps": ["10.00", "8.00 (1.2\u00d7)", DASH, DASH, DASH],
        "`net.ferplus`, 64 faces": ["6.00", "3.00 (2.0\u00d7)", DASH, DASH, DASH],
    }
    assert rows(results.frame(records)) == {
        "`net.ferplus`, ONNX Runtime, 640x480": ["9.0", "\u2013", "\u2013"]
    }


def test_how_like_torch_each_runtime_is(loaded):
    good = {"megabytes": 3.049, "accuracy": 0.849, "balanced_accuracy": 0.7167,
            "same_label": 0.99781, "gradcam_correlation": 0.99991}  # fmt: skip
    records = loaded(agreement=metric_records(good, weights="net.ferplus", option="litert",
                                              condition="PublicTest", n=9))  # fmt: skip
    assert rows(results.agreement(records)) == {
        "`net.ferplus`, LiteRT, int8": ["3.05", "84.9", "71.7", "99.78", "0.9999"]
    }


def test_shares_of_an_earlier_version(loaded):
    def shared(condition, share, before, now):
        where = {"weights": "net.ferplus", "condition": condition, "n": 9}
        return [record("share", share, low=share - 0.02, high=share + 0.03, **where),
                record("before_milliseconds", before, **where),
                record("now_milliseconds", now, **where)]  # fmt: skip

    found = [("draw", 0.12, 110.74, 14.1), ("1 face, own", 0.5, 2, 1),
             ("20 faces, litert", 0.9, 20, 18)]  # fmt: skip
    records = loaded(against=[one for values in found for one in shared(*values)])
    assert rows(results.against(records)) == {
        "`net.ferplus`, drawing 20 faces on 1920x1080": ["110.7", "14.1", "12 % (10\u201315)"],
        "`net.ferplus`, one face to labels, the app's own choice":
            ["2.0", "1.0", "50 % (48\u201353)"],
        "`net.ferplus`, 20 faces to labels, LiteRT, int8 against ONNX Runtime":
            ["20.0", "18.0", "90 % (88\u201393)"],
    }  # fmt: skip


def test_how_many_times_as_fast_the_browser_s_kernel_is(loaded):
    def taken(option, ms, weights=None, **ratios):
        yield record("milliseconds", ms, low=ms - 1, high=ms + 1, option=option, weights=weights)
        for own, ratio in ratios.items():
            yield record("times_as_fast", ratio, low=ratio - 0.1, high=ratio + 0.2, option=option,
                         weights=own)  # fmt: skip

    found = [
        taken("kernel", 4.0, "a"), taken("kernel", 8.0, "b"),
        taken("onnxruntime-web", 12.0, "b", b=1.5), taken("human", 20.0, a=5.0, b=2.5),
    ]  # fmt: skip
    records = loaded(browser=[one for values in found for one in values])
    assert rows(results.browser(records)) == {
        "FER-CBAM's kernel, `a`": ["4.0 (3.0\u20135.0)", DASH, DASH],
        "FER-CBAM's kernel, `b`": ["8.0 (7.0\u20139.0)", DASH, DASH],
        "the same steps, ONNX Runtime, `b`": ["12.0 (11.0\u201313.0)", DASH, "1.5 (1.4\u20131.7)"],
        "human": ["20.0 (19.0\u201321.0)", "5.0 (4.9\u20135.2)", "2.5 (2.4\u20132.7)"],
    }


def test_how_many_times_as_fast_as_fer(loaded):
    of = {"low": 1.0, "high": 90.0}
    records = loaded(peers=[
        record("milliseconds", 80.0, **of, option="fer"),
        record("milliseconds", 8.0, **of, option="onnx", weights="a"),
        record("times_as_fast", 10.0, **of, option="fer", weights="a"),
    ])  # fmt: skip
    assert rows(results.peers(records)) == {
        "fer": ["80.0 (1.0\u201390.0)", DASH],
        "`a`, ONNX Runtime": ["8.0 (1.0\u201390.0)", "10.0 (1.0\u201390.0)"],
    }


def test_times_of_two_processors_are_not_put_into_one_table(loaded):
    records = loaded(speed=[timed("torch", 9.0), timed("onnx", 4.0)])
    records.loc[1, "processor"] = "another"
    with pytest.raises(DataError, match=r"\['a processor', 'another'\] in one table"):
        results.speed(records)


def test_the_table_of_weights(loaded):
    name = "fer_cbam_tiny.ferplus"
    records = loaded(
        evaluation=[
            *of("ferplus", "private", name, accuracy={"value": 0.8, **SPREAD}),
            *of("ckplus48", "subject10", name, accuracy=0.6),
            *of("ckplus48", "subject10", "fer_cbam_paper.ckplus48", accuracy=0.9),
        ],
        speed=[record("milliseconds", 1.25, weights="fer_cbam_tiny.fer2013", option="onnx",
                      condition="batch 1")],
    )  # fmt: skip
    got = rows(results.weights_table(records))
    assert list(got) == [f"`{n}`" for n in pretrained.embedded_names()]
    size = (pretrained.embedded_dir(name) / "model.safetensors").stat().st_size / 1e6
    assert got[f"`{name}`"] == [
        f"{size:.1f}", "FER+, PrivateTest", "80.0 (10.0\u201390.0)", "\u2013", "60.0", "1.2"
    ]  # fmt: skip
    assert got["`fer_cbam_paper.ckplus48`"][2:] == ["90.0", "\u2013", "\u2013", "\u2013"]


def test_cards_are_linked(loaded):
    text = results.cards_table(loaded(evaluation=[]))
    for name in pretrained.embedded_names():
        assert f"[`{name}`](fer_cbam/weights/{name}/README.md)" in text


@pytest.mark.parametrize(
    "name", [n for n in results.BLOCKS if n not in ("weights", "cards", "ckplus48")]
)
def test_what_is_not_measured_says_so(name, loaded):
    assert results.BLOCKS[name](loaded(evaluation=[])) == NOT_YET
